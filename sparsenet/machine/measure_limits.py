"""Measure the highest rates of one core of this machine, with kernels that only compute or only read."""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sparsenet.machine.available import available_bytes
from sparsenet.machine.core_limits import Limits
from sparsenet.machine.facts import Machine, machine

__all__ = ["LARGEST_BYTES", "measure_limits"]

Floats = npt.NDArray[np.float32]
Clock = Callable[[], int]
Tell = Callable[[str], object]

READINGS, FEWEST_READINGS, LONGEST_NS = 40, 8, 120_000_000
READING_NS = 1_000_000
"""About how long one reading lasts. The shortest of many readings counts: no other process interrupted it."""

DEPTH = 64

LARGEST_BYTES = 2**30
"""At most so much memory is read to measure memory; at best it is twice the last cache. Reading 512 MiB beside a shared
cache of 480 MiB gave the same rate as reading 960 MiB (16.7 and 16.8 GB/s), but that was not known beforehand; the
larger reading takes a second longer."""


def measure_limits(
    tell: Tell = lambda step: None, clock: Clock = time.perf_counter_ns, largest_bytes: int = LARGEST_BYTES
) -> Limits:
    """Measure what one core can do at most.

    Parameters
    ----------
    tell : callable
        Is told what is measured next.
    clock : callable
        Gives nanoseconds.
    largest_bytes : int
        Memory that may be read to measure memory.

    Returns
    -------
    Limits
    """
    here = machine()
    variant = here.register_width
    tell("clock")
    clock_hz = _clock_hz(clock)
    tell("multiply-adds")
    rate = _multiply_adds_per_s(variant, clock)
    tell("multiply-adds of bytes")
    byte_rates = _byte_multiply_adds_per_s(variant, clock)
    sizes = _level_bytes(here, largest_bytes)
    rates = {}
    for level, (_, read_bytes) in sizes.items():
        tell(f"reading {level}")
        rates[level] = _read_bytes_per_s(variant, read_bytes, clock)
    return Limits(clock_hz, rate, rates, {level: holds for level, (holds, _) in sizes.items()}, byte_rates)


def _level_bytes(here: Machine, largest_bytes: int) -> dict[str, tuple[int, int]]:
    """Give the size of each level and how much is read to measure it: it fits there, but not into the nearer level."""
    first, second = here.assumed_l1d_bytes, here.assumed_l2_bytes
    sizes = {"L1": (first, first // 2), "L2": (second, max(second // 2, 2 * first))}
    last = second
    if here.l3_bytes:
        last = here.l3_bytes
        # a shared cache is rarely all ours
        sizes["L3"] = (last, max(min(last // 4, 8 * second), 2 * second))
    left = available_bytes()  # which may be 0
    far = max(2**24, min(2 * last, largest_bytes, 2**29 if left is None else left // 4))
    return sizes | {"memory": (far, far)}


def _clock_hz(clock: Clock) -> float:
    from sparsenet_kernels.cpu.limits import CHAIN_CYCLES, follow_chain

    return CHAIN_CYCLES * _turns_per_s(lambda turns: follow_chain(88172645463325252, turns), clock)


def _multiply_adds_per_s(variant: str, clock: Clock) -> float:
    from sparsenet_kernels.cpu.limits import TILES, multiply_adds

    rows, vectors = TILES[variant]
    kernel = multiply_adds(variant)  # type: ignore[no-untyped-call]
    scales, numbers = _aligned_zeros(rows * DEPTH), _aligned_zeros(DEPTH * 16 * vectors)
    out = _aligned_zeros(rows * 16 * vectors)
    return DEPTH * out.size * _turns_per_s(lambda turns: kernel(scales, numbers, out, turns), clock)


def _byte_multiply_adds_per_s(variant: str, clock: Clock) -> dict[str, float]:
    from sparsenet_kernels.cpu.limits import TILE_PRODUCTS, TILES, byte_multiply_adds, tile_multiply_adds

    rows, vectors = TILES[variant]
    kernel = byte_multiply_adds(variant)  # type: ignore[no-untyped-call]
    inputs, weights = _aligned_zeros(rows * DEPTH).view(np.uint8), _aligned_zeros(DEPTH * 16 * vectors).view(np.int8)
    sums = np.zeros(16, np.int32)
    work = DEPTH * rows * vectors * 64
    rates = {"bytes": work * _turns_per_s(lambda turns: kernel(inputs, weights, sums, turns), clock)}
    if machine().has_byte_tiles:
        left, right = _aligned_zeros(512).view(np.uint8), _aligned_zeros(512).view(np.int8)
        tiles = np.zeros(1024, np.int32)
        rates["tiles"] = TILE_PRODUCTS * _turns_per_s(lambda t: tile_multiply_adds(left, right, tiles, t), clock)
    return rates


def _read_bytes_per_s(variant: str, size_bytes: int, clock: Clock) -> float:
    from sparsenet_kernels.cpu.limits import READ_FLOATS, reads

    kernel, floats = reads(variant), READ_FLOATS[variant]  # type: ignore[no-untyped-call]
    numbers = _aligned_zeros(max(1, size_bytes // 4 // floats) * floats)
    out = _aligned_zeros(floats)
    return numbers.nbytes * _turns_per_s(lambda turns: kernel(numbers, out, turns), clock)


def _aligned_zeros(size: int) -> Floats:
    """Allocate zeros at the start of a cache line. They are written, since memory never written is one shared page."""
    block = np.empty(size + 16, np.float32)
    start = -block.ctypes.data % 64 // 4
    block.fill(0.0)
    return block[start : start + size]


def _turns_per_s(run: Callable[[int], object], clock: Clock) -> float:
    """Find how many turns make a reading long enough, then use the shortest of several readings."""
    run(1)  # compiles
    turns = 1
    while (lasted_ns := _reading_ns(run, turns, clock)) < READING_NS / 4 and turns < 2**40:
        turns *= 4
    readings = int(min(READINGS, max(FEWEST_READINGS, LONGEST_NS / max(lasted_ns, 1))))
    turns = max(1, int(turns * READING_NS / max(lasted_ns, 1)))
    shortest_ns = min(_reading_ns(run, turns, clock) for _ in range(readings))
    return turns / max(shortest_ns, 1) * 1e9


def _reading_ns(run: Callable[[int], object], turns: int, clock: Clock) -> int:
    start = clock()
    run(turns)
    return clock() - start
