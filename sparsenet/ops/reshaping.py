"""Layers that move values and change none: flattening, reshaping, joining."""

from dataclasses import dataclass
from math import prod

from sparsenet.errors import GraphError
from sparsenet.ops.checks import MOST_AXES, integer, sequence, set_field, wrong
from sparsenet.ops.dtypes import floats_or_bytes
from sparsenet.ops.geometry import Shape
from sparsenet.ops.operation import Array, Operation, Stored
from sparsenet.ops.work import Work, added, anywhere
from sparsenet_kernels import reference

__all__ = ["Concat", "Flatten", "Reshape"]


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
class Concat:
    """Join two or more inputs along their first axis (the channels of an image)."""


def _flat_shape(layer: Flatten, shapes: tuple[Shape, ...]) -> Shape:
    return (prod(shapes[0]),)


def _new_shape(layer: Reshape, shapes: tuple[Shape, ...]) -> Shape:
    elements, known = prod(shapes[0]), prod(size for size in layer.shape if size != -1)
    free = elements // known if -1 in layer.shape else 1
    if known * free != elements:
        raise GraphError(f"expected a shape of {elements} elements like {shapes[0]}, got {layer.shape}")
    return tuple(free if size == -1 else size for size in layer.shape)


def _joined_shape(layer: Concat, shapes: tuple[Shape, ...]) -> Shape:
    first = shapes[0]
    for other in shapes[1:]:
        if len(other) != len(first) or other[1:] != first[1:]:
            raise GraphError(f"expected inputs of one shape after the first axis, got {first} and {other}")
    return (sum(shape[0] for shape in shapes), *first[1:])


def _flatten(layer: Flatten, x: Array) -> Array:
    return x.reshape(len(x), prod(x.shape[1:]))  # -1 would not work for an empty batch


def _reshape(layer: Reshape, x: Array) -> Array:
    # NumPy cannot infer the axis -1 of an empty batch
    return x.reshape(len(x), *_new_shape(layer, (x.shape[1:],)))


def _concat(layer: Concat, *inputs: Array) -> Array:
    return reference.concat(*inputs)


InOrder = Flatten | Reshape
"""Layers that give the elements they read, in their order."""

OPERATIONS = (
    Operation(Flatten, _flat_shape, _flatten, dtype=floats_or_bytes, work=Work(anywhere)),
    Operation(Reshape, _new_shape, _reshape, dtype=floats_or_bytes, work=Work(anywhere), stored=Stored(("shape",))),
    Operation(Concat, _joined_shape, _concat, arity=(2, None), dtype=floats_or_bytes, work=Work(added)),
)
