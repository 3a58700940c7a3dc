"""Bound the values of a layer by its inputs' bounds; these rules are shared by several kinds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from sparsenet.ops.geometry import Shape

__all__ = ["BYTE", "UNCHANGED", "Growth", "bytes_only", "row_sums", "unchanged", "weighted_sums"]

BYTE = 255.0
"""The largest byte."""


@dataclass(frozen=True)
class Growth:
    """The bounds of a layer's values and sums for inputs of at most b.

    Attributes
    ----------
    gain, shift : float
        No value that it gives is larger than ``gain * b + shift``.
    peak : float
        No sum on the way is larger than ``peak * b + shift``; where it is not said, ``gain`` says it.
    over : {"largest", "sum", "product"}
        What b is, where there are several inputs: the largest of their bounds, their sum or their product.
    """

    gain: float = 1.0
    shift: float = 0.0
    peak: float = 0.0
    over: str = "largest"

    def rounded(self, terms: float) -> "Growth":
        """Allow for the rounding of so many float32 operations, and of two more."""
        more = 1 + (terms + 2) * 2.0**-23
        return Growth(self.gain * more, self.shift * more, self.peak * more, self.over)

    def bounds(self, given: Sequence[float]) -> tuple[float, float]:
        """Bound the values that a layer gives, and the sums on the way to them, for the bounds of its inputs."""
        most = prod(given) if self.over == "product" else sum(given) if self.over == "sum" else max(given)
        bound = self.gain * most + self.shift
        return bound, max(bound, self.peak * most + self.shift)


UNCHANGED = Growth()


def unchanged(layer: object, shapes: tuple[Shape, ...]) -> Growth:
    """Bound layers whose values are some of their inputs, or zeros, or lie between those."""
    return UNCHANGED


def bytes_only(layer: object, shapes: tuple[Shape, ...]) -> Growth:
    """Bound layers that give bytes."""
    return Growth(gain=0.0, shift=BYTE)


def weighted_sums(layer: Any, shapes: tuple[Shape, ...]) -> Growth:
    """Bound sums of float32 weights times inputs, with a bias."""
    bias = 0.0 if layer.bias is None else float(np.abs(layer.bias).max())
    return Growth(float(row_sums(layer.weight).max()), bias).rounded(layer.weight[0].size)


def row_sums(weight: Any) -> Any:
    """Add up the sizes of each output's weights."""
    rows = weight.reshape(len(weight), -1)
    return sum(
        np.abs(rows[:, start : start + 4096].astype(np.float64)).sum(1) for start in range(0, rows.shape[1], 4096)
    )
