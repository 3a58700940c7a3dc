"""The layers a network is made of: frozen data, checked when they are made.

A layer says what is computed, never how. Shapes leave out the batch axis and put channels first. Weights are ordinary
float32 arrays whose zeros are the sparsity; a layer may carry its mask where a kept weight happens to be zero. The
layers of quantised networks are in a module of their own, and are layers like these.
"""

from dataclasses import dataclass
from typing import get_args

import numpy as np

from sparsenet.ops.checks import (
    BoolArray,
    FloatArray,
    Pair,
    frozen_floats,
    integer,
    pair,
    real,
    rebuilt,
    sequence,
    set_field,
    set_weights,
    set_window,
    wrong,
)
from sparsenet.ops.quantized_layers import Dequantize, Quantize, QuantizedConv2d, QuantizedLinear

__all__ = [
    "LAYERS",
    "Add",
    "AvgPool2d",
    "BatchNorm",
    "Concat",
    "Conv2d",
    "Dequantize",
    "Flatten",
    "GlobalAvgPool2d",
    "KWinners",
    "Layer",
    "Linear",
    "LogSoftmax",
    "MaxPool2d",
    "Quantize",
    "QuantizedConv2d",
    "QuantizedLinear",
    "ReLU",
    "Reshape",
    "Softmax",
    "Weighted",
    "as_pair",
    "kept_count",
]

MOST_AXES = 8
"""A sample has at most this many axes."""


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
class Linear:
    """Multiply by a matrix: ``y = weight @ x + bias``.

    Parameters
    ----------
    weight : array (N, D)
        Converted to float32. Its zeros are the sparsity.
    bias : array (N,), optional
    mask : bool array (N, D), optional
        True where a weight is kept; ``weight`` must be zero elsewhere.

    Raises
    ------
    GraphError
        When a number is not finite or a shape cannot be right.

    Examples
    --------
    >>> import numpy as np
    >>> Linear(np.eye(3)).weight.dtype
    dtype('float32')
    """

    weight: FloatArray
    bias: FloatArray | None = None
    mask: BoolArray | None = None

    __reduce__ = rebuilt

    def __post_init__(self) -> None:
        set_weights(self, self.weight, self.bias, self.mask, axes="(N, D)")


@dataclass(frozen=True, eq=False)
class KWinners:
    """Keep the k largest values, set the rest to zero; of equal values the lowest index wins.

    Parameters
    ----------
    k : int
        Winners per position (scope "channels") or per sample (scope "all").
    scope : {"all", "channels"}
        "channels": among the C channels at each position. "all": among all elements of a sample.
    factor : array, optional
        Positive ranking factors, one per channel or, with scope "all", one per element: values are ranked by
        ``value * factor`` and kept unchanged. Boosted networks need it (a duty cycle's ``exp(-strength * duty)``).

    Raises
    ------
    GraphError
        When k is negative, the scope unknown, or a factor not positive and finite.

    Examples
    --------
    >>> KWinners(6, scope="channels").k
    6
    """

    k: int
    scope: str = "all"
    factor: FloatArray | None = None

    __reduce__ = rebuilt

    def __post_init__(self) -> None:
        set_field(self, "k", integer(self, "k", self.k, 0))
        if self.scope not in ("all", "channels"):
            raise wrong(self, 'scope "all" or "channels"', repr(self.scope))
        if self.factor is not None:
            set_field(self, "factor", frozen_floats(self, "factor", self.factor, axes="(n,)"))
            if not (self.factor > 0).all():
                raise wrong(self, "positive ranking factors", f"{float(self.factor.min())}")


@dataclass(frozen=True, eq=False)
class ReLU:
    """Set negative values to zero."""


@dataclass(frozen=True, eq=False)
class MaxPool2d:
    """Take the largest value of each window; padding never wins.

    Parameters
    ----------
    kernel : int or (int, int)
    stride : int or (int, int), optional
        The kernel's size when left out.
    padding : int or (int, int)
        At most half the kernel.
    """

    kernel: Pair
    stride: Pair | None = None
    padding: Pair = 0

    def __post_init__(self) -> None:
        set_window(self)


@dataclass(frozen=True, eq=False)
class AvgPool2d:
    """Take the mean of each window; padding counts as zeros, as torch's default has it.

    Parameters
    ----------
    kernel : int or (int, int)
    stride : int or (int, int), optional
        The kernel's size when left out.
    padding : int or (int, int)
        At most half the kernel.
    """

    kernel: Pair
    stride: Pair | None = None
    padding: Pair = 0

    def __post_init__(self) -> None:
        set_window(self)


@dataclass(frozen=True, eq=False)
class GlobalAvgPool2d:
    """Take the mean of each channel: (C, H, W) to (C, 1, 1)."""


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """Normalise each channel by stored statistics: ``(x - mean) / sqrt(variance + epsilon) * weight + bias``.

    Parameters
    ----------
    mean, variance : array (C,)
    weight, bias : array (C,), optional
        Left out by batch norms that are not affine.
    epsilon : float
    """

    mean: FloatArray
    variance: FloatArray
    weight: FloatArray | None = None
    bias: FloatArray | None = None
    epsilon: float = 1e-5

    __reduce__ = rebuilt

    def __post_init__(self) -> None:
        for name in ("mean", "variance", "weight", "bias"):
            if getattr(self, name) is not None:
                set_field(self, name, frozen_floats(self, name, getattr(self, name), axes="(C,)"))
                if getattr(self, name).shape != self.mean.shape:
                    raise wrong(self, f"{name} of shape {self.mean.shape}", f"{getattr(self, name).shape}")
        epsilon = real(self, "epsilon", self.epsilon)
        if epsilon < 0 or not (self.variance.astype(np.float64) + epsilon > 0).all():
            raise wrong(self, "variance + epsilon above zero", f"variance {self.variance.min()}, epsilon {epsilon}")
        set_field(self, "epsilon", epsilon)


@dataclass(frozen=True, eq=False)
class Flatten:
    """Lay a sample out as one vector, in (C, H, W) order."""


@dataclass(frozen=True, eq=False)
class Reshape:
    """Give a sample another shape; its elements keep their (C, H, W) order.

    Parameters
    ----------
    shape : tuple of int
        Without the batch axis; one entry may be -1.
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        shape = tuple(integer(self, "shape", size, -1) for size in sequence(self, "shape", self.shape))
        if not 1 <= len(shape) <= MOST_AXES or shape.count(-1) > 1 or 0 in shape:
            raise wrong(self, f"a shape of 1 to {MOST_AXES} positive sizes with at most one -1", f"{shape}")
        set_field(self, "shape", shape)


@dataclass(frozen=True, eq=False)
class Add:
    """Add two or more inputs of one shape, element by element."""


@dataclass(frozen=True, eq=False)
class Concat:
    """Join two or more inputs along their first axis (the channels of an image)."""


@dataclass(frozen=True, eq=False)
class Softmax:
    """Turn scores into shares that sum to one, along the first axis (the channels of an image)."""


@dataclass(frozen=True, eq=False)
class LogSoftmax:
    """Take the logarithm of the softmax, along the first axis (the channels of an image)."""


Layer = (
    Conv2d
    | Linear
    | KWinners
    | ReLU
    | MaxPool2d
    | AvgPool2d
    | GlobalAvgPool2d
    | BatchNorm
    | Flatten
    | Reshape
    | Add
    | Concat
    | Softmax
    | LogSoftmax
    | Quantize
    | QuantizedConv2d
    | QuantizedLinear
    | Dequantize
)
"""Any layer: the union of all kinds."""

LAYERS: tuple[type, ...] = get_args(Layer)
"""Every kind of layer that a network may have, and so everything that the engine can run."""

Weighted = Conv2d | Linear | QuantizedConv2d | QuantizedLinear
"""The layers that have weights."""


def kept_count(layer: Weighted) -> int:
    """Count the weights that a layer keeps: those of its mask, or those that are not zero.

    Examples
    --------
    >>> kept_count(Linear([[1.0, 0.0, 2.0]]))
    2
    """
    return int(np.count_nonzero(layer.weight if layer.mask is None else layer.mask))


def as_pair(value: Pair | None) -> tuple[int, int]:
    """Read a setting of a finished layer, where every pair is (vertical, horizontal).

    Examples
    --------
    >>> as_pair(MaxPool2d(2).stride)
    (2, 2)
    """
    if value is None or isinstance(value, int):
        raise TypeError(f"expected the two sizes of a finished layer, got {value!r}")
    return value
