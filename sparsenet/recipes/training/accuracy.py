"""Accuracy: the share of right answers, and its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

from numpy.typing import ArrayLike

from sparsenet.errors import SparsenetError

__all__ = ["Accuracy", "accuracy", "wilson"]

NORMAL_95 = 1.959963984540054
"""Standard deviations to both sides that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Accuracy:
    """The number of right answers among some samples.

    Parameters
    ----------
    right, samples : int
    """

    right: int
    samples: int

    @property
    def share(self) -> float:
        """The share that was right."""
        return self.right / self.samples

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the share."""
        return wilson(self.right, self.samples)

    def to_dict(self) -> dict[str, Any]:
        """Return the accuracy as a network's details hold it."""
        return {
            "share_right": round(self.share, 4),
            "samples": self.samples,
            "interval_95": [round(bound, 4) for bound in self.interval],
        }


def accuracy(answers: ArrayLike, classes: ArrayLike) -> Accuracy:
    """Count the answers that equal the expected class.

    Examples
    --------
    >>> accuracy([1, 2, 2], [1, 2, 3]).share
    0.6666666666666666
    """
    import numpy as np

    right = np.asarray(answers) == np.asarray(classes)
    return Accuracy(int(right.sum()), int(right.size))


def wilson(right: int, samples: int, deviations: float = NORMAL_95) -> tuple[float, float]:
    """Return the confidence interval of a share.

        (p + z²/2n ± z √(p (1 - p) / n + z²/4n²)) / (1 + z²/n)

    Parameters
    ----------
    right, samples : int
    deviations : float
        z, the half width in standard deviations; 95 % when left out.

    Returns
    -------
    low, high : float

    Raises
    ------
    SparsenetError
        When there are no samples, or more right than there are.

    Notes
    -----
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212.

    Examples
    --------
    >>> low, high = wilson(480, 500)
    >>> round(low, 3), round(high, 3)
    (0.939, 0.974)
    """
    if samples < 1 or not 0 <= right <= samples:
        raise SparsenetError(f"expected 0 <= right <= samples and a sample at least, got {right} of {samples}")
    share, z2 = right / samples, deviations**2
    middle = share + z2 / (2 * samples)
    half = deviations * sqrt(share * (1 - share) / samples + z2 / (4 * samples**2))
    scale = 1 + z2 / samples
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
