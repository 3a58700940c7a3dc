"""What one core of this machine can do at most, measured: its clock, multiply-adds, reading from each memory level.

Measured once, in a second or two, and kept as JSON beside the compiled kernels; another CPU model, other features or
other caches are another machine.
"""

import hashlib
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.machine.available import available_bytes
from sparsenet.machine.facts import Machine, machine
from sparsenet.progress import telling
from sparsenet_kernels.cache import cache_directory

__all__ = ["Limits", "kept_limits", "limits", "limits_anew", "measure_limits"]

Floats = npt.NDArray[np.float32]
Clock = Callable[[], int]
Tell = Callable[[str], object]

READINGS, FEWEST_READINGS, LONGEST_NS = 40, 8, 120_000_000
READING_NS = 1_000_000
"""About how long one reading lasts; the shortest of many counts, which nobody else interrupted."""

DEPTH = 64
L1_BYTES, L2_BYTES = 2**15, 2**20
"""Used where the machine does not say how large its caches are."""

LARGEST_BYTES = 2**30
"""Memory that is read to measure memory, at most: twice the last cache. Reading 512 MiB beside a shared cache of 480
gave the same rate as 960 (16.7 and 16.8 GB/s), but nobody could know that; it takes a second longer."""


@dataclass(frozen=True)
class Limits:
    """What one core can do at most.

    Attributes
    ----------
    clock_hz : float
        Instructions a second that each wait for the one before.
    multiply_adds_per_s : float
        Float32 multiply-adds a second, in registers.
    read_bytes_per_s : mapping of str to float
        Reading from end to end, by memory level, the nearest first: ``L1``, ``L2``, ``L3``, ``memory``; levels that the
        machine does not name are left out.
    level_bytes : mapping of str to int
        What fits into each cache; for memory, how much of it was read.
    byte_multiply_adds_per_s : mapping of str to float
        Multiply-adds of unsigned with signed bytes a second, in registers: ``bytes`` with vectors (VNNI and the like),
        ``tiles`` with matrix tiles (AMX) where this process may use them.
    """

    clock_hz: float
    multiply_adds_per_s: float
    read_bytes_per_s: Mapping[str, float]
    level_bytes: Mapping[str, int]
    byte_multiply_adds_per_s: Mapping[str, float] = field(default_factory=dict)

    def rate_of(self, unit: str) -> float | None:
        """Give the multiply-adds a second of "float32", "bytes" or "tiles"; None where that was not measured.

        Examples
        --------
        >>> Limits(4e9, 1e11, {"memory": 1e10}, {"memory": 2**28}, {"bytes": 4e11}).rate_of("bytes")
        400000000000.0
        """
        return self.multiply_adds_per_s if unit == "float32" else self.byte_multiply_adds_per_s.get(unit)

    def level_for(self, size_bytes: int) -> str:
        """Name the nearest level that holds so much.

        Examples
        --------
        >>> Limits(4e9, 1e11, {"L1": 4e11, "memory": 1e10}, {"L1": 2**15, "memory": 2**28}).level_for(10**6)
        'memory'
        """
        caches = [name for name in self.read_bytes_per_s if name != "memory"]
        return next((name for name in caches if size_bytes <= self.level_bytes[name]), "memory")

    def to_dict(self) -> dict[str, Any]:
        """Give every attribute by its name, ready for JSON."""
        return asdict(self)


@cache
def limits() -> Limits:
    """Give this machine's limits: those that were kept, or newly measured ones.

    Examples
    --------
    >>> limits().multiply_adds_per_s > 0
    True
    """
    kept = kept_limits(machine())
    return _measured_and_kept() if kept is None else kept


def limits_anew() -> Limits:
    """Measure this machine's limits again, and keep them in place of those that were kept."""
    limits.cache_clear()
    return _measured_and_kept()


def _measured_and_kept() -> Limits:
    measured, path = _measured_visibly(), _path(machine())
    if path is not None:
        _keep(path, measured)
    return measured


def kept_limits(here: Machine) -> Limits | None:
    """Give the limits that were measured on such a machine and kept; None where nobody has measured them."""
    path = _path(here)
    return None if path is None else _read(path)


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
    variant = "wide" if here.vector_bits >= 512 else "narrow"
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


def _measured_visibly() -> Limits:
    """Measure, and say on a terminal or in a notebook what takes this second or two."""
    steps = itertools.count()
    with telling(progress=None) as tell:
        return measure_limits(lambda step: tell(next(steps), f"measuring this machine, once: {step}"))


def _level_bytes(here: Machine, largest_bytes: int) -> dict[str, tuple[int, int]]:
    """Give what each level holds and how much of it is read: little enough to stay, too much for the nearer level."""
    first = here.l1d_bytes or L1_BYTES
    second = here.l2_bytes or L2_BYTES
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
    from sparsenet_kernels.simd.amx import amx_available

    rows, vectors = TILES[variant]
    kernel = byte_multiply_adds(variant)  # type: ignore[no-untyped-call]
    inputs, weights = _aligned_zeros(rows * DEPTH).view(np.uint8), _aligned_zeros(DEPTH * 16 * vectors).view(np.int8)
    sums = np.zeros(16, np.int32)
    work = DEPTH * rows * vectors * 64
    rates = {"bytes": work * _turns_per_s(lambda turns: kernel(inputs, weights, sums, turns), clock)}
    if amx_available():  # type: ignore[no-untyped-call, unused-ignore]
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
    """Allocate zeros at a cache line, and write them: memory never written is one page, read again and again."""
    block = np.empty(size + 16, np.float32)
    start = -block.ctypes.data % 64 // 4
    block.fill(0.0)
    return block[start : start + size]


def _turns_per_s(run: Callable[[int], object], clock: Clock) -> float:
    """Find how many turns a reading needs, then let the shortest of several readings count."""
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


def _path(here: Machine) -> Path | None:
    """Say where the limits of such a machine are kept; None where nothing is kept."""
    kernels = cache_directory()
    if kernels is None:
        return None
    caches = here.l1d_bytes, here.l2_bytes, here.l3_bytes, here.memory_bytes, LARGEST_BYTES
    key = repr((here.model, here.architecture, here.llvm_name, here.features, here.vector_bits, caches))
    return kernels.parent / "limits" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"


def _read(path: Path) -> Limits | None:
    """Read what was kept; None where there is nothing, or nothing that can be true."""
    try:
        kept = json.loads(path.read_text(encoding="ascii"))
        rates = {str(name): _positive(rate) for name, rate in kept["read_bytes_per_s"].items()}
        sizes = {str(name): int(_positive(size)) for name, size in kept["level_bytes"].items()}
        if sizes.keys() != rates.keys() or "memory" not in rates:
            return None
        byte_rates = {str(name): _positive(rate) for name, rate in kept["byte_multiply_adds_per_s"].items()}
        clock_hz, rate = _positive(kept["clock_hz"]), _positive(kept["multiply_adds_per_s"])
        return Limits(clock_hz, rate, rates, sizes, byte_rates) if "bytes" in byte_rates else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _positive(value: Any) -> float:
    number = float(value)
    if not (isfinite(number) and number > 0):
        raise ValueError(f"expected a positive number, got {value}")
    return number


def _keep(path: Path, measured: Limits) -> None:
    """Write aside, then rename; where nothing can be written, the next process measures again."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(measured.to_dict(), file)
        os.replace(aside, path)
    except OSError:
        return
