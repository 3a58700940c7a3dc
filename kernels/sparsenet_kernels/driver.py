"""The native driver: it takes samples in, walks the table of steps, and hands results out.

One call runs any program on any number of samples. Samples go through in chunks that share one piece of scratch memory,
small enough to stay in the caches and large enough to use each weight for several samples.
"""

from functools import cache

import numpy as np
from numba import njit, prange, types
from numba.extending import intrinsic

from sparsenet_kernels.cache import KernelCache
from sparsenet_kernels.jit import compiled
from sparsenet_kernels.native import array_at, call_step
from sparsenet_kernels.simd.ops import load_first, multiply_add, splat, store_first, sum_lanes

__all__ = ["FAILED", "FINISHED", "parallel_driver", "serial_driver"]

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


@compiled
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


@compiled
def run_samples(x, y, steps, scratch, place_in, place_out, chunk, first, last):
    """Run the samples from ``first`` to ``last``, one chunk after the other."""
    inputs, outputs = x.shape[1], y.shape[1]
    source = floats_at(scratch + place_in, chunk * inputs)
    results = floats_at(scratch + place_out, chunk * outputs)
    for start in range(first, last, chunk):
        count = min(chunk, last - start)
        if not copy_finite(x, start * inputs, source, 0, count * inputs):
            return start
        for step in range(steps.shape[0]):
            if call_step(steps[step, 0], steps[step, 1], scratch, count) != 1:
                return FAILED
        copy_finite(results, 0, y, start * outputs, count * outputs)
    return FINISHED


def _run_serial(x, y, steps, scratch, scratch_bytes, place_in, place_out, chunk, workers):
    return run_samples(x, y, steps, scratch, place_in, place_out, chunk, 0, x.shape[0])


def _run_parallel(x, y, steps, scratch, scratch_bytes, place_in, place_out, chunk, workers):
    answers = np.full(workers, FINISHED, np.int64)
    chunks = -(-x.shape[0] // chunk)
    for worker in prange(workers):
        first = chunks * worker // workers * chunk
        last = min(chunks * (worker + 1) // workers * chunk, x.shape[0])
        own = scratch + worker * scratch_bytes
        answers[worker] = run_samples(x, y, steps, own, place_in, place_out, chunk, first, last)
    for answer in answers:
        if answer != FINISHED:
            return answer
    return FINISHED


@cache
def serial_driver():
    """Return the driver that runs all samples in the calling thread.

    Its arguments: inputs (B, D) float32, outputs (B, N) float32, the program's steps (steps, 2) int64, the address of
    the scratch memory, its bytes for one worker, the offsets of input and output in it, samples per chunk, workers.
    It answers :data:`FINISHED`, :data:`FAILED`, or the first sample of a chunk whose input is not finite.
    """
    driver = njit(nogil=True, error_model="numpy")(_run_serial)
    return _ready(driver, "driver_serial")


@cache
def parallel_driver():
    """Return the driver that shares the chunks out among workers; it takes what :func:`serial_driver` takes."""
    driver = njit(nogil=True, error_model="numpy", parallel=True)(_run_parallel)
    return _ready(driver, "driver_parallel")


def _ready(driver, name):
    matrix, table = types.Array(types.float32, 2, "C"), types.Array(types.int64, 2, "C")
    driver._cache = KernelCache(name)
    driver.compile((matrix, matrix, table, *[types.int64] * 6))
    driver.disable_compile()
    return driver
