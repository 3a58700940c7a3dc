"""Make masks that pack well, before training; and pack any mask.

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
from sparsenet.packing.pack import METHODS, pack
from sparsenet.packing.packed import Packing
from sparsenet.packing.plot import overlay, plot_packing
from sparsenet.packing.report import packing_table
from sparsenet.packing.verify import verify

__all__ = [
    "FAMILIES",
    "METHODS",
    "Grid",
    "Mask",
    "Packing",
    "balanced",
    "blocks",
    "complementary",
    "grid_of",
    "overlay",
    "pack",
    "packing_table",
    "partitioned",
    "plot_packing",
    "subsets",
    "taps",
    "uniform",
    "verify",
]
