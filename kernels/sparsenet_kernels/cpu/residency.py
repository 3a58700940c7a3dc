"""Run a program sample by sample, with caches as they are or with something done to them before each sample.

    sample 0                      sample 1
    read / flush   | program |    read / flush   | program |   ...
                   ^ timed   ^                   ^ timed   ^

They are not registered: nothing runs them but the measurement of what caches are worth.
"""

from functools import cache

import numpy as np
from numba import njit, prange, types

from sparsenet_kernels.cache import KernelCache
from sparsenet_kernels.cpu.limits import READ_FLOATS, reads
from sparsenet_kernels.driver import FINISHED, run_samples
from sparsenet_kernels.forks import compiling
from sparsenet_kernels.jit import helper
from sparsenet_kernels.simd.timestamp_counter import LINE_BYTES, fence, flush_line, ticks

__all__ = ["count_ticks", "parallel_samples", "serial_samples"]


@njit(nogil=True)
def count_ticks():
    """Read the counter that the drivers below time samples with."""
    return ticks()


@helper
def flush_memory(places):
    """Flush all lines of each place (address, bytes), and wait until that is done."""
    for place in range(places.shape[0]):
        start = places[place, 0]
        for offset in range(0, places[place, 1], LINE_BYTES):
            flush_line(start + offset)
    if places.shape[0] > 0:
        fence()


def _sample_timer(variant):
    """Make the function that times samples one by one, in one thread."""
    read = reads(variant)

    @helper
    def time_samples(x, y, program, scratch, numbers, totals, places, first, times):
        for i in range(times.size):
            sample = (first + i) % x.shape[0]
            if numbers.size > 0:
                read(numbers, totals, 1)
            flush_memory(places)
            start = ticks()
            answer = run_samples(x, y, program, scratch, sample, sample + 1)
            times[i] = ticks() - start
            if answer != FINISHED:
                return answer
        return FINISHED

    return time_samples


def _timing_driver(variant):
    time_samples = _sample_timer(variant)
    floats = READ_FLOATS[variant]

    def time_all(x, y, program, scratch, scratch_bytes, numbers, places, first, times):
        answers = np.full(times.shape[0], FINISHED, np.int64)
        for worker in prange(times.shape[0]):
            own, totals = scratch + worker * scratch_bytes, np.empty(floats, np.float32)
            outputs, begin = y[worker], first + worker * x.shape[0] // times.shape[0]
            answers[worker] = time_samples(x, outputs, program, own, numbers, totals, places, begin, times[worker])
        for answer in answers:
            if answer != FINISHED:
                return answer
        return FINISHED

    return time_all


@cache
def serial_samples(variant):
    """Return the driver that times samples in the calling thread.

    Its arguments: inputs (n, D) float32; outputs (workers, n, N) float32; the address of the program's table,
    made for chunks of one sample; the address of the scratch memory, its bytes for one worker; numbers (m *
    READ_FLOATS,) float32 that are read before each sample, none where m = 0; places (p, 2) int64, address and bytes,
    that are flushed before each sample; the first sample's input; times (workers, samples) int64, overwritten, in
    ticks. It answers what the engine's driver answers.
    """
    return _ready(njit(nogil=True, error_model="numpy")(_timing_driver(variant)), f"samples_serial_{variant}")


@cache
def parallel_samples(variant):
    """Return the driver that times samples on as many cores as there are workers, each its own samples, all at once."""
    return _ready(
        njit(nogil=True, error_model="numpy", parallel=True)(_timing_driver(variant)), f"samples_parallel_{variant}"
    )


def _ready(driver, name):
    floats, outputs = types.Array(types.float32, 2, "C"), types.Array(types.float32, 3, "C")
    pairs, numbers = types.Array(types.int64, 2, "C"), types.Array(types.float32, 1, "C")
    driver._cache = KernelCache(name)
    with compiling():
        driver.compile((floats, outputs, *[types.int64] * 3, numbers, pairs, types.int64, pairs))
    driver.disable_compile()
    return driver
