"""The limits of one core of this machine, measured, and every step of a network held against them."""

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from sparsenet.explain.profile import Profile, StepProfile, profile
from sparsenet.machine.cores import usable_cores
from sparsenet.machine.facts import Machine, machine
from sparsenet.machine.limits import Limits
from sparsenet.machine.memory import Memory, memory
from sparsenet.timing import Clock

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from sparsenet.engine.engine import Engine

__all__ = ["Roofline", "RooflineStep", "roofline"]


@dataclass(frozen=True)
class RooflineStep:
    """One step of a network against the limits of the core it ran on.

    Attributes
    ----------
    layer, kernel, unit : str
        See :class:`~sparsenet.explain.profile.StepProfile`.
    multiplications, touched_bytes : int
        Of one call; bytes of weights, inputs and outputs, each once.
    median_us, least_us : float
        What it took, and what this core could not have gone below.
    share_of_limit : float or None
        ``least_us`` over the median; None where the step is too short to be told apart from the call.
    bound : str
        The limit that binds it, as in :class:`~sparsenet.explain.profile.StepProfile`.
    intensity : float
        Multiplications for each byte: where it stands on the roofline.
    rate_per_s, roof_per_s : float
        Multiplications a second: done, and those that the limits allow at this intensity.
    """

    layer: str
    kernel: str
    unit: str
    multiplications: int
    touched_bytes: int
    median_us: float
    least_us: float
    share_of_limit: float | None
    bound: str
    intensity: float
    rate_per_s: float
    roof_per_s: float


@dataclass(frozen=True)
class Roofline:
    """What one core can do at most, and what each step of a network makes of it.

    Attributes
    ----------
    limits : Limits
    steps : tuple of RooflineStep
    samples : int
        That went through the steps together.
    whole_median_us : float
        Of one native call that runs all steps.
    level : str
        The memory level that holds the whole network, and from which weights are taken to be read.
    machine : Machine
    usable_cores : int
    memory : Memory
    """

    limits: Limits
    steps: tuple[RooflineStep, ...]
    samples: int
    whole_median_us: float
    level: str
    machine: Machine
    usable_cores: int
    memory: Memory

    @property
    def share_of_limit(self) -> float:
        """What the limits allow for all steps, one after the other, over what the whole call took."""
        return sum(step.least_us for step in self.steps) / max(self.whole_median_us, 1e-3)

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        own: dict[str, Any] = {"share_of_limit": self.share_of_limit}
        own |= {"machine": self.machine.to_dict(), "memory": self.memory.to_dict()}
        return asdict(self) | {"steps": [asdict(step) for step in self.steps]} | own

    def __repr__(self) -> str:
        return f"<Roofline of {len(self.steps)} steps: {self.share_of_limit:.1%} of what the core allows>"

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from sparsenet.explain.roofline_table import limits_table, roofline_lines, steps_table
        from sparsenet.tables import printable

        yield limits_table(self)
        yield steps_table(self, options.max_width)
        yield "\n".join(map(printable, roofline_lines(self)))

    def _repr_html_(self) -> str:
        from sparsenet.tables import as_html

        return as_html(self)


def roofline(
    engine: "Engine", x: npt.ArrayLike, *, rounds: int | None = None, clock: Clock = time.perf_counter_ns
) -> Roofline:
    """Hold every step of an engine against this core's limits of arithmetic and of reading.

    Parameters
    ----------
    engine : Engine
    x : array (n, *input_shape)
        Inputs that take turns, as many together as the engine puts through its steps at once.
    rounds : int, optional
        How often every step is timed; as often as fits into a second or two when left out.
    clock : callable
        Gives nanoseconds.

    Returns
    -------
    Roofline
        Prints as tables in a terminal and in a notebook; :func:`sparsenet.explain.roofline_plot.plot_roofline` draws
        it.

    Raises
    ------
    SparsenetError
        When there is no input, it does not fit the network, or there are no rounds.
    TypeError
        When inputs are no numbers, or rounds no integer.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsenet as sn
    >>> engine = sn.compile(sn.Network.sequential((64,), [sn.Linear(np.eye(64))]), threads=1)
    >>> found = roofline(engine, np.random.default_rng(0).standard_normal((8, 64)), rounds=3)
    >>> [step.layer for step in found.steps][-1]
    'linear1'
    """
    return _from_profile(profile(engine, x, rounds=rounds, clock=clock))


def _from_profile(found: Profile) -> Roofline:
    steps = tuple(_step(one) for one in found.steps)
    here = machine(), usable_cores(), memory()
    return Roofline(found.limits, steps, found.samples, found.whole_median_us, found.level, *here)


def _step(one: StepProfile) -> RooflineStep:
    touched = one.weight_bytes + one.activation_bytes
    return RooflineStep(
        layer=one.layer,
        kernel=one.kernel,
        unit=one.unit,
        multiplications=one.multiplications,
        touched_bytes=touched,
        median_us=one.median_us,
        least_us=one.least_us,
        share_of_limit=one.share_of_limit,
        bound=one.bound,
        intensity=one.multiplications / max(touched, 1),
        rate_per_s=one.multiplications_per_s,
        roof_per_s=one.multiplications / one.least_us * 1e6 if one.least_us else 0.0,
    )
