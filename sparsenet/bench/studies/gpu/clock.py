"""Timing on the device: events around calls that wait in its queue behind other work.

Launching takes the host longer than a small kernel runs. So a kernel that only spins goes first; while it does, the
start event, the calls and the end event are queued. What lies between the events is then the device's time alone. What
the host adds, one launch after the other, is reported by itself: it is what a single call costs.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sparsenet.timing import repeat_until

__all__ = ["Time", "copy_bytes_per_s", "device_time", "launch_time"]

SPIN_MS = 4.0
CALLS = 10
"""Calls between two events: few enough that the host has queued them before the spinning ends."""

ROUND_MS, LEAST_ROUNDS = 20.0, 3
"""What a round should take at most, and how many there are of calls that take longer."""


@dataclass(frozen=True)
class Time:
    """Times of one call, in microseconds: median of all rounds, and the tenth and ninetieth of a hundred."""

    median_us: float
    p10_us: float
    p90_us: float

    def to_dict(self) -> dict[str, float]:
        """Give everything by its name, ready for JSON."""
        return asdict(self)


def device_time(call: Callable[[int], object], rounds: int = 11, calls: int = CALLS) -> Time:
    """Time calls on the device; slow ones less often.

    Parameters
    ----------
    call : callable
        Queues one call on the default stream; its number says which inputs take their turn.
    rounds, calls : int
        At most so many, of so many calls each.
    """
    call(0)  # compiles, and fills caches and pools
    once_ms = _round_ms(call, 1, 1)
    calls = max(1, min(calls, int(ROUND_MS / max(once_ms, 1e-3))))
    rounds = rounds if once_ms < ROUND_MS else LEAST_ROUNDS
    times = [1e3 * _round_ms(call, turn * calls, calls) / calls for turn in range(rounds)]
    return Time(*(float(number) for number in np.percentile(times, [50, 10, 90])))


def _round_ms(call: Callable[[int], object], first: int, calls: int) -> float:
    """Queue calls behind the spinning, and return the milliseconds that the device took for all of them."""
    from sparsenet_kernels.cuda.api import cuda

    start, end = cuda.event(), cuda.event()
    _spin()
    start.record()
    for index in range(first, first + calls):
        call(index)
    end.record()
    end.synchronize()
    took_ms: float = start.elapsed_time(end)
    return took_ms


def launch_time(rounds: int = 200) -> dict[str, float]:
    """Measure what a launch costs at least: on the device, and on the host that waits for each."""
    from sparsenet_kernels.cuda.api import cuda

    memory, wait = cuda.device_array(1, np.float32), _spinner()
    on_device = device_time(lambda index: wait[1, 1](memory, 0))

    def launched(index: int) -> None:
        wait[1, 1](memory, 0)
        cuda.synchronize()

    _, lasted_s = repeat_until(launched, lambda calls, _: calls >= rounds)
    return {"device_us": on_device.median_us, "host_us": lasted_s / rounds * 1e6}


def copy_bytes_per_s(size_bytes: int = 2**28) -> float:
    """Measure the memory: bytes read and written a second by a copy on the device."""
    from sparsenet_kernels.cuda.api import cuda

    source, target = cuda.device_array(size_bytes, np.uint8), cuda.device_array(size_bytes, np.uint8)
    found = device_time(lambda index: target.copy_to_device(source), rounds=5)
    return 2 * size_bytes / (found.median_us * 1e-6)


def _spin() -> None:
    memory, steps = _spinning()
    _spinner()[1, 1](memory, steps)


@lru_cache(maxsize=1)
def _spinning() -> tuple[Any, int]:
    """Find how many steps spin long enough, by the device's own clock."""
    from sparsenet_kernels.cuda.api import cuda

    memory, steps = cuda.device_array(1, np.float32), 100_000
    _spinner()[1, 1](memory, steps)
    start, end = cuda.event(), cuda.event()
    start.record()
    _spinner()[1, 1](memory, steps)
    end.record()
    end.synchronize()
    return memory, max(1, int(steps * SPIN_MS / start.elapsed_time(end)))


@lru_cache(maxsize=1)
def _spinner() -> Any:
    from sparsenet_kernels.cuda.api import cuda

    def spin(memory: Any, steps: int) -> None:
        total = memory[0]
        for _ in range(steps):
            total = total * np.float32(0.5) + np.float32(1.0)
        memory[0] = total

    return cuda.jit(spin)
