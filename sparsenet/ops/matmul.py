"""Products of two activations."""

from dataclasses import dataclass
from math import prod

from sparsenet.errors import GraphError
from sparsenet.ops.geometry import Shape
from sparsenet.ops.growth import Growth
from sparsenet.ops.operation import Array, Operation
from sparsenet.ops.work import Work
from sparsenet_kernels import reference

__all__ = ["MatMul"]


@dataclass(frozen=True, eq=False)
class MatMul:
    """Multiply two activations: matrices (..., M, D) by matrices (..., D, N), with the same axes in front.

    Examples
    --------
    >>> import sparsenet as sn
    >>> net = sn.Network((2, 2), [sn.Node("square", MatMul(), ("input", "input"))], "square")
    >>> net.reference([[[0.0, 1.0], [1.0, 1.0]]])
    array([[[1., 1.],
            [1., 2.]]])
    """


def _shape(layer: MatMul, shapes: tuple[Shape, ...]) -> Shape:
    left, right = shapes
    if len(left) < 2 or len(left) != len(right) or left[:-2] != right[:-2] or left[-1] != right[-2]:
        raise GraphError(
            f"expected matrices (..., M, D) and (..., D, N) with the same axes in front, got {left} and {right}"
        )
    return (*left[:-1], right[-1])


def _reference(layer: MatMul, x: Array, y: Array) -> Array:
    product: Array = reference.matmul(x, y)
    return product


def _growth(layer: MatMul, shapes: tuple[Shape, ...]) -> Growth:
    depth = shapes[0][-1]
    return Growth(gain=float(depth), over="product").rounded(depth)


def _products(layer: MatMul, shapes: tuple[Shape, ...], shape: Shape) -> int:
    return prod(shape) * shapes[0][-1]


OPERATIONS = (Operation(MatMul, _shape, _reference, arity=(2, 2), growth=_growth, work=Work(products=_products)),)
