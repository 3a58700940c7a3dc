"""Find the range of a value over many samples, without the few samples with a few values far beyond all others.

One wrong number, such as a sensor's glitch, would widen the range that 255 steps must cover and leave few steps for all
other values. Squared error cannot tell such a number from data: clipping one large number costs more than rounding all
others coarsely. So the largest values of the samples are compared. Samples beyond a wide gap are left out if they are
few, unless most values of such a sample lie beyond the gap: then that sample is only louder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor, log2
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Extent", "Extremes", "told_of"]

BINS_PER_OCTAVE = 4

FEWEST_SAMPLES = 10
"""Of fewer samples none is left out: who knows which is the odd one."""

MOST_LEFT_OUT = 0.02
"""The share of samples that may be left out; one always may."""

GAP = 4.0
"""They must reach this many times as far as all others. The largest of 10 normal numbers does once in 10,000 times."""

TYPICAL = 0.75
"""A sample is as loud as this share of its values that are not zero: for a glitch, that is as loud as the others."""

MOST_LOOKED_AT = 4096
"""Values of a sample of which that is taken: every n-th of a large one."""

WIDEST = 255.0
"""A range that reaches this many times as far as ordinary values leaves them a single step."""

MOST_NAMED = 4096
"""Samples of one magnitude are remembered singly up to this number; more are no exception."""


@dataclass(frozen=True)
class Extent:
    """A range in which 0 always lies, and what it leaves out.

    Attributes
    ----------
    lowest, highest : float
        Of the samples that were not left out.
    samples : frozenset of int
        The numbers of those that were, in the order of calibration.
    seen : (float, float)
        The lowest and the highest value of all samples.
    typical : float
        As far as the ordinary values of an ordinary sample reach; 0.0 where that is not known.
    """

    lowest: float
    highest: float
    samples: frozenset[int] = frozenset()
    seen: tuple[float, float] = (0.0, 0.0)
    typical: float = 0.0

    @property
    def is_odd(self) -> bool:
        """Whether a warning is due: samples are left out, or the range is too wide for most values in it."""
        return bool(self.samples) or self.is_wide

    @property
    def is_wide(self) -> bool:
        """Whether ordinary values get only very few of the range's steps."""
        return max(-self.lowest, self.highest) > WIDEST * self.typical > 0

    @property
    def left_out(self) -> int:
        """How many samples reach far beyond all others."""
        return len(self.samples)

    def holds(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Say for each sample whether all its values lie in the range."""
        flat = values.reshape(len(values), -1)
        return np.asarray(((flat >= self.lowest) & (flat <= self.highest)).all(1))


@dataclass
class _Bin:
    """Samples with nearly the same largest magnitude."""

    samples: int = 0
    lowest: float = 0.0
    highest: float = 0.0
    least_size: float = np.inf
    loudest: float = 0.0
    named: list[int] = field(default_factory=list)

    @property
    def largest_size(self) -> float:
        return max(-self.lowest, self.highest)


@dataclass
class Extremes:
    """How far the samples reach that were seen so far, counted by magnitude.

    Examples
    --------
    >>> extremes = Extremes()
    >>> extremes.add(np.linspace(-1, 1, 90).reshape(30, 3))
    >>> extremes.add(np.array([[1e6, 0.5, 0.25]]))
    >>> extremes.extent()
    Extent(lowest=-1.0, highest=1.0, samples=frozenset({30}), seen=(-1.0, 1000000.0), typical=0.5056179775280899)
    """

    bins: dict[int, _Bin] = field(default_factory=dict)
    seen: int = 0

    def add(self, values: npt.NDArray[Any]) -> None:
        """Look at samples (B, ...), none of them NaN or infinite."""
        flat = values.reshape(len(values), -1)
        extremes = flat.min(1).tolist(), flat.max(1).tolist(), _loudness(flat).tolist()
        for low, high, loudness in zip(*extremes, strict=True):
            size = max(-low, high)
            if size > 0:  # a sample of zeros alone says nothing of where the others reach
                one = self.bins.setdefault(floor(log2(size) * BINS_PER_OCTAVE), _Bin())
                one.samples += 1
                one.lowest, one.highest = min(one.lowest, low), max(one.highest, high)
                one.least_size, one.loudest = min(one.least_size, size), max(one.loudest, loudness)
                if one.samples <= MOST_NAMED:
                    one.named.append(self.seen)
            self.seen += 1

    def extent(self, known: frozenset[int] = frozenset()) -> Extent:
        """Return the range of all samples but the few, if any, that lie beyond a gap.

        Of samples that are known to have a glitch, in the value that this one was computed from, all values may.
        """
        ordered = [self.bins[key] for key in sorted(self.bins)]
        kept = _kept(ordered, known)
        left_out = frozenset(sample for one in ordered[len(kept) :] for sample in one.named)
        return Extent(*_range(kept), left_out, _range(ordered), _typical(kept))


def _loudness(flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the magnitude that a share of each sample's values, zeros aside, do not exceed."""
    sizes = np.sort(np.abs(flat[:, :: -(-flat.shape[1] // MOST_LOOKED_AT)]), axis=1)
    others = np.count_nonzero(sizes, axis=1) - 1
    places = sizes.shape[1] - 1 - others + (TYPICAL * others).astype(np.int64)
    return np.asarray(sizes[np.arange(len(sizes)), np.minimum(places, sizes.shape[1] - 1)])


def _kept(ordered: list[_Bin], known: frozenset[int]) -> list[_Bin]:
    """Return the bins below the lowest gap that only a few samples lie beyond."""
    samples = sum(one.samples for one in ordered)
    allowed = max(1, int(samples * MOST_LEFT_OUT)) if samples >= FEWEST_SAMPLES else 0
    beyond, kept = 0, ordered
    for place in range(len(ordered) - 1, 0, -1):
        beyond += ordered[place].samples
        if beyond > allowed:
            break
        reach = ordered[place - 1].largest_size
        if ordered[place].least_size >= GAP * reach and all(_odd(one, reach, known) for one in ordered[place:]):
            kept = ordered[:place]
    return kept


def _odd(one: _Bin, reach: float, known: frozenset[int]) -> bool:
    """Tell whether samples have outliers: most of their values are ordinary, or the samples are known to be odd."""
    return one.samples <= MOST_NAMED and (one.loudest <= reach or known.issuperset(one.named))


def _range(bins: list[_Bin]) -> tuple[float, float]:
    return min((one.lowest for one in bins), default=0.0), max((one.highest for one in bins), default=0.0)


def _typical(ordered: list[_Bin]) -> float:
    """Return the median loudness of samples."""
    middle, before = sum(one.samples for one in ordered) / 2, 0
    for one in ordered:
        before += one.samples
        if before >= middle:
            return one.loudest
    return 0.0


def told_of(extents: Mapping[str, Extent], count: int) -> list[str]:
    """Say, for a warning, which ranges leave samples out or are too wide, and what to do; nothing where none is."""
    told = [
        f"{one.left_out} of {count} calibration samples reach far beyond all others at {name!r}, to {one.seen[0]:.4g} "
        f"and {one.seen[1]:.4g}; its bytes cover {one.lowest:.4g} to {one.highest:.4g}, and clip what lies beyond"
        for name, one in extents.items()
        if one.left_out
    ]
    told += ["if such values are real, give more samples that have them"] if told else []
    wide = [
        f"at {name!r} calibration samples reach to {one.lowest:.4g} and {one.highest:.4g}, ordinary values to "
        f"{one.typical:.4g} only, which leaves these one of 255 steps"
        for name, one in extents.items()
        if one.is_wide
    ]
    return [*told, *wide, *(["look for outliers in the calibration data"] if wide else [])]
