"""What one core can do at most, as data: its clock, its multiply-adds, its reading from each level of memory."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """What one core can do at most.

    Attributes
    ----------
    clock_hz : float
        Instructions per second when each waits for the one before.
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
        """Name the nearest level of memory that holds so many bytes.

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
