"""The native driver: it takes samples in, walks the table of steps, and hands results out.

One call runs any program on any number of samples. Samples go through in chunks that share one piece of scratch memory,
small enough to stay in the caches and large enough to use each weight for several samples.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit, prange, types

from sparsenet_kernels.cache import KernelCache
from sparsenet_kernels.forks import compiling
from sparsenet_kernels.jit import helper
from sparsenet_kernels.memory_views import floats_at, integers_at, word_at
from sparsenet_kernels.simd.ops import largest_lane, load_first, magnitudes, maximum, splat, store_first
from sparsenet_kernels.step_abi import call_step

__all__ = [
    "FAILED",
    "FINISHED",
    "TRIPPED",
    "Watches",
    "copy_numbers",
    "entry",
    "mark_tripped",
    "parallel_driver",
    "program_table",
    "ready",
    "serial_driver",
    "share_of",
    "worst_of",
]

FINISHED = -1
"""The driver's answer when all is well. Zero or more: the first sample of a chunk with an input beyond the limit."""

FAILED = -2
"""The driver's answer when a step failed, which only bounds checks make it do."""

TRIPPED = -3
"""The driver's answer when a watch found values beyond its limit: the first number of such samples' answers is NaN."""

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Watches:
    """What a driver looks at besides running steps.

    Attributes
    ----------
    limit : float
        The largest input, signs aside; every finite float32 when left out.
    place : int
        Where in the scratch memory the trips of a program's watches begin, in bytes: (chunk, count) int32.
    count : int
        Watches in the program.
    """

    limit: float = LARGEST
    place: int = 0
    count: int = 0


@helper
def copy_numbers(x, start, out, place, size):
    """Copy numbers; return the largest, signs aside, by its bits: NaN and infinity are larger than all others."""
    largest = splat(np.int32(0))
    for j in range(0, size, 16):
        count = min(16, size - j)
        numbers = load_first(x, start + j, count, 0.0)
        store_first(out, place + j, numbers, count)
        largest = maximum(magnitudes(numbers), largest)
    return largest_lane(largest)


@helper
def mark_tripped(trips, samples, watches, y, first):
    """Put NaN at the begin of the answers of samples that tripped a watch; tell whether there are any."""
    found = False
    for i in range(samples):
        tripped = np.int32(0)
        for place in range(watches):
            tripped |= trips[i * watches + place]
        if tripped != 0:
            y[first + i, 0] = np.float32(np.nan)
            found = True
    return found


@helper
def run_samples(x, y, program, scratch, first, last):
    """Run the samples from ``first`` to ``last``, one chunk after the other."""
    steps, count, place_in, place_out, inputs, outputs, chunk = words_of(program)
    limit, watches = word_at(program, 9), word_at(program, 11)
    source = floats_at(scratch + place_in, chunk * inputs)
    results = floats_at(scratch + place_out, chunk * outputs)
    trips = integers_at(scratch + word_at(program, 10), chunk * watches)
    answer = FINISHED
    for start in range(first, last, chunk):
        samples = min(chunk, last - start)
        if copy_numbers(x, start * inputs, source, 0, samples * inputs) > limit:
            return start
        for step in range(count):
            if call_step(word_at(steps, 2 * step), word_at(steps, 2 * step + 1), scratch, samples) != 1:
                return FAILED
        copy_numbers(results, 0, y, start * outputs, samples * outputs)
        if watches > 0 and mark_tripped(trips, samples, watches, y, start):
            answer = TRIPPED
    return answer


@helper
def words_of(program):
    """Read the first seven words of a program's table."""
    return (
        word_at(program, 0),
        word_at(program, 1),
        word_at(program, 2),
        word_at(program, 3),
        word_at(program, 4),
        word_at(program, 5),
        word_at(program, 6),
    )


def program_table(
    steps: np.ndarray,
    place_in: int,
    place_out: int,
    inputs: int,
    outputs: int,
    chunk: int,
    scratch_bytes: int = 0,
    workers: int = 1,
    *,
    watches: Watches = Watches(),
) -> np.ndarray:
    """Write the table that drivers are given the address of; it must outlive their calls, and so must the steps.

    Parameters
    ----------
    steps : array (steps, 2), int64
        The address of each step, and of its arguments.
    place_in, place_out : int
        Where in the scratch memory input and output begin, in bytes.
    inputs, outputs : int
        Numbers of one sample.
    chunk : int
        Samples that go through the steps together.
    scratch_bytes, workers : int
        Scratch memory of one worker, and how many there are; for the parallel driver.
    watches : Watches
        The largest input, and where the program's watches write.

    Returns
    -------
    array of int64
    """
    settings = len(steps), place_in, place_out, inputs, outputs, chunk, scratch_bytes, workers
    limit = int(np.float32(watches.limit).view(np.int32))
    return np.array([steps.ctypes.data, *settings, limit, watches.place, watches.count], np.int64)


@helper
def share_of(program, samples, worker):
    """Say which samples a worker runs: whole chunks, from the first up to the last."""
    chunk, workers = word_at(program, 6), word_at(program, 8)
    chunks = -(-samples // chunk)
    return chunks * worker // workers * chunk, min(chunks * (worker + 1) // workers * chunk, samples)


@helper
def worst_of(answers):
    """Return what one driver answers for several workers: that of the first whose samples need more than a watch."""
    worst = FINISHED
    for answer in answers:
        if answer != FINISHED and (worst in (FINISHED, TRIPPED)):
            worst = answer
    return worst


def _run_serial(x, y, program, scratch):
    return run_samples(x, y, program, scratch, 0, x.shape[0])


def _run_parallel(x, y, program, scratch):
    scratch_bytes, workers = word_at(program, 7), word_at(program, 8)
    answers = np.full(workers, FINISHED, np.int64)
    for worker in prange(workers):
        first, last = share_of(program, x.shape[0], worker)
        answers[worker] = run_samples(x, y, program, scratch + worker * scratch_bytes, first, last)
    return worst_of(answers)


def serial_driver(axes: int = 2):
    """Return the driver that runs all samples in the calling thread, for inputs of so many axes.

    Its arguments: inputs (B, ...) and outputs (B, N), float32 in C order, which it does not check; the address of a
    :func:`program_table`; the address of the scratch memory. It answers :data:`FINISHED`, :data:`TRIPPED`,
    :data:`FAILED`, or the first sample of a chunk with an input that is beyond the limit or not finite.

    It is the compiled function itself: Numba's dispatcher took 0.15 µs to find out that there is no other.
    """
    return entry(_serial(axes))


def parallel_driver(axes: int = 2):
    """Return the driver that shares the chunks out among workers; it takes what :func:`serial_driver` takes."""
    return entry(_parallel(axes))


@cache
def _serial(axes):
    return ready(njit(nogil=True, error_model="numpy")(_run_serial), f"driver_serial_{axes}", _arrays(axes))


@cache
def _parallel(axes):
    driver = njit(nogil=True, error_model="numpy", parallel=True)(_run_parallel)
    return ready(driver, f"driver_parallel_{axes}", _arrays(axes))


def _arrays(axes):
    return [types.Array(types.float32, count, "C") for count in (axes, 2)]


def ready(driver, name, given):
    """Compile a driver that takes what is given, a program and scratch memory, or read it from the cache."""
    driver._cache = KernelCache(name)
    with compiling():
        driver.compile((*given, types.int64, types.int64))
    driver.disable_compile()
    return driver


def entry(driver):
    """Return the compiled function itself."""
    (compiled_once,) = driver.overloads.values()
    return compiled_once.entry_point
