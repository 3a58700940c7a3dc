"""Layers that compute each element from those at the same place."""

from dataclasses import dataclass

from sparsenet.errors import GraphError
from sparsenet.ops.geometry import Shape, same_shape
from sparsenet.ops.growth import Growth
from sparsenet.ops.operation import Array, Operation
from sparsenet.ops.work import Work, added, same_active
from sparsenet_kernels import reference

__all__ = ["Add", "ReLU"]


@dataclass(frozen=True, eq=False)
class ReLU:
    """Set negative values to zero."""


@dataclass(frozen=True, eq=False)
class Add:
    """Add two or more inputs of one shape, element by element."""


def _one_shape(layer: Add, shapes: tuple[Shape, ...]) -> Shape:
    for other in shapes[1:]:
        if other != shapes[0]:
            raise GraphError(f"expected inputs of one shape, got {shapes[0]} and {other}")
    return shapes[0]


def _relu(layer: ReLU, x: Array) -> Array:
    return reference.relu(x)


def _add(layer: Add, *inputs: Array) -> Array:
    return reference.add(*inputs)


def _add_growth(layer: Add, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(over="sum").rounded(len(shapes))


OPERATIONS = (
    Operation(ReLU, same_shape, _relu, work=Work(same_active)),
    Operation(Add, _one_shape, _add, arity=(2, None), growth=_add_growth, work=Work(added)),
)
