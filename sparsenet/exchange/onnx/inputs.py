"""The shapes of an ONNX model's inputs without the batch axis, from the model or from the caller."""

from collections.abc import Mapping, Sequence
from typing import Any

from sparsenet.errors import GraphError, UnsupportedLayerError, did_you_mean
from sparsenet.exchange.onnx.model import Model, Value
from sparsenet.ops.shapes import Shape

__all__ = ["DTYPES", "sample_shapes"]

DTYPES = {
    **dict.fromkeys((1, 10, 11, 16), "float32"),
    **dict.fromkeys((3, 4, 5, 6, 7), "int32"),
    9: "bool",
}
"""What values of ONNX's types are here, by their numbers: floats of other sizes, and whole numbers, change theirs."""


def sample_shapes(read: Model, shapes: Mapping[str, Sequence[int]]) -> dict[str, Shape]:
    """Return the shape of a sample of each input.

    Raises
    ------
    GraphError
        When a shape is open, or contradicts what the model says.
    UnsupportedLayerError
        When an input holds neither numbers nor truth values, or its samples have no axis.
    """
    names = [value.name for value in read.inputs]
    for name in shapes:
        if name not in names:
            raise GraphError(
                f"expected shapes of the inputs {', '.join(map(repr, names))}, got one of {name!r}"
                f"{did_you_mean(name, names)}"
            )
    return {value.name: _sample_shape(value, shapes.get(value.name)) for value in read.inputs}


def _sample_shape(value: Value, given: Any) -> Shape:
    if value.type not in DTYPES:
        raise UnsupportedLayerError(
            f"input {value.name!r}: expected floats, whole numbers or truth values, got ONNX's type number {value.type}"
        )
    said = value.sizes[1:]
    if given is not None:
        shape = tuple(given) if isinstance(given, tuple | list) else (given,)
        fits = len(said) == len(shape) and all(
            size in (mine, None) or isinstance(size, str) for size, mine in zip(said, shape, strict=False)
        )
        if value.sizes and not fits:
            raise GraphError(f"input {value.name!r}: expected samples of shape {_told(said)}, got shapes={shape}")
        return shape
    if not said and value.sizes:
        raise UnsupportedLayerError(f"input {value.name!r}: expected a batch and at least one axis more, got one axis")
    if not value.sizes or not all(isinstance(size, int) and size > 0 for size in said):
        raise GraphError(
            f"input {value.name!r}: expected samples whose sizes are known, got {_told(said)}; say them, without the "
            f"batch: shapes={{{value.name!r}: (...)}}"
        )
    return tuple(size for size in said if isinstance(size, int))


def _told(sizes: Sequence[object]) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in sizes)})"
