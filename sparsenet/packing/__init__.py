"""Masks that pack, made before training; and how any mask packs.

>>> from sparsenet import packing
>>> mask = packing.partitioned((64, 64, 5, 5), density=0.05)
>>> mask.fills
'lookup'
"""

from sparsenet.packing.grid import Grid, grid_of
from sparsenet.packing.masks import (
    FAMILIES,
    Mask,
    balanced,
    blocks,
    complementary,
    partitioned,
    subsets,
    taps,
    uniform,
)
from sparsenet.packing.verify import verify

__all__ = [
    "FAMILIES",
    "Grid",
    "Mask",
    "balanced",
    "blocks",
    "complementary",
    "grid_of",
    "partitioned",
    "subsets",
    "taps",
    "uniform",
    "verify",
]
