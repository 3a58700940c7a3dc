"""Layers in whole numbers: which real number a step stands for, and weights rounded to steps."""

from dataclasses import dataclass
from math import floor, log2

import numpy as np
import numpy.typing as npt

from sparsenet.errors import GraphError
from sparsenet.graph.reference import LEAVES_FLOAT32
from sparsenet.layers import Conv2d, Linear, QuantizedConv2d, QuantizedLinear

__all__ = ["ConvSteps", "QuantParams", "quantized_conv2d", "quantized_linear", "steps_for", "weights_lost"]

Array = npt.NDArray[np.float64]
Rounded = npt.NDArray[np.int8]

LARGEST_WEIGHT = 127
"""-128 is left out, so that the steps reach equally far on both sides."""

LARGEST_SHIFT = 22
"""More would leave no room in an int32 for 256 shifted steps beside the sum of products."""

SMALLEST_SCALE = 2.0**-100
"""Values so small are zeros: the float32 reciprocal of their scale would be infinite."""


@dataclass(frozen=True)
class QuantParams:
    """What a byte stands for: ``(byte - zero) * scale``."""

    scale: float
    zero: int


@dataclass(frozen=True, eq=False)
class ConvSteps:
    """A convolution in whole numbers, what a step of its weights is, and what its bytes stand for."""

    layer: QuantizedConv2d
    weight_scale: float
    after: QuantParams


def steps_for(lowest: float, highest: float, share: float = 1.0) -> QuantParams:
    """Choose steps for values of a range; with a share below one, they reach only that far and are finer.

    Examples
    --------
    >>> steps_for(-1.0, 1.0).zero, steps_for(0.0, 255.0)
    (128, QuantParams(scale=1.0, zero=0))
    """
    lowest, highest = min(lowest, 0.0), max(highest, 0.0)
    span = highest - lowest
    if span == 0:
        return QuantParams(1.0, 0)
    scale = float(np.float32(max(span * share / 255, SMALLEST_SCALE)))
    return QuantParams(scale, round(-lowest / span * 255))


def quantized_conv2d(layer: Conv2d, before: QuantParams, after: QuantParams) -> ConvSteps:
    """Round a convolution so that a step of its output is nearly ``after.scale``, by nothing but a shift.

        output step = input step * weight step * 2**shift

    All outputs share the step of the weights, so that k-winners may compare their bytes. For the largest shift that
    leaves no weight above 127, the weight step is between one and two times what it would be without shifts.

    Raises
    ------
    GraphError
        When some input could make a sum leave int32.
    """
    shift, weight_scale = _shift_and_weight_scale(layer, before, after)
    weight = np.clip(np.rint(layer.weight / weight_scale), -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int8)
    sums = weight.reshape(len(weight), -1).astype(np.int64)
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.astype(np.float64)
    whole = np.rint(bias / (before.scale * weight_scale)) - before.zero * sums.sum(1) + (after.zero << shift)
    # a bias beyond this makes every byte 0, or 255, whatever the input: as large as this does the same, and fits
    most = 255 * np.abs(sums).sum(1) + (256 << shift)
    made = QuantizedConv2d(
        weight,
        np.clip(whole, -most, most).astype(np.int64),
        shift,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        before.zero,
        _mask(layer, weight),
    )
    return ConvSteps(made, weight_scale, QuantParams(before.scale * weight_scale * 2.0**shift, after.zero))


def quantized_linear(layer: Linear, before: QuantParams) -> QuantizedLinear:
    """Round a matrix, the weights of each output to a scale of their own.

    Raises
    ------
    GraphError
        When some input could make a sum leave int32, or weights and steps are so large that a scale leaves float32.
    """
    largest = np.abs(layer.weight).max(1).astype(np.float64)
    smallest = float(np.finfo(np.float32).tiny)
    wanted = np.maximum(before.scale * np.where(largest > 0, largest, 1.0) / LARGEST_WEIGHT, smallest)
    if wanted.max() >= LEAVES_FLOAT32:
        raise GraphError(f"expected scales that float32 can hold, got {wanted.max():.0e}")
    scale = wanted.astype(np.float32)
    # rounded with the float32 scale that the sums will be multiplied by
    steps = layer.weight * (before.scale / scale.astype(np.float64))[:, None]
    weight = np.clip(np.rint(steps), -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int8)
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.astype(np.float64)
    bias = bias - before.zero * weight.sum(1, np.int64) * scale.astype(np.float64)
    return QuantizedLinear(weight, bias, scale, _mask(layer, weight))


def weights_lost(layer: Conv2d | Linear, rounded: Rounded) -> int:
    """Count the weights that are not zero but were rounded to it."""
    return int(np.count_nonzero((layer.weight != 0) & (rounded == 0)))


def _shift_and_weight_scale(layer: Conv2d, before: QuantParams, after: QuantParams) -> tuple[int, float]:
    step = after.scale / before.scale
    finest = float(np.abs(layer.weight).max()) / LARGEST_WEIGHT
    shift = LARGEST_SHIFT
    if finest * 2.0**LARGEST_SHIFT > step:
        shift = max(0, floor(log2(step / finest)))
    elif finest == 0:  # nothing but biases, which need some steps too
        shift = 8
    return shift, max(step / 2.0**shift, finest)


def _mask(layer: Conv2d | Linear, rounded: Rounded) -> npt.NDArray[np.bool_] | None:
    """Keep the mask; where a weight was rounded to zero, make one that keeps its place."""
    return layer.weight != 0 if layer.mask is None and weights_lost(layer, rounded) else layer.mask
