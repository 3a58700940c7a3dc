"""Which weights of a layer are kept, in the sweeps over single layers: as many in one place as in another."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sparsenet.bench.layer_shapes import LayerShape

__all__ = ["MASKS", "balanced_mask", "block_mask"]

Mask = npt.NDArray[np.bool_]
BLOCK = 16
"""Outputs that keep the same inputs, in a mask of blocks."""


def balanced_mask(shape: LayerShape, density: float, random: np.random.Generator) -> Mask:
    """Keep as many inputs for every output: random parts of the inputs, each given to one of a few outputs in turn.

    Outputs that share the inputs out among them keep none in common, so they pack into one complementary set.
    """
    kept = max(1, round(density * shape.fan_in))
    sharing = max(1, shape.fan_in // kept)
    mask = np.zeros((shape.outputs, shape.fan_in), bool)
    for first in range(0, shape.outputs, sharing):
        order = random.permutation(shape.fan_in)
        for place, output in enumerate(range(first, min(first + sharing, shape.outputs))):
            mask[output, order[place * kept : (place + 1) * kept]] = True
    return mask.reshape(shape.weight_shape)


def block_mask(shape: LayerShape, density: float, random: np.random.Generator) -> Mask:
    """Do so for blocks: each 16 neighbouring outputs keep the same inputs."""
    blocks = replace(shape, outputs=-(-shape.outputs // BLOCK))
    return np.repeat(balanced_mask(blocks, density, random), BLOCK, axis=0)[: shape.outputs]


MASKS: Mapping[str, Callable[[LayerShape, float, np.random.Generator], Mask]] = {
    "blocks": block_mask,
    "scattered": balanced_mask,
}
"""The masks that a sweep can take, by name."""
