"""How the windows of a convolution of bytes lie over its image."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsenet.layers import QuantizedConv2d, as_pair
from sparsenet.lowering.byte_choice import Candidate
from sparsenet.lowering.values import Draft
from sparsenet.lowering.weighted import Plan
from sparsenet_kernels.formats.tiles_conv2d import check_window, tap_offsets

__all__ = ["ByteGeometry", "Maker", "window_offsets"]


@dataclass(frozen=True)
class ByteGeometry:
    """How the windows of a convolution of bytes lie over its image, padding included."""

    layer: QuantizedConv2d
    stride: int
    height: int
    width: int
    out: tuple[int, int]

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width with the padding."""
        top, left = as_pair(self.layer.padding)
        return self.height + 2 * top, self.width + 2 * left

    def check_offsets(self) -> None:
        """Raise IndexRangeError unless all that `window_offsets` may return fits int32."""
        layer = self.layer
        kernel = layer.weight.shape[2], layer.weight.shape[3]
        check_window(kernel, self.stride, self.padded[1], as_pair(layer.dilation))


Maker = Callable[[Draft, Plan, ByteGeometry, bool], Candidate | None]
"""Gives a kernel that can run a convolution, pooled (the flag) or not, or None where it cannot."""


def window_offsets(geometry: ByteGeometry, columns: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Find how many bytes behind the corner of its window an output finds the inputs of these columns."""
    layer = geometry.layer
    return tap_offsets(columns, geometry.stride, layer.weight.shape[3], geometry.padded[1], as_pair(layer.dilation))
