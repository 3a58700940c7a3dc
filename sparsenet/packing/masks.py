"""All families of masks by their names."""

from collections.abc import Callable, Mapping

from sparsenet.packing.mask import Mask
from sparsenet.packing.scattered import balanced, complementary, uniform
from sparsenet.packing.shared import blocks, partitioned, subsets, taps

__all__ = [
    "FAMILIES",
    "Mask",
    "balanced",
    "blocks",
    "complementary",
    "partitioned",
    "subsets",
    "taps",
    "uniform",
]

FAMILIES: Mapping[str, Callable[..., Mask]] = {
    "complementary": complementary,
    "partitioned": partitioned,
    "subsets": subsets,
    "taps": taps,
    "blocks": blocks,
    "balanced": balanced,
    "uniform": uniform,
}
"""Functions that make masks: called with the weight's shape and a density, all take ``seed`` and ``channels``."""
