"""How much larger the values of a layer can be than its inputs: one rule for each kind of layer."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log, prod
from typing import Any

import numpy as np

from sparsenet.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Dequantize,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Layer,
    Linear,
    LogSoftmax,
    MaxPool2d,
    Quantize,
    QuantizedConv2d,
    QuantizedLinear,
    ReLU,
    Reshape,
    Softmax,
    as_pair,
)
from sparsenet.ops.shapes import Shape
from sparsenet.passes.fold_batchnorm import batch_norm_affine

__all__ = ["UNCHANGED", "Growth", "growth"]

BYTE = 255.0


@dataclass(frozen=True)
class Growth:
    """What a layer makes of inputs of at most b.

    Attributes
    ----------
    gain, shift : float
        No value that it gives is larger than ``gain * b + shift``.
    peak : float
        No sum on the way is larger than ``peak * b + shift``; where it is not said, ``gain`` says it.
    """

    gain: float = 1.0
    shift: float = 0.0
    peak: float = 0.0

    def rounded(self, terms: float) -> "Growth":
        """Allow for the rounding of so many float32 operations, and of two more."""
        more = 1 + (terms + 2) * 2.0**-23
        return Growth(self.gain * more, self.shift * more, self.peak * more)


UNCHANGED = Growth()


def growth(layer: Layer, shapes: tuple[Shape, ...]) -> Growth:
    """Bound what a layer makes of its inputs; of several inputs, Add takes the sum of bounds, others the largest.

    Parameters
    ----------
    layer : Layer
    shapes : tuple of tuple of int
        Of its inputs, without the batch axis.

    Examples
    --------
    >>> import sparsenet as sn
    >>> growth(sn.Linear([[3.0, -4.0], [5.0, 0.0]]), ((2,),)).gain > 7
    True
    """
    return _GROWTH[type(layer)](layer, shapes)


def _unchanged(layer: Layer, shapes: tuple[Shape, ...]) -> Growth:
    return UNCHANGED


def _bytes(layer: Layer, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=0.0, shift=BYTE)


def _weighted(layer: Conv2d | Linear, shapes: tuple[Shape, ...]) -> Growth:
    bias = 0.0 if layer.bias is None else float(np.abs(layer.bias).max())
    return Growth(float(_row_sums(layer.weight).max()), bias).rounded(layer.weight[0].size)


def _row_sums(weight: Any) -> Any:
    """Add up the sizes of each output's weights."""
    rows = weight.reshape(len(weight), -1)
    return sum(
        np.abs(rows[:, start : start + 4096].astype(np.float64)).sum(1) for start in range(0, rows.shape[1], 4096)
    )


def _quantized_linear(layer: QuantizedLinear, shapes: tuple[Shape, ...]) -> Growth:
    most = BYTE * _row_sums(layer.weight) * layer.scale + np.abs(layer.bias.astype(np.float64))
    return Growth(gain=0.0, shift=float(most.max())).rounded(1)


def _dequantize(layer: Dequantize, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=0.0, shift=BYTE * layer.scale).rounded(1)


def _batch_norm(layer: BatchNorm, shapes: tuple[Shape, ...]) -> Growth:
    scale, shift = batch_norm_affine(layer)
    return Growth(float(np.abs(scale).max()), float(np.abs(shift).max())).rounded(2)


def _avg_pool(layer: AvgPool2d, shapes: tuple[Shape, ...]) -> Growth:
    window = prod(as_pair(layer.kernel))
    return Growth(peak=float(window)).rounded(window)


def _global_avg_pool(layer: GlobalAvgPool2d, shapes: tuple[Shape, ...]) -> Growth:
    window = prod(shapes[0][1:])
    return Growth(peak=float(window)).rounded(window)


def _add(layer: Add, shapes: tuple[Shape, ...]) -> Growth:
    return Growth().rounded(len(shapes))


def _softmax(layer: Softmax, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=0.0, shift=1.0)  # differences and exponentials are float64


def _log_softmax(layer: LogSoftmax, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(2.0, log(shapes[0][0])).rounded(1)


_GROWTH: dict[type, Callable[[Any, tuple[Shape, ...]], Growth]] = {
    Add: _add,
    AvgPool2d: _avg_pool,
    BatchNorm: _batch_norm,
    Concat: _unchanged,
    Conv2d: _weighted,
    Dequantize: _dequantize,
    Flatten: _unchanged,
    GlobalAvgPool2d: _global_avg_pool,
    KWinners: _unchanged,
    Linear: _weighted,
    LogSoftmax: _log_softmax,
    MaxPool2d: _unchanged,
    Quantize: _bytes,
    QuantizedConv2d: _bytes,
    QuantizedLinear: _quantized_linear,
    ReLU: _unchanged,
    Reshape: _unchanged,
    Softmax: _softmax,
}
