"""The native driver for programs of several inputs or outputs, or of inputs that are not float32.

It walks the same table of steps as :mod:`sparsenet_kernels.driver`, in the same chunks; behind that table stands, for
each input and output, where it lies in the scratch memory, how large a sample of it is, and whether it is float32:

    │ steps, chunk, limit ... (12 words) │ inputs │ outputs │ place, bytes, is float │ place, bytes, is float │ ...
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit, prange, types

from sparsenet_kernels.driver import (
    FAILED,
    FINISHED,
    TRIPPED,
    copy_numbers,
    entry,
    mark_tripped,
    ready,
    share_of,
    worst_of,
)
from sparsenet_kernels.jit import helper
from sparsenet_kernels.memory_views import bytes_at, floats_at, integers_at, word_at
from sparsenet_kernels.step_abi import call_step

__all__ = ["End", "ends_table", "parallel_ends_driver", "serial_ends_driver"]


@dataclass(frozen=True)
class End:
    """An input or output of a program that has several, or others than float32.

    Attributes
    ----------
    place : int
        Where in the scratch memory it begins, in bytes.
    sample_bytes : int
        What one sample of it takes.
    is_float : bool
        Whether it holds float32, which are held against the limit.
    """

    place: int
    sample_bytes: int
    is_float: bool = True


ENDS = 12
"""Where in a program's table its ends are told: how many inputs and outputs, then three words for each of them."""


@helper
def copy_end(ends, program, scratch, number, start, samples, is_input):
    """Copy samples of an input in, or of an output out; return the largest number, signs aside, as its bits."""
    at = ENDS + 2 + 3 * number
    place, size, is_float = scratch + word_at(program, at), word_at(program, at + 1), word_at(program, at + 2)
    outside = word_at(ends, number) + start * size
    source, target = (outside, place) if is_input else (place, outside)
    if is_float != 0:
        count = samples * (size // 4)
        return copy_numbers(floats_at(source, count), 0, floats_at(target, count), 0, count)
    given, own = bytes_at(source, samples * size), bytes_at(target, samples * size)
    for i in range(samples * size):
        own[i] = given[i]
    return np.int32(0)


@helper
def run_samples_of_ends(ends, program, scratch, first, last):
    """Do what :func:`run_samples` does, for a program of any inputs and outputs."""
    steps, count, chunk = word_at(program, 0), word_at(program, 1), word_at(program, 6)
    limit, watches = word_at(program, 9), word_at(program, 11)
    inputs, outputs = word_at(program, ENDS), word_at(program, ENDS + 1)
    trips = integers_at(scratch + word_at(program, 10), chunk * watches)
    width = word_at(program, ENDS + 3 + 3 * inputs) // 4
    answers = floats_at(word_at(ends, inputs), last * width)
    answer = FINISHED
    for start in range(first, last, chunk):
        samples = min(chunk, last - start)
        for number in range(inputs):
            if copy_end(ends, program, scratch, number, start, samples, True) > limit:
                return start
        for step in range(count):
            if call_step(word_at(steps, 2 * step), word_at(steps, 2 * step + 1), scratch, samples) != 1:
                return FAILED
        for number in range(inputs, inputs + outputs):
            copy_end(ends, program, scratch, number, start, samples, False)
        if watches > 0 and mark_tripped(trips, samples, watches, answers.reshape((last, width)), start):
            answer = TRIPPED
    return answer


def ends_table(table: np.ndarray, inputs: Sequence[End], outputs: Sequence[End]) -> np.ndarray:
    """Complete a :func:`program_table` for drivers of any inputs and outputs; the first output is float32.

    Returns
    -------
    array of int64
    """
    words = [word for end in (*inputs, *outputs) for word in (end.place, end.sample_bytes, int(end.is_float))]
    return np.array([*table, len(inputs), len(outputs), *words], np.int64)


def _run_ends_serial(ends, samples, program, scratch):
    return run_samples_of_ends(ends, program, scratch, 0, samples)


def _run_ends_parallel(ends, samples, program, scratch):
    scratch_bytes, workers = word_at(program, 7), word_at(program, 8)
    answers = np.full(workers, FINISHED, np.int64)
    for worker in prange(workers):
        first, last = share_of(program, samples, worker)
        answers[worker] = run_samples_of_ends(ends, program, scratch + worker * scratch_bytes, first, last)
    return worst_of(answers)


def serial_ends_driver() -> Callable[..., int]:
    """Return the driver for programs of any inputs and outputs, that runs all samples in the calling thread.

    Its arguments, int64, none of which it checks: the address of an array of addresses, those of the inputs and then of
    the outputs, arrays (B, ...) in C order; B; the address of an :func:`ends_table`; the address of the scratch memory.
    It answers what :func:`serial_driver` answers.
    """
    return entry(_serial_ends())


def parallel_ends_driver() -> Callable[..., int]:
    """Return the driver that shares the chunks out among workers; it takes what :func:`serial_ends_driver` takes."""
    return entry(_parallel_ends())


@cache
def _serial_ends():
    return ready(njit(nogil=True, error_model="numpy")(_run_ends_serial), "driver_serial_ends", [types.int64] * 2)


@cache
def _parallel_ends():
    driver = njit(nogil=True, error_model="numpy", parallel=True)(_run_ends_parallel)
    return ready(driver, "driver_parallel_ends", [types.int64] * 2)
