"""The native driver: it takes samples in, walks the table of steps, and hands results out.

One call runs any program on any number of samples. Samples go through in chunks that share one piece of scratch memory,
small enough to stay in the caches and large enough to use each weight for several samples.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic

from sparsenet_kernels.cache import KernelCache
from sparsenet_kernels.forks import compiling
from sparsenet_kernels.jit import helper
from sparsenet_kernels.simd.ops import largest_lane, load_first, magnitudes, maximum, splat, store_first
from sparsenet_kernels.step_abi import array_at, call_step

__all__ = ["FAILED", "FINISHED", "TRIPPED", "Watches", "parallel_driver", "program_table", "serial_driver"]

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


@intrinsic
def floats_at(typing_context, address, size):
    """Give the array of ``size`` float32 at an address."""
    result = types.Array(types.float32, 1, "C")

    def emit(context, builder, signature, args):
        return array_at(context, builder, result, args[0], [args[1]])

    return result(types.int64, types.int64), emit


@intrinsic
def integers_at(typing_context, address, size):
    """Give the array of ``size`` int32 at an address."""
    result = types.Array(types.int32, 1, "C")

    def emit(context, builder, signature, args):
        return array_at(context, builder, result, args[0], [args[1]])

    return result(types.int64, types.int64), emit


@intrinsic
def word_at(typing_context, address, index):
    """Read the int64 number ``index`` of those from an address on."""

    def emit(context, builder, signature, args):
        words = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load(builder.gep(words, [context.cast(builder, args[1], signature.args[1], types.int64)]))

    return types.int64(types.int64, index), emit


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


def _run_serial(x, y, program, scratch):
    return run_samples(x, y, program, scratch, 0, x.shape[0])


def _run_parallel(x, y, program, scratch):
    chunk, scratch_bytes, workers = word_at(program, 6), word_at(program, 7), word_at(program, 8)
    answers = np.full(workers, FINISHED, np.int64)
    chunks = -(-x.shape[0] // chunk)
    for worker in prange(workers):
        first = chunks * worker // workers * chunk
        last = min(chunks * (worker + 1) // workers * chunk, x.shape[0])
        own = scratch + worker * scratch_bytes
        answers[worker] = run_samples(x, y, program, own, first, last)
    worst = FINISHED
    for answer in answers:
        if answer != FINISHED and (worst in (FINISHED, TRIPPED)):
            worst = answer
    return worst


def serial_driver(axes: int = 2):
    """Return the driver that runs all samples in the calling thread, for inputs of so many axes.

    Its arguments: inputs (B, ...) and outputs (B, N), float32 in C order, which it does not check; the address of a
    :func:`program_table`; the address of the scratch memory. It answers :data:`FINISHED`, :data:`TRIPPED`,
    :data:`FAILED`, or the first sample of a chunk with an input that is beyond the limit or not finite.

    It is the compiled function itself: Numba's dispatcher took 0.15 µs to find out that there is no other.
    """
    return _entry(_serial(axes))


def parallel_driver(axes: int = 2):
    """Return the driver that shares the chunks out among workers; it takes what :func:`serial_driver` takes."""
    return _entry(_parallel(axes))


@cache
def _serial(axes):
    return _ready(njit(nogil=True, error_model="numpy")(_run_serial), f"driver_serial_{axes}", axes)


@cache
def _parallel(axes):
    driver = njit(nogil=True, error_model="numpy", parallel=True)(_run_parallel)
    return _ready(driver, f"driver_parallel_{axes}", axes)


def _ready(driver, name, axes):
    inputs, outputs = (types.Array(types.float32, count, "C") for count in (axes, 2))
    driver._cache = KernelCache(name)
    with compiling():
        driver.compile((inputs, outputs, types.int64, types.int64))
    driver.disable_compile()
    return driver


def _entry(driver):
    (compiled_once,) = driver.overloads.values()
    return compiled_once.entry_point
