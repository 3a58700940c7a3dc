"""Where an engine's time goes: each step timed on live data, its work counted, held against what the core could do."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsenet.engine.by_name import samples_in
from sparsenet.engine.examples import chunks_of
from sparsenet.explain.profile_table import profile_parts
from sparsenet.explain.step_limits import StepLimits, steps_limits
from sparsenet.explain.step_timing import (
    Times,
    refuse_beyond_float32,
    rounds_that_fit,
    timed_steps,
    timed_whole,
)
from sparsenet.explain.steps import StepRunner
from sparsenet.machine.limits import Limits, limits
from sparsenet.packing.arguments import whole
from sparsenet.renderer import as_record, printing
from sparsenet.timing import Clock

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["Profile", "StepProfile", "profile"]

SHORTEST_US = 0.05
"""A call takes several times as long, and is taken off: what is left of a shorter step is noise."""


@dataclass(frozen=True)
class StepProfile:
    """What one step did in one call.

    Attributes
    ----------
    layer, kernel : str
    unit : str
        What multiplies in it: "float32", vectors of "bytes", or "tiles" of them.
    median_us, minimum_us : float
        Of one call with all its samples.
    active : float or None
        The share of its inputs that were active, on average; None where the kernel reads all of them.
    multiplications : int
        Those the kernel did, for all samples: counted from the weights, and from the active inputs where it skips the
        others. Vectors and tiles of bytes multiply the zeros in them too.
    weight_bytes, activation_bytes : int
        Weights, and inputs with outputs, that were touched, each counted once.
    multiplications_per_s, bytes_per_s : float
        From the median.
    least_us : float
        What this core could not have gone below: the multiplications at its highest rate, or the bytes, whichever takes
        longer: weights at the rate of the memory level that holds the whole network, or of the one before as far as
        that can keep them, activations at the rate of the nearest that holds them.
    share_of_limit : float or None
        ``least_us`` over the median; None where the step is too short to be told apart from the call.
    bound : str
        The limit that binds it: "arithmetic", "L1 bytes", "L2 bytes", "L3 bytes", "memory bytes", "scattered addresses"
        or "call overhead"; see :mod:`sparsenet.explain.step_limits`.
    """

    layer: str
    kernel: str
    unit: str
    median_us: float
    minimum_us: float
    active: float | None
    multiplications: int
    weight_bytes: int
    activation_bytes: int
    multiplications_per_s: float
    bytes_per_s: float
    least_us: float
    share_of_limit: float | None
    bound: str

    @property
    def touched_bytes(self) -> int:
        """Bytes of weights, inputs and outputs, each once."""
        return self.weight_bytes + self.activation_bytes

    @property
    def intensity(self) -> float:
        """Multiplications for each byte touched: where the step stands on the roofline."""
        return self.multiplications / max(self.touched_bytes, 1)

    @property
    def rate_per_s(self) -> float:
        """Multiplications a second that were done."""
        return self.multiplications_per_s

    @property
    def roof_per_s(self) -> float:
        """Multiplications a second that the limits allow at this intensity."""
        return self.multiplications / self.least_us * 1e6 if self.least_us else 0.0


@dataclass(frozen=True)
class Profile:
    """The steps of one call, and the call as a whole.

    Attributes
    ----------
    steps : tuple of StepProfile
    samples : int
        That went through the steps together.
    inputs : int
        Different inputs that took turns.
    rounds : int
        How often every step was timed.
    whole_median_us, whole_minimum_us : float
        Of one native call that runs all steps.
    call_us : float
        What calling a step from Python costs; taken off every step.
    level : str
        The memory level that holds the whole network.
    limits : Limits
        Of this machine's core.
    """

    steps: tuple[StepProfile, ...]
    samples: int
    inputs: int
    rounds: int
    whole_median_us: float
    whole_minimum_us: float
    call_us: float
    level: str
    limits: Limits

    @property
    def parts_us(self) -> float:
        """The sum of all steps' medians."""
        return sum(step.median_us for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return as_record(self, "parts_us")

    def __repr__(self) -> str:
        return f"<Profile of {len(self.steps)} steps: {self.whole_median_us:,.2f} µs a call, samples: {self.samples}>"

    __rich_console__, _repr_html_ = printing(profile_parts)


def profile(engine: "Engine", x: Any, *, rounds: int | None = None, clock: Clock = time.perf_counter_ns) -> Profile:
    """Time every step of an engine on live data, and hold it against what this core could do.

    Parameters
    ----------
    engine : Engine
    x : array (n, *input_shape), or mapping of str to array
        The only input, or all of them by name. Samples take turns, as many together as the engine puts through its
        steps at once. More of them make times truer: a kernel with branches learns an input that it sees again and
        again.
    rounds : int, optional
        How often every step is timed; as often as fits into a second or two when left out.
    clock : callable
        Gives nanoseconds.

    Returns
    -------
    Profile
        Prints as a table in a terminal and in a notebook.

    Raises
    ------
    SparsenetError
        When there is no input, it does not fit the network, or there are no rounds.
    RangeError
        When an input makes a value inside the network leave float32.
    TypeError
        When inputs are no numbers, or rounds no integer.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsenet as sn
    >>> engine = sn.compile(sn.Network.sequential((64,), [sn.KWinners(4), sn.Linear(np.eye(64))]), threads=1)
    >>> found = profile(engine, np.random.default_rng(0).standard_normal((8, 64)), rounds=3)
    >>> [step.layer for step in found.steps]
    ['kwinners1', 'linear1']
    """
    steps = StepRunner(engine)
    chunks = chunks_of(engine.network, x, steps.chunk)
    refuse_beyond_float32(engine, chunks)
    samples = samples_in(chunks[0])
    turns = rounds_that_fit(steps, chunks, clock) if rounds is None else whole("rounds", rounds)
    step_us, idle_us = timed_steps(steps, chunks, turns, clock)
    whole_us = timed_whole(engine, chunks, turns, clock)
    counted = steps_limits(engine, steps, chunks, limits())
    return Profile(
        steps=tuple(_step_profile(step, step_us[:, i]) for i, step in enumerate(counted)),
        samples=samples,
        inputs=len(chunks) * samples,
        rounds=turns,
        whole_median_us=float(np.median(whole_us)),
        whole_minimum_us=float(whole_us.min()),
        call_us=idle_us,
        level=limits().level_for(steps.resident_bytes),
        limits=limits(),
    )


def _step_profile(step: StepLimits, times_us: Times) -> StepProfile:
    median_us = float(np.median(times_us))
    seconds = max(median_us, 1e-3) / 1e6  # a nanosecond is as little as the clock can tell
    return StepProfile(
        layer=step.layer,
        kernel=step.kernel,
        unit=step.unit,
        median_us=median_us,
        minimum_us=float(times_us.min()),
        active=step.active,
        multiplications=step.multiplications,
        weight_bytes=step.weight_bytes,
        activation_bytes=step.activation_bytes,
        multiplications_per_s=step.multiplications / seconds,
        bytes_per_s=(step.weight_bytes + step.activation_bytes) / seconds,
        least_us=step.least_us,
        share_of_limit=step.least_us / median_us if median_us >= SHORTEST_US else None,
        bound=step.bound,
    )
