"""Time an engine's samples one by one in native code, with caches as they are or displaced before each sample."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sparsenet.engine.engine import converted
from sparsenet.engine.threads import parallel_turn
from sparsenet.errors import SparsenetError
from sparsenet.lowering.arena import aligned_scratch
from sparsenet.machine.available import available_bytes
from sparsenet.machine.facts import Machine, machine
from sparsenet.machine.threading_layer import has_tbb
from sparsenet.tables import as_size
from sparsenet_kernels.driver import FINISHED, program_table
from sparsenet_kernels.simd.timestamp_counter import can_flush
from sparsenet_kernels.step_abi import address_of

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["Condition", "SampleTimer", "conditions", "displacer", "here_conditions", "ticks_per_s"]

FloatArray = npt.NDArray[np.float32]
Ticks = npt.NDArray[np.int64]
Clock = Callable[[], int]

LARGEST_BYTES = 2**30
"""Read to displace the last cache, at most; each sample waits for it."""

ENOUGH = 1.5
"""Reading this many times what a cache holds is taken to displace it."""

CALIBRATION_NS = 20_000_000


@dataclass(frozen=True)
class Condition:
    """What happens before each sample.

    Attributes
    ----------
    name : str
    read_bytes : int
        Of other memory, read from end to end.
    flushes : bool
        Whether the network's own memory is flushed from all caches.
    text : str
        What that does, and what it does not.
    """

    name: str
    read_bytes: int
    flushes: bool
    text: str


def conditions(here: Machine, flushing: bool, largest_bytes: int = LARGEST_BYTES) -> tuple[Condition, ...]:
    """Say what can be done to the caches of a machine before each sample.

    Parameters
    ----------
    here : Machine
    flushing : bool
        Whether its processor lets programs flush cache lines.
    largest_bytes : int
        Memory that may be read.

    Returns
    -------
    tuple of Condition
        The first leaves the caches as they are.

    Examples
    --------
    >>> [condition.name for condition in conditions(machine(), flushing=False)][0]
    'hot'
    """
    near_bytes = here.assumed_l2_bytes
    found = [
        Condition("hot", 0, False, "one sample after the other, each on another input"),
        Condition(
            "L2 displaced", 4 * near_bytes, False, f"{as_size(4 * near_bytes)} of other memory read before each sample"
        ),
    ]
    last_bytes = here.l3_bytes
    wanted = 2 * (last_bytes or 32 * near_bytes)
    affordable = min(largest_bytes, (here.memory_bytes or 2**32) // 8)
    read_bytes = min(wanted, affordable)
    if read_bytes > 4 * near_bytes:
        found.append(Condition("L3 displaced", read_bytes, False, _last_text(read_bytes, last_bytes)))
    if flushing:
        text = "weights, tables, working memory and inputs flushed from all caches, so they come from memory"
        found.append(Condition("flushed", 0, True, text))
    return tuple(found)


def _last_text(read_bytes: int, last_bytes: int | None) -> str:
    text = f"{as_size(read_bytes)} of other memory read before each sample"
    if last_bytes is None:
        return f"{text}; the machine does not say how large its last cache is"
    if read_bytes < ENOUGH * last_bytes:
        return (
            f"{text}, which does not displace an L3 of {as_size(last_bytes)}: some of the network may have stayed in it"
        )
    return (
        f"{text}, {read_bytes / last_bytes:.1f} times the L3; a cache that keeps what is used often may have kept some"
    )


def displacer(size_bytes: int) -> FloatArray:
    """Make memory to read, written so that it is really there: (m,) float32, whole turns of the reading loop."""
    from sparsenet_kernels.cpu.limits import READ_FLOATS

    floats = READ_FLOATS[machine().register_width]
    numbers: FloatArray = aligned_scratch(4 * floats * (size_bytes // 4 // floats)).view(np.float32)
    numbers.fill(1.0)
    return numbers


def ticks_per_s(clock: Clock = time.perf_counter_ns) -> float:
    """Find how fast the counter counts that samples are timed with."""
    from sparsenet_kernels.cpu.residency import count_ticks

    count_ticks()  # compiles
    began_ns, began = clock(), count_ticks()
    while (lasted_ns := clock() - began_ns) < CALIBRATION_NS:
        pass
    return float((count_ticks() - began) / lasted_ns * 1e9)


class SampleTimer:
    """An engine whose samples are timed one by one, on one core or on several at once.

    Parameters
    ----------
    engine : Engine
    x : array (n, *input_shape)
        Inputs that take turns.
    cores : int
        Each runs samples of its own, with working memory of its own; they share the weights.
    """

    def __init__(self, engine: "Engine", x: npt.ArrayLike, cores: int = 1) -> None:
        shape, size = engine.network.input_shape, prod(engine.network.output_shape)
        given = converted(x, shape)
        if not len(given):
            raise SparsenetError("expected at least one input, got none")
        self.cores = cores
        self._program = engine.program
        self._x = given.reshape(len(given), -1)
        self._y = np.zeros((cores, len(given), size), np.float32)
        self._scratch = aligned_scratch(self._program.scratch_bytes * cores)
        places = self._program.input_bytes, self._program.output_bytes
        self._table = program_table(self._program.steps, *places, self._x.shape[1], size, chunk=1)
        self._run = _driver(cores)
        self._first = 0

    @property
    def outputs(self) -> FloatArray:
        """What the cores computed: (cores, n, N); zeros for inputs whose turn has not come."""
        return self._y

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights as the kernels read them."""
        return sum(array.nbytes for array in self._program.constants)

    def time(self, condition: Condition, numbers: FloatArray, samples: int) -> Ticks:
        """Run samples on every core under a condition: (cores, samples) ticks of the native counter.

        Parameters
        ----------
        condition : Condition
        numbers : array of float32
            What :func:`displacer` made; as many of them are read as the condition says.
        samples : int
        """
        from sparsenet_kernels.cpu.limits import READ_FLOATS

        floats = READ_FLOATS[machine().register_width]
        read = numbers[: condition.read_bytes // 4 // floats * floats]
        places = self._places() if condition.flushes else np.empty((0, 2), np.int64)
        times = np.zeros((self.cores, samples), np.int64)
        own = address_of(self._table), address_of(self._scratch), self._program.scratch_bytes
        with parallel_turn() as allowed:
            if self.cores > 1 and not allowed:
                raise SparsenetError("expected to be the only one to use Numba's threads, but another thread does")
            answer = self._run(self._x, self._y, *own, read, places, self._first, times)
        if answer != FINISHED:
            raise SparsenetError("expected finite inputs, got NaN or infinity")
        self._first = (self._first + samples) % len(self._x)
        return times

    def _places(self) -> Ticks:
        """List the memory that one sample touches: (places, 2) addresses and bytes."""
        program = self._program
        arrays = [*program.constants, program.words, program.steps, self._table, self._scratch, self._x]
        return np.array([(address_of(array), array.nbytes) for array in arrays], np.int64)


def _driver(cores: int) -> Callable[..., int]:
    from sparsenet_kernels.cpu.residency import parallel_samples, serial_samples

    if cores == 1:
        serial: Callable[..., int] = serial_samples(machine().register_width)
        return serial
    has_tbb()  # which loads it from where pip puts it, if it is there
    with parallel_turn():
        parallel: Callable[..., int] = parallel_samples(machine().register_width)
    return parallel


def here_conditions() -> tuple[Condition, ...]:
    """Say what can be done to the caches of this machine."""
    left = available_bytes()  # which may be 0
    return conditions(machine(), can_flush(), LARGEST_BYTES if left is None else min(LARGEST_BYTES, left // 4))
