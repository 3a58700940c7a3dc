"""Where an engine's time goes: each step timed on live data, its work counted, held against what the core could do."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.engine.engine import converted
from sparsenet.errors import SparsenetError
from sparsenet.explain.step_limits import StepLimits, steps_limits
from sparsenet.explain.steps import Steps
from sparsenet.machine.limits import Limits, limits
from sparsenet.packing.arguments import whole
from sparsenet_kernels.driver import program_table, serial_driver
from sparsenet_kernels.step_abi import address_of

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from sparsenet.engine.engine import Engine

__all__ = [
    "Profile",
    "StepProfile",
    "chunks_of",
    "profile",
    "refuse_beyond_float32",
    "rounds_that_fit",
    "timed_steps",
    "timed_whole",
]

FloatArray = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]
Clock = Callable[[], int]

LONGEST_NS = 1_500_000_000
FEWEST_ROUNDS, MOST_ROUNDS = 15, 1_000
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
        return asdict(self) | {"steps": [asdict(step) for step in self.steps], "parts_us": self.parts_us}

    def __repr__(self) -> str:
        return f"<Profile of {len(self.steps)} steps: {self.whole_median_us:,.2f} µs a call, samples: {self.samples}>"

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from sparsenet.explain.profile_table import profile_table

        yield profile_table(self, options.max_width)

    def _repr_html_(self) -> str:
        from sparsenet.tables import as_html

        return as_html(self)


def profile(
    engine: "Engine", x: npt.ArrayLike, *, rounds: int | None = None, clock: Clock = time.perf_counter_ns
) -> Profile:
    """Time every step of an engine on live data, and hold it against what this core could do.

    Parameters
    ----------
    engine : Engine
    x : array (n, *input_shape)
        Inputs that take turns, as many together as the engine puts through its steps at once. More of them make times
        truer: a kernel with branches learns an input that it sees again and again.
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
    steps = Steps(engine)
    chunks = chunks_of(engine, x, steps.chunk)
    refuse_beyond_float32(engine, chunks)
    samples = len(chunks[0])
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


def chunks_of(engine: "Engine", x: npt.ArrayLike, most: int) -> list[FloatArray]:
    """Cut the inputs into calls of equal size; what is left over is left out."""
    array = converted(x, engine.network.input_shape)
    if not len(array):
        raise SparsenetError("expected at least one input, got none")
    if not np.isfinite(array).all():
        raise SparsenetError("expected finite inputs, got NaN or infinity")
    size = min(most, len(array))
    return [array[start : start + size] for start in range(0, len(array) - size + 1, size)]


def refuse_beyond_float32(engine: "Engine", chunks: Sequence[FloatArray]) -> None:
    """Raise what the engine raises where values leave float32: times of what is no number say nothing."""
    for chunk in chunks:
        engine(chunk)


def rounds_that_fit(steps: Steps, chunks: Sequence[FloatArray], clock: Clock) -> int:
    """Find how often all steps can be timed in a second or two."""
    for chunk in chunks[:2]:  # the first finds cold caches
        began = clock()
        _run_all(steps, chunk)
        lasted_ns = clock() - began
    return int(min(MOST_ROUNDS, max(FEWEST_ROUNDS, LONGEST_NS / 2 / max(lasted_ns, 1))))


def _run_all(steps: Steps, chunk: FloatArray) -> None:
    steps.load(chunk)
    for index in range(len(steps.steps)):
        steps.call(index, len(chunk))


def timed_steps(steps: Steps, chunks: Sequence[FloatArray], rounds: int, clock: Clock) -> tuple[Times, float]:
    """Time each step in the program's order: (rounds, steps) microseconds, less those of a call without samples."""
    count = len(steps.steps)
    readings, idle = np.empty((rounds, count)), np.empty((rounds, count))
    for turn in range(rounds):
        chunk = chunks[turn % len(chunks)]
        samples = len(chunk)
        steps.load(chunk)
        for index in range(count):
            start = clock()
            steps.call(index, 0)
            middle = clock()
            steps.call(index, samples)
            readings[turn, index] = clock() - middle
            idle[turn, index] = middle - start
    idle_us = float(np.median(idle)) / 1e3
    return np.maximum(readings / 1e3 - idle_us, 0.0), idle_us


def timed_whole(engine: "Engine", chunks: Sequence[FloatArray], rounds: int, clock: Clock) -> Times:
    """Time the driver on one chunk at a time: microseconds."""
    from sparsenet.lowering.arena import aligned_scratch

    program, driver = engine.program, serial_driver()
    scratch = aligned_scratch(program.scratch_bytes)
    samples = len(chunks[0])
    y = np.empty((samples, prod(engine.network.output_shape)), np.float32)
    flat = [chunk.reshape(samples, -1) for chunk in chunks]
    sizes = flat[0].shape[1], y.shape[1], samples
    table = program_table(program.steps, program.input_bytes, program.output_bytes, *sizes)
    places = address_of(table), address_of(scratch)
    times = np.empty(rounds)
    for turn in range(rounds):
        start = clock()
        driver(flat[turn % len(flat)], y, *places)
        times[turn] = clock() - start
    return times / 1e3


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
