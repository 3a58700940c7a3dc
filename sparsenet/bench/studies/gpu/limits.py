"""Which limit binds where complementary sets lose or win: a rule of thumb on what was measured and counted."""

from collections.abc import Mapping
from typing import Any

from sparsenet.bench.studies.gpu.forms import FORMS
from sparsenet.bench.studies.gpu.peers import DENSE

__all__ = ["advantage", "best_of", "binding"]

Record = Mapping[str, Any]

NEAR_LAUNCH = 1.5
NEAR_MEMORY = 0.5


def best_of(point: Record, names: Any) -> tuple[str, float] | None:
    """Return the fastest of some contenders and its median in microseconds; None where none was timed."""
    timed = {
        name: point["contenders"][name]["time"]["median_us"]
        for name in names
        if "time" in point["contenders"].get(name, {})
    }
    return min(timed.items(), key=lambda pair: pair[1]) if timed else None


def advantage(point: Record, against: Any = DENSE) -> float | None:
    """Return how many times as fast the best form is as the best of the others; None without times.

    Examples
    --------
    >>> timed = {"sets": {"time": {"median_us": 2.0}}, "cuBLAS float32": {"time": {"median_us": 6.0}}}
    >>> advantage({"contenders": timed})
    3.0
    """
    ours, theirs = best_of(point, FORMS), best_of(point, against)
    return None if ours is None or theirs is None else theirs[1] / ours[1]


def binding(point: Record, limits: Record) -> str:
    """Say in a word or two what holds the best form back.

    "launch": it takes no more than 1.5 times an empty kernel. "memory": what it asks for would take at least half of
    its time to copy. "tensor cores": the float32 cores lose as well, only the matrix units win. "routing": what is
    left, reading, adding and writing where the weights say.
    """
    ours = best_of(point, FORMS)
    if ours is None:
        return ""
    name, time_us = ours
    if time_us <= NEAR_LAUNCH * limits["launch"]["device_us"]:
        return "launch"
    if point["contenders"][name]["bytes"] / limits["copy_bytes_per_s"] * 1e6 >= NEAR_MEMORY * time_us:
        return "memory"
    plain, best = best_of(point, DENSE[:1]), best_of(point, DENSE)
    if plain and best and best[1] < time_us <= plain[1]:
        return "tensor cores"
    return "routing"
