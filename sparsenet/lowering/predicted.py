"""The parts of a predicted time; the largest part is the bottleneck."""

from dataclasses import dataclass

__all__ = ["Cost"]


@dataclass(frozen=True)
class Cost:
    """A kernel's predicted time for one sample, in parts, all in microseconds.

    Attributes
    ----------
    arithmetic_us : float
        Multiplying, as fast as a tile of sums in registers would.
    addresses_us : float
        What looking places up adds to it: scattered sums, chosen inputs, lists of active ones.
    reading_us : float
        Reading the weights from beyond the first-level cache, at the same time as the others.
    call_us : float
        Calling the step at all.
    """

    arithmetic_us: float
    addresses_us: float
    reading_us: float
    call_us: float

    @property
    def us(self) -> float:
        """The whole time.

        Examples
        --------
        >>> Cost(arithmetic_us=1.0, addresses_us=0.5, reading_us=4.0, call_us=0.25).us
        4.25
        """
        return self.call_us + max(self.arithmetic_us + self.addresses_us, self.reading_us)
