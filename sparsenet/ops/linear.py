"""Matrices of weights: in float32, and on bytes with int8 weights."""

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from sparsenet.errors import GraphError
from sparsenet.ops.checks import BoolArray, FloatArray, frozen_floats, rebuilt, set_field, set_weights, wrong
from sparsenet.ops.dtypes import takes
from sparsenet.ops.geometry import Shape
from sparsenet.ops.growth import BYTE, Growth, row_sums, weighted_sums
from sparsenet.ops.operation import Array, Operation, Stored
from sparsenet.ops.whole_weights import check_one_per_output, check_sums, set_whole_weight
from sparsenet.ops.work import Work
from sparsenet_kernels import reference

__all__ = ["Linear", "QuantizedLinear"]


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
        set_whole_weight(self, "(N, D)")
        for name in ("bias", "scale"):
            set_field(self, name, frozen_floats(self, name, getattr(self, name), "(N,)"))
            check_one_per_output(self, name)
        if not (self.scale > 0).all():
            raise wrong(self, "positive scales", f"{float(self.scale.min())}")
        check_sums(self, np.zeros(len(self.weight), np.int64))


def _shape(layer: Linear | QuantizedLinear, shapes: tuple[Shape, ...]) -> Shape:
    if shapes[0] != (layer.weight.shape[1],):
        inputs = layer.weight.shape[1]
        raise GraphError(
            f"expected a vector of {inputs} inputs, got shape {shapes[0]}{_vector_hint(shapes[0], inputs)}"
        )
    return (layer.weight.shape[0],)


def _vector_hint(shape: Shape, inputs: int) -> str:
    """Say how a sample of several axes could have become the vector that a linear layer takes."""
    if len(shape) > 1 and prod(shape) == inputs:
        return "; is a Flatten() missing before it?"
    if len(shape) > 1 and shape[-1] == inputs:
        return (
            "; linear layers along the last axis of (T, D) are not supported yet: "
            f"give each of the {prod(shape[:-1])} vectors as a sample of its own"
        )
    return f", {prod(shape)} numbers in all" if len(shape) > 1 else ""


def _multiply(layer: Linear, x: Array) -> Array:
    return reference.linear(x, layer.weight, layer.bias)


def _multiply_bytes(layer: QuantizedLinear, x: Array) -> Array:
    return reference.linear(x, layer.weight) * layer.scale + layer.bias


def _growth_of_bytes(layer: QuantizedLinear, shapes: tuple[Shape, ...]) -> Growth:
    most = BYTE * row_sums(layer.weight) * layer.scale + np.abs(layer.bias.astype(np.float64))
    return Growth(gain=0.0, shift=float(most.max())).rounded(1)


def _products(layer: Linear | QuantizedLinear, shapes: tuple[Shape, ...], shape: Shape) -> int:
    return layer.weight.size


_WORK = Work(products=_products)

OPERATIONS = (
    Operation(
        Linear, _shape, _multiply, growth=weighted_sums, work=_WORK, stored=Stored(optional=("bias",), weighted=True)
    ),
    Operation(
        QuantizedLinear,
        _shape,
        _multiply_bytes,
        dtype=takes("uint8", "float32"),
        growth=_growth_of_bytes,
        work=_WORK,
        stored=Stored(vectors=("bias", "scale"), whole=("weight",), weighted=True),
    ),
)
