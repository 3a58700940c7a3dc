"""Convolutions of images: in float32, and on bytes with int8 weights."""

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from sparsenet.errors import GraphError
from sparsenet.ops.checks import (
    BoolArray,
    FloatArray,
    Pair,
    as_pair,
    frozen_whole,
    integer,
    pair,
    rebuilt,
    set_field,
    set_weights,
    wrong,
)
from sparsenet.ops.dtypes import takes
from sparsenet.ops.geometry import Shape, image, window_places
from sparsenet.ops.growth import bytes_only, weighted_sums
from sparsenet.ops.operation import Array, Operation, Stored
from sparsenet.ops.whole_weights import MOST_SHIFT, check_one_per_output, check_sums, set_whole_weight
from sparsenet.ops.work import Work
from sparsenet_kernels import reference

__all__ = ["Conv2d", "QuantizedConv2d"]


@dataclass(frozen=True, eq=False)
class Conv2d:
    """Slide a bank of filters over an image: cross-correlation, as torch and ONNX have it.

    Parameters
    ----------
    weight : array (N, C / groups, kh, kw)
        Converted to float32. Its zeros are the sparsity.
    bias : array (N,), optional
    stride, padding, dilation : int or (int, int)
        Vertical first. Padding is zeros on both sides.
    groups : int
        Must divide both C and N.
    mask : bool array like ``weight``, optional
        True where a weight is kept; ``weight`` must be zero elsewhere.

    Raises
    ------
    GraphError
        When a number is not finite, or a shape or setting cannot be right.

    Examples
    --------
    >>> import numpy as np
    >>> Conv2d(np.ones((8, 3, 5, 5)), stride=2).stride
    (2, 2)
    """

    weight: FloatArray
    bias: FloatArray | None = None
    stride: Pair = 1
    padding: Pair = 0
    dilation: Pair = 1
    groups: int = 1
    mask: BoolArray | None = None

    __reduce__ = rebuilt

    def __post_init__(self) -> None:
        set_weights(self, self.weight, self.bias, self.mask, axes="(N, C / groups, kh, kw)")
        for name, least in (("stride", 1), ("padding", 0), ("dilation", 1)):
            set_field(self, name, pair(self, name, getattr(self, name), least))
        set_field(self, "groups", integer(self, "groups", self.groups, 1))
        if self.weight.shape[0] % self.groups:
            raise wrong(self, "groups that divide the outputs", f"{self.groups} groups for {self.weight.shape[0]}")


@dataclass(frozen=True, eq=False)
class QuantizedConv2d:
    """Slide a bank of int8 filters over an image of bytes, and shift the sums back to bytes.

        acc = bias + sum of weight * x          int32; outside the image x is ``zero``
        y   = clip((acc + (1 << shift >> 1)) >> shift, 0, 255)

    Parameters
    ----------
    weight : int8 array (N, C / groups, kh, kw)
        Any integers that fit int8. Its zeros are the sparsity.
    bias : int32 array (N,)
        It takes part of the input's zero point, which the sum leaves in, and may add that of the output.
    shift : int
        From 0 to 31: a step of ``y`` is ``2**shift`` steps of ``acc``.
    stride, padding, dilation : int or (int, int)
        Vertical first. Padding counts as ``zero`` on both sides.
    groups : int
        Must divide both C and N.
    zero : int
        The byte that stands for 0.0 in the input.
    mask : bool array like ``weight``, optional
        True where a weight is kept; ``weight`` must be zero elsewhere.

    Raises
    ------
    GraphError
        When a shape or setting cannot be right, or some input could make the sum leave int32.

    Examples
    --------
    >>> import numpy as np
    >>> QuantizedConv2d(np.ones((1, 1, 3, 3), np.int8), np.zeros(1, np.int32), shift=3).padding
    (0, 0)
    """

    weight: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    shift: int
    stride: Pair = 1
    padding: Pair = 0
    dilation: Pair = 1
    groups: int = 1
    zero: int = 0
    mask: BoolArray | None = None

    __reduce__ = rebuilt

    def __post_init__(self) -> None:
        set_whole_weight(self, "(N, C / groups, kh, kw)")
        set_field(self, "bias", frozen_whole(self, "bias", self.bias, "(N,)", np.int32))
        check_one_per_output(self, "bias")
        set_field(self, "shift", integer(self, "shift", self.shift, 0, MOST_SHIFT))
        for name, least in (("stride", 1), ("padding", 0), ("dilation", 1)):
            set_field(self, name, pair(self, name, getattr(self, name), least))
        set_field(self, "groups", integer(self, "groups", self.groups, 1))
        set_field(self, "zero", integer(self, "zero", self.zero, 0, 255))
        if len(self.weight) % self.groups:
            raise wrong(self, "groups that divide the outputs", f"{self.groups} groups for {len(self.weight)}")
        check_sums(self, np.abs(self.bias.astype(np.int64)) + (1 << self.shift >> 1))


def _shape(layer: Conv2d | QuantizedConv2d, shapes: tuple[Shape, ...]) -> Shape:
    shape = shapes[0]
    expected = layer.weight.shape[1] * layer.groups
    if image(shape)[0] != expected:
        raise GraphError(f"expected {expected} input channels, got shape {shape}")
    kernel = layer.weight.shape[2:]
    stride, padding, dilation = as_pair(layer.stride), as_pair(layer.padding), as_pair(layer.dilation)
    reach = ((kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1)
    return (layer.weight.shape[0], *window_places(shape, reach, stride, padding))


def _convolve(layer: Conv2d, x: Array) -> Array:
    stride, padding, dilation = as_pair(layer.stride), as_pair(layer.padding), as_pair(layer.dilation)
    return reference.conv2d(x, layer.weight, layer.bias, stride, padding, dilation, layer.groups)


def _convolve_bytes(layer: QuantizedConv2d, x: Array) -> Array:
    """Convolve ``x - zero``, whose padding is zeros, and add what that left out."""
    left_out = layer.zero * layer.weight.sum((1, 2, 3), dtype=np.int64)
    stride, padding, dilation = as_pair(layer.stride), as_pair(layer.padding), as_pair(layer.dilation)
    sums = reference.conv2d(
        x - layer.zero, layer.weight, layer.bias + left_out, stride, padding, dilation, layer.groups
    )
    shifted: Array = np.floor((sums + (1 << layer.shift >> 1)) / 2.0**layer.shift)
    return np.clip(shifted, 0, 255)


def _products(layer: Conv2d | QuantizedConv2d, shapes: tuple[Shape, ...], shape: Shape) -> int:
    return layer.weight.size * prod(shape[1:])  # every weight meets one input at each place the filter is put


_WORK = Work(products=_products)
_SLIDING = ("stride", "padding", "dilation", "groups")

OPERATIONS = (
    Operation(
        Conv2d,
        _shape,
        _convolve,
        growth=weighted_sums,
        work=_WORK,
        stored=Stored(_SLIDING, optional=("bias",), weighted=True),
    ),
    Operation(
        QuantizedConv2d,
        _shape,
        _convolve_bytes,
        dtype=takes("uint8", "uint8"),
        growth=bytes_only,
        work=_WORK,
        stored=Stored(("shift", *_SLIDING, "zero"), vectors=("bias",), whole=("weight", "bias"), weighted=True),
    ),
)
