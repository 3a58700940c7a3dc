"""All families of masks by their names: what outputs that lie side by side have in common.

Two outputs of each, below each other; ``#`` is a kept weight. The inputs are 4 channels at each of 6 positions::

    taps           whole positions, the same        #### .... .... #### .... ....
                   for 16 outputs                   #### .... .... #### .... ....
    subsets        groups of channels, the same     ..## ..## ..## ..## ..## ..##
                   everywhere and for 16 outputs    ..## ..## ..## ..## ..## ..##
    blocks         groups of channels at single     ##.. .... ..## ..## ##.. ....
                   positions, for 16 outputs        ##.. .... ..## ..## ##.. ....
    partitioned    as many of every 64 channels     ..#. .#.. #... #... ...# ...#
                   at a position, its own           ..#. ..#. ..#. ...# ...# #...
    complementary  in a set of outputs, no two      .... ..#. #..# #..# .... .#..
                   keep the same input              ...# #..# .#.. ..#. .... ..#.
    balanced       anywhere, as many for each       ...# ..#. ..## .... .#.. ...#
                   output and for each input        .#.. #... #..# .... ..#. #...
    uniform        anywhere, as many for each       ..## ..#. .... #... .#.. ...#
                   output                           ...# .#.. .#.. .... ..#. ##..

What 16 outputs leave out together costs nothing. The page notebooks/masks.md says which kernels use each family, what
each costs in accuracy and time, and which to choose.
"""

from collections.abc import Callable, Mapping

from sparsenet.packing.mask import Mask
from sparsenet.packing.partition import partitioned
from sparsenet.packing.scattered import balanced, complementary, uniform
from sparsenet.packing.shared import blocks, subsets, taps

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
