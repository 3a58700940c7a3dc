"""Check int8 weights: no sum of their products with bytes may leave int32."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.ops.checks import frozen_mask, frozen_whole, set_field, wrong

__all__ = ["LARGEST_SUM", "MOST_SHIFT", "check_one_per_output", "check_sums", "set_whole_weight"]

LARGEST_SUM = 2**31 - 1
"""No sum of products, in whatever order its terms are added, may leave an int32."""

MOST_SHIFT = 31


def set_whole_weight(layer: Any, axes: str) -> None:
    """Check and keep an int8 weight and its mask."""
    set_field(layer, "weight", frozen_whole(layer, "weight", layer.weight, axes, np.int8))
    if layer.mask is not None:
        set_field(layer, "mask", frozen_mask(layer, layer.mask, layer.weight))


def check_one_per_output(layer: Any, name: str) -> None:
    """Refuse a vector that has not one entry for each output."""
    if len(getattr(layer, name)) != len(layer.weight):
        raise wrong(layer, f"a {name} of shape ({len(layer.weight)},)", f"{getattr(layer, name).shape}")


def check_sums(layer: Any, besides: npt.NDArray[np.int64]) -> None:
    """Prove that no sum can leave int32, whatever the bytes and the order: each term at its largest, signs aside."""
    rows = layer.weight.reshape(len(layer.weight), -1)
    above, below = (rows.sum(1, np.int64, where=where) for where in (rows > 0, rows < 0))
    largest = int((255 * (above - below) + besides).max())
    if largest > LARGEST_SUM:
        raise wrong(layer, f"sums of at most {LARGEST_SUM} for every input", f"weights that allow {largest}")
