"""Find the bottleneck of some work: the limit of this core that takes the longest time."""

from collections.abc import Mapping

__all__ = ["ADDRESSES", "ARITHMETIC", "CALLS", "binding", "bytes_from", "together_us"]

ARITHMETIC, ADDRESSES, CALLS = "arithmetic", "scattered addresses", "call overhead"


def bytes_from(level: str) -> str:
    """Name the limit of reading from a memory level."""
    return f"{level} bytes"


def binding(parts_us: Mapping[str, float]) -> str:
    """Name the limit that binds: the larger of reading and of computing, which overlap, or the largest part of it.

    Parameters
    ----------
    parts_us : mapping of str to float
        Microseconds by limit; where there are none, nothing is named.

    Examples
    --------
    >>> binding({"arithmetic": 1.0, "scattered addresses": 3.0, "L2 bytes": 2.0, "call overhead": 0.1})
    'scattered addresses'
    """
    if not any(parts_us.values()):
        return ""
    reading, working = _sides(parts_us)
    longer = max(reading, working, key=lambda side: sum(side.values()))
    if parts_us.get(CALLS, 0.0) > sum(longer.values()):
        return CALLS
    return max(longer, key=longer.__getitem__)


def together_us(parts_us: Mapping[str, float]) -> float:
    """Add up the parts; reading overlaps with arithmetic and address computations.

    Examples
    --------
    >>> together_us({"arithmetic": 1.0, "scattered addresses": 3.0, "L2 bytes": 2.0, "call overhead": 0.5})
    4.5
    """
    return max(sum(side.values()) for side in _sides(parts_us)) + parts_us.get(CALLS, 0.0)


def _sides(parts_us: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Separate reading from the computations that overlap with it."""
    reading = {name: time_us for name, time_us in parts_us.items() if name.endswith(" bytes")}
    working = {name: parts_us.get(name, 0.0) for name in (ARITHMETIC, ADDRESSES)}
    return reading, working
