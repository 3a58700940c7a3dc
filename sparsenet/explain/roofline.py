"""The limits of one core of this machine, measured, and every step of a network held against them."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsenet.explain.profile import StepProfile, profile
from sparsenet.explain.roofline_table import roofline_parts
from sparsenet.machine.cores import usable_cores
from sparsenet.machine.facts import Machine, machine
from sparsenet.machine.limits import Limits
from sparsenet.machine.memory import Memory, memory
from sparsenet.renderer import as_record, printing
from sparsenet.timing import Clock

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["Roofline", "roofline"]

OF_STEPS = (
    *("layer", "kernel", "unit", "multiplications", "touched_bytes", "median_us", "least_us", "share_of_limit"),
    *("bound", "intensity", "rate_per_s", "roof_per_s"),
)
"""What JSON has of each step."""


@dataclass(frozen=True)
class Roofline:
    """What one core can do at most, and what each step of a network makes of it.

    Attributes
    ----------
    limits : Limits
    steps : tuple of StepProfile
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
    steps: tuple[StepProfile, ...]
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
        steps = [{name: getattr(step, name) for name in OF_STEPS} for step in self.steps]
        return as_record(self, "share_of_limit") | {"steps": steps}

    def __repr__(self) -> str:
        return f"<Roofline of {len(self.steps)} steps: {self.share_of_limit:.1%} of what the core allows>"

    __rich_console__, _repr_html_ = printing(roofline_parts)


def roofline(engine: "Engine", x: Any, *, rounds: int | None = None, clock: Clock = time.perf_counter_ns) -> Roofline:
    """Hold every step of an engine against this core's limits of arithmetic and of reading.

    Parameters
    ----------
    engine : Engine
    x, rounds, clock
        As :func:`sparsenet.explain.profile.profile` takes them.

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
    found = profile(engine, x, rounds=rounds, clock=clock)
    here = machine(), usable_cores(), memory()
    return Roofline(found.limits, found.steps, found.samples, found.whole_median_us, found.level, *here)
