"""Layers that normalise values: batch norm, layer norm and softmax."""

from dataclasses import dataclass
from math import log, prod, sqrt

import numpy as np

from sparsenet.errors import GraphError
from sparsenet.ops.checks import FloatArray, frozen_floats, integer, real, rebuilt, set_field, wrong
from sparsenet.ops.geometry import Shape, same_shape
from sparsenet.ops.growth import Growth
from sparsenet.ops.operation import Array, Operation, Stored
from sparsenet_kernels import reference

__all__ = ["BatchNorm", "LayerNorm", "LogSoftmax", "Softmax"]

SMALLEST_EPSILON = 1e-30
"""Rows of equal numbers are divided by the root of it, which float32 must hold the inverse of."""


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
class LayerNorm:
    """Normalise each row by its own mean and variance: ``(x - mean) / sqrt(variance + epsilon) * weight + bias``.

    A row is the last axis of a sample, or the last ``axes`` of them together.

    Parameters
    ----------
    weight, bias : array (D,), optional
        D is the size of a row; of several axes, in their order.
    epsilon : float
        Above 0.
    axes : int
        How many of a sample's last axes make a row.

    Raises
    ------
    GraphError
        When a number is not finite, or a shape or setting cannot be right.

    Examples
    --------
    >>> import sparsenet as sn
    >>> sn.Network.sequential((2, 2), [LayerNorm(epsilon=1e-12)]).reference([[[1, 3], [0, 0]]]).round(3)
    array([[[-1.,  1.],
            [ 0.,  0.]]])
    """

    weight: FloatArray | None = None
    bias: FloatArray | None = None
    epsilon: float = 1e-5
    axes: int = 1

    __reduce__ = rebuilt

    def __post_init__(self) -> None:
        for name in ("weight", "bias"):
            if getattr(self, name) is not None:
                set_field(self, name, frozen_floats(self, name, getattr(self, name), axes="(D,)"))
        if self.weight is not None and self.bias is not None and self.weight.shape != self.bias.shape:
            raise wrong(self, f"a bias of shape {self.weight.shape}", f"{self.bias.shape}")
        epsilon = real(self, "epsilon", self.epsilon)
        if not SMALLEST_EPSILON <= epsilon <= 1 / SMALLEST_EPSILON:
            raise wrong(self, f"an epsilon from {SMALLEST_EPSILON} to {1 / SMALLEST_EPSILON}", f"{epsilon}")
        set_field(self, "epsilon", epsilon)
        set_field(self, "axes", integer(self, "axes", self.axes, 1))


@dataclass(frozen=True, eq=False)
class Softmax:
    """Turn scores into shares that sum to one, along the first axis (the channels of an image)."""


@dataclass(frozen=True, eq=False)
class LogSoftmax:
    """Take the logarithm of the softmax, along the first axis (the channels of an image)."""


def batch_norm_affine(layer: BatchNorm) -> tuple[Array, Array]:
    """Return the scale and the shift (C,) that a batch norm amounts to, in float64."""
    scale = 1.0 / np.sqrt(layer.variance.astype(np.float64) + layer.epsilon)
    if layer.weight is not None:
        scale = scale * layer.weight
    shift = -layer.mean * scale
    return scale, shift if layer.bias is None else shift + layer.bias


def _batch_norm_shape(layer: BatchNorm, shapes: tuple[Shape, ...]) -> Shape:
    if len(layer.mean) != shapes[0][0]:
        raise GraphError(f"expected {len(layer.mean)} channels, got shape {shapes[0]}")
    return shapes[0]


def _batch_norm(layer: BatchNorm, x: Array) -> Array:
    return reference.batch_norm(x, layer.mean, layer.variance, layer.weight, layer.bias, layer.epsilon)


def _batch_norm_growth(layer: BatchNorm, shapes: tuple[Shape, ...]) -> Growth:
    scale, shift = batch_norm_affine(layer)
    return Growth(float(np.abs(scale).max()), float(np.abs(shift).max())).rounded(2)


def _layer_norm_shape(layer: LayerNorm, shapes: tuple[Shape, ...]) -> Shape:
    (shape,) = shapes
    if layer.axes > len(shape):
        raise GraphError(f"expected samples of at least {layer.axes} axes, got shape {shape}")
    size = prod(shape[-layer.axes :])
    for name in ("weight", "bias"):
        values = getattr(layer, name)
        if values is not None and len(values) != size:
            raise GraphError(f"expected rows of {len(values)} numbers, as many as its {name} has, got shape {shape}")
    return shape


def _layer_norm(layer: LayerNorm, x: Array) -> Array:
    rows = x.reshape(*x.shape[: x.ndim - layer.axes], prod(x.shape[x.ndim - layer.axes :]))
    normal: Array = reference.layer_norm(rows, layer.weight, layer.bias, layer.epsilon)
    return normal.reshape(x.shape)


def _layer_norm_growth(layer: LayerNorm, shapes: tuple[Shape, ...]) -> Growth:
    size = prod(shapes[0][-layer.axes :])
    weight, bias = (0.0 if values is None else float(np.abs(values).max()) for values in (layer.weight, layer.bias))
    largest = sqrt(size) * (1.0 if layer.weight is None else weight) + bias
    return Growth(gain=0.0, shift=largest, peak=2.0 * size).rounded(size)


def _softmax(layer: Softmax, x: Array) -> Array:
    return reference.softmax(x)


def _softmax_growth(layer: Softmax, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=0.0, shift=1.0)  # differences and exponentials are float64


def _log_softmax(layer: LogSoftmax, x: Array) -> Array:
    return reference.log_softmax(x)


def _log_softmax_growth(layer: LogSoftmax, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(2.0, log(shapes[0][0])).rounded(1)


_ROWS = Stored(("epsilon", "axes"), optional=("weight", "bias"))
_STATISTICS = Stored(("epsilon",), vectors=("mean", "variance"), optional=("weight", "bias"))

OPERATIONS = (
    Operation(BatchNorm, _batch_norm_shape, _batch_norm, growth=_batch_norm_growth, stored=_STATISTICS),
    Operation(LayerNorm, _layer_norm_shape, _layer_norm, growth=_layer_norm_growth, stored=_ROWS),
    Operation(Softmax, same_shape, _softmax, growth=_softmax_growth),
    Operation(LogSoftmax, same_shape, _log_softmax, growth=_log_softmax_growth),
)
