"""Make the masks for sweeps over single layers; the kept weights are spread evenly."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from sparsenet.bench.layer_shapes import LayerShape
from sparsenet.packing import blocks, complementary

__all__ = ["MASKS"]

MASKS: Mapping[str, Callable[[LayerShape, float], npt.NDArray[np.bool_]]] = {
    "blocks": lambda shape, density: blocks(shape.weight_shape, _possible(shape, density), inputs=1).keep,
    "scattered": lambda shape, density: complementary(shape.weight_shape, _possible(shape, density)).keep,
}
"""The masks that a sweep can take, by name: 16 outputs share their inputs, or sets of outputs share the inputs out."""


def _possible(shape: LayerShape, density: float) -> float:
    """Keep at least one input of each output, as a sweep over small layers and low densities wants."""
    return max(density, 1 / shape.fan_in)
