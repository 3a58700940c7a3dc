"""The layers of a quantised network: whole numbers from 0 to 255 between them, whole-number weights in them.

A byte x stands for the real number ``(x - zero) * scale``. Only the layers that change between bytes and float32 know
the scale; between them a network is arithmetic of whole numbers, which every kernel must get exactly right.

    float32 ── Quantize ──▶ bytes ── QuantizedConv2d ──▶ bytes ── QuantizedLinear or Dequantize ──▶ float32

MaxPool2d, KWinners, Flatten, Reshape and Concat work on bytes as they do on float32.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsenet.ops.checks import (
    BoolArray,
    FloatArray,
    Pair,
    frozen_floats,
    frozen_mask,
    frozen_whole,
    integer,
    pair,
    rebuilt,
    set_field,
    set_steps,
    wrong,
)

__all__ = ["LARGEST_SUM", "MOST_SHIFT", "Dequantize", "Quantize", "QuantizedConv2d", "QuantizedLinear"]

LARGEST_SUM = 2**31 - 1
"""No sum of products, in whatever order its terms are added, may leave an int32."""

MOST_SHIFT = 31


@dataclass(frozen=True, eq=False)
class Quantize:
    """Round float32 values to bytes: ``y = clip(rint(x * (1 / scale)) + zero, 0, 255)``.

    The reciprocal and the product are float32; a product halfway between two integers goes to the even one.

    Parameters
    ----------
    scale : float
        The real size of one step; positive, kept as float32.
    zero : int
        The byte that stands for 0.0, from 0 to 255.

    Raises
    ------
    GraphError
        When the scale is not a positive finite float32, or the zero point not a byte.

    Examples
    --------
    >>> Quantize(1 / 127, zero=128).zero
    128
    """

    scale: float
    zero: int = 0

    def __post_init__(self) -> None:
        set_steps(self)


@dataclass(frozen=True, eq=False)
class Dequantize:
    """Turn bytes back to float32: ``y = (x - zero) * scale``.

    Parameters
    ----------
    scale : float
        The real size of one step; positive, kept as float32.
    zero : int
        The byte that stands for 0.0, from 0 to 255.

    Raises
    ------
    GraphError
        When the scale is not a positive finite float32, or the zero point not a byte.

    Examples
    --------
    >>> Dequantize(0.5).scale
    0.5
    """

    scale: float
    zero: int = 0

    def __post_init__(self) -> None:
        set_steps(self)


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
        _set_whole_weight(self, "(N, C / groups, kh, kw)")
        set_field(self, "bias", frozen_whole(self, "bias", self.bias, "(N,)", np.int32))
        _check_one_per_output(self, "bias")
        set_field(self, "shift", integer(self, "shift", self.shift, 0, MOST_SHIFT))
        for name, least in (("stride", 1), ("padding", 0), ("dilation", 1)):
            set_field(self, name, pair(self, name, getattr(self, name), least))
        set_field(self, "groups", integer(self, "groups", self.groups, 1))
        set_field(self, "zero", integer(self, "zero", self.zero, 0, 255))
        if len(self.weight) % self.groups:
            raise wrong(self, "groups that divide the outputs", f"{self.groups} groups for {len(self.weight)}")
        _check_sums(self, np.abs(self.bias.astype(np.int64)) + (1 << self.shift >> 1))


@dataclass(frozen=True, eq=False)
class QuantizedLinear:
    """Multiply bytes by an int8 matrix, and scale the sums to float32: ``y = (weight @ x) * scale + bias``.

    The sums are int32; scaling and adding are float32, fused or not.

    Parameters
    ----------
    weight : int8 array (N, D)
        Any integers that fit int8. Its zeros are the sparsity.
    bias : array (N,)
        Converted to float32. It takes the part of the input's zero point, which the sum leaves in.
    scale : array (N,)
        Converted to float32; positive.
    mask : bool array (N, D), optional
        True where a weight is kept; ``weight`` must be zero elsewhere.

    Raises
    ------
    GraphError
        When a shape cannot be right, a scale is not positive, or some input could make a sum leave int32.

    Examples
    --------
    >>> import numpy as np
    >>> QuantizedLinear(np.eye(3, dtype=np.int8), np.zeros(3), np.full(3, 0.5)).weight.dtype
    dtype('int8')
    """

    weight: npt.NDArray[np.int8]
    bias: FloatArray
    scale: FloatArray
    mask: BoolArray | None = None

    __reduce__ = rebuilt

    def __post_init__(self) -> None:
        _set_whole_weight(self, "(N, D)")
        for name in ("bias", "scale"):
            set_field(self, name, frozen_floats(self, name, getattr(self, name), "(N,)"))
            _check_one_per_output(self, name)
        if not (self.scale > 0).all():
            raise wrong(self, "positive scales", f"{float(self.scale.min())}")
        _check_sums(self, np.zeros(len(self.weight), np.int64))


def _set_whole_weight(layer: QuantizedConv2d | QuantizedLinear, axes: str) -> None:
    set_field(layer, "weight", frozen_whole(layer, "weight", layer.weight, axes, np.int8))
    if layer.mask is not None:
        set_field(layer, "mask", frozen_mask(layer, layer.mask, layer.weight))


def _check_one_per_output(layer: QuantizedConv2d | QuantizedLinear, name: str) -> None:
    if len(getattr(layer, name)) != len(layer.weight):
        raise wrong(layer, f"a {name} of shape ({len(layer.weight)},)", f"{getattr(layer, name).shape}")


def _check_sums(layer: QuantizedConv2d | QuantizedLinear, besides: npt.NDArray[np.int64]) -> None:
    """Prove that no sum can leave int32, whatever the bytes and the order: each term at its largest, signs aside."""
    rows = layer.weight.reshape(len(layer.weight), -1)
    above, below = (rows.sum(1, np.int64, where=where) for where in (rows > 0, rows < 0))
    largest = int((255 * (above - below) + besides).max())
    if largest > LARGEST_SUM:
        raise wrong(layer, f"sums of at most {LARGEST_SUM} for every input", f"weights that allow {largest}")
