"""The native driver: it takes samples in, walks the table of steps, and hands results out.

One call runs any program on any number of samples. Samples go through in chunks that share one piece of scratch memory,
small enough to stay in the caches and large enough to use each weight for several samples.
"""

from functools import cache

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic

from sparsenet_kernels.cache import KernelCache
from sparsenet_kernels.forks import compiling
from sparsenet_kernels.jit import helper
from sparsenet_kernels.native import array_at, call_step
from sparsenet_kernels.simd.ops import load_first, multiply_add, splat, store_first, sum_lanes

__all__ = ["FAILED", "FINISHED", "parallel_driver", "program_table", "serial_driver"]

FINISHED = -1
"""The driver's answer when all is well. Zero or more: the first sample of a chunk that holds NaN or infinity."""

FAILED = -2
"""The driver's answer when a step failed, which only bounds checks make it do."""


@intrinsic
def floats_at(typing_context, address, size):
    """Give the array of ``size`` float32 at an address."""
    result = types.Array(types.float32, 1, "C")

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
def copy_finite(x, start, out, place, size):
    """Copy numbers; tell whether all of them are finite."""
    zero = splat(np.float32(0.0))
    total = zero
    for j in range(0, size, 16):
        count = min(16, size - j)
        numbers = load_first(x, start + j, count, 0.0)
        store_first(out, place + j, numbers, count)
        total = multiply_add(numbers, zero, total)  # NaN as soon as one number is NaN or infinite
    return sum_lanes(total) == 0.0


@helper
def run_samples(x, y, program, scratch, first, last):
    """Run the samples from ``first`` to ``last``, one chunk after the other."""
    steps, count, place_in, place_out, inputs, outputs, chunk = words_of(program)
    source = floats_at(scratch + place_in, chunk * inputs)
    results = floats_at(scratch + place_out, chunk * outputs)
    for start in range(first, last, chunk):
        samples = min(chunk, last - start)
        if not copy_finite(x, start * inputs, source, 0, samples * inputs):
            return start
        for step in range(count):
            if call_step(word_at(steps, 2 * step), word_at(steps, 2 * step + 1), scratch, samples) != 1:
                return FAILED
        copy_finite(results, 0, y, start * outputs, samples * outputs)
    return FINISHED


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

    Returns
    -------
    array of int64
    """
    settings = len(steps), place_in, place_out, inputs, outputs, chunk, scratch_bytes, workers
    return np.array([steps.ctypes.data, *settings], np.int64)


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
    for answer in answers:
        if answer != FINISHED:
            return answer
    return FINISHED


def serial_driver(axes: int = 2):
    """Return the driver that runs all samples in the calling thread, for inputs of so many axes.

    Its arguments: inputs (B, ...) and outputs (B, N), float32 in C order, which it does not check; the address of a
    :func:`program_table`; the address of the scratch memory. It answers :data:`FINISHED`, :data:`FAILED`, or the first
    sample of a chunk whose input is not finite.

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
