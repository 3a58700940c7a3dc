"""A change to a layer or a network, with its predicted effect."""

from dataclasses import dataclass
from typing import Any

from sparsenet.renderer import as_record

__all__ = ["Advice", "as_time", "promised"]


def as_time(time_us: float) -> str:
    """Write microseconds with as many digits as are meaningful.

    Examples
    --------
    >>> as_time(1234.5), as_time(0.1), as_time(0.012), as_time(0.0001)
    ('1,234.50', '0.10', '0.012', '<0.001')
    """
    if time_us >= 0.0995 or time_us == 0:
        return f"{time_us:,.2f}"
    return f"{time_us:.3f}" if time_us >= 0.0005 else "<0.001"


@dataclass(frozen=True)
class Advice:
    """A change, with its predicted effect.

    Attributes
    ----------
    change : str
        In words.
    now_us, then_us : float
        Predicted for one sample, with the best kernel for each; or measured for now, where that was less.
    what : str
        What gets faster: "layer" or "network".
    measured : bool
        Whether ``now_us`` was measured: predictions do not know how few inputs ReLU leaves active.
    """

    change: str
    now_us: float
    then_us: float
    what: str = "layer"
    measured: bool = False

    @property
    def saved_us(self) -> float:
        """What it saves, for one sample."""
        return self.now_us - self.then_us

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return as_record(self, "text")

    @property
    def text(self) -> str:
        """The change and its times, in one sentence.

        Examples
        --------
        >>> Advice("a taps mask (24.0 % kept)", 4.0, 1.25).text
        'a taps mask (24.0 % kept) would make this layer 3.2 times faster, predicted: 1.25 µs instead of 4.00'
        """
        faster = f"{self.now_us / self.then_us:,.1f} times faster"
        times = f"{as_time(self.then_us)} µs instead of {as_time(self.now_us)}{' measured' if self.measured else ''}"
        return f"{self.change} would make this {self.what} {faster}, predicted: {times}"


def promised(change: str, predicted_us: float, measured_us: float | None, then_us: float, what: str) -> Advice:
    """Promise no more than is left of what was measured, where that is less than predicted."""
    less = measured_us is not None and measured_us < predicted_us
    return Advice(change, measured_us if less and measured_us else predicted_us, then_us, what, less)
