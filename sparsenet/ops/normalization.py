"""Layers that normalise values: batch norm and softmax."""

from dataclasses import dataclass
from math import log

import numpy as np

from sparsenet.errors import GraphError
from sparsenet.ops.checks import FloatArray, frozen_floats, real, rebuilt, set_field, wrong
from sparsenet.ops.geometry import Shape, same_shape
from sparsenet.ops.growth import Growth
from sparsenet.ops.operation import Array, Operation, Stored
from sparsenet_kernels import reference

__all__ = ["BatchNorm", "LogSoftmax", "Softmax"]


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


def _softmax(layer: Softmax, x: Array) -> Array:
    return reference.softmax(x)


def _softmax_growth(layer: Softmax, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=0.0, shift=1.0)  # differences and exponentials are float64


def _log_softmax(layer: LogSoftmax, x: Array) -> Array:
    return reference.log_softmax(x)


def _log_softmax_growth(layer: LogSoftmax, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(2.0, log(shapes[0][0])).rounded(1)


_STATISTICS = Stored(("epsilon",), vectors=("mean", "variance"), optional=("weight", "bias"))

OPERATIONS = (
    Operation(BatchNorm, _batch_norm_shape, _batch_norm, growth=_batch_norm_growth, stored=_STATISTICS),
    Operation(Softmax, same_shape, _softmax, growth=_softmax_growth),
    Operation(LogSoftmax, same_shape, _log_softmax, growth=_log_softmax_growth),
)
