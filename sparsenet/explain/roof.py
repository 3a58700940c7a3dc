"""The least time that work can take on one core: its multiply-adds, or the bytes it reads, whichever takes longer.

rate ▲          ______________  multiply-adds in registers
     │        /
     │      /   reading from the level that holds the network
     └──────────────────────▶   multiplications for each byte
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sparsenet.machine.limits import Limits

__all__ = ["Roof", "roof"]


@dataclass(frozen=True)
class Roof:
    """The least time that some work can take.

    Attributes
    ----------
    arithmetic_us, reading_us : float
        For the multiply-adds alone, for the bytes alone.
    """

    arithmetic_us: float
    reading_us: float

    @property
    def least_us(self) -> float:
        """The longer of the two: a core does both at once."""
        return max(self.arithmetic_us, self.reading_us)


def roof(multiplications: int, read_bytes: Mapping[str, int], limits: Limits, unit: str = "float32") -> Roof:
    """Find the least time that work can take on one core.

    Parameters
    ----------
    multiplications : int
    read_bytes : mapping of str to int
        By the memory level that they come from, a key of ``limits.read_bytes_per_s``.
    limits : Limits
    unit : {"float32", "bytes", "tiles"}
        What multiplies. Where its rate is not known, only reading limits.

    Examples
    --------
    >>> limits = Limits(4e9, 1e11, {"L1": 4e11, "memory": 1e10}, {"L1": 2**15, "memory": 2**28})
    >>> found = roof(1_000_000, {"L1": 400_000, "memory": 4_000_000}, limits)
    >>> round(found.arithmetic_us), round(found.reading_us)
    (10, 401)
    """
    rate = limits.rate_of(unit)
    arithmetic_us = 0.0 if rate is None else multiplications / rate * 1e6
    reading_us = sum(size / limits.read_bytes_per_s[level] for level, size in read_bytes.items()) * 1e6
    return Roof(arithmetic_us, reading_us)
