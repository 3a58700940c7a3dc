"""The parts of a network: what it is given, and its layers by name."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsenet.errors import GraphError
from sparsenet.ops import Layer
from sparsenet.ops.checks import MOST_AXES
from sparsenet.ops.geometry import LARGEST_ELEMENTS, Shape

__all__ = ["INPUT", "INPUT_DTYPES", "Input", "Node"]

INPUT = "input"
"""The name of the input of a network that has one and gives it no other."""

INPUT_DTYPES = ("float32", "int32", "bool")
"""What inputs may hold."""


@dataclass(frozen=True)
class Input:
    """One of the arrays that a network is given.

    Parameters
    ----------
    shape : tuple of int
        Of one sample, without the batch axis; 1 to 8 sizes.
    dtype : {"float32", "int32", "bool"}
        Whole numbers and truth values go through a :class:`sparsenet.Cast` before anything computes with them.

    Raises
    ------
    GraphError
        When the shape or the dtype cannot be that of an input.

    Examples
    --------
    >>> Input((128,), "int32")
    Input(shape=(128,), dtype='int32')
    """

    shape: Shape
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _checked_shape(self.shape))
        object.__setattr__(self, "dtype", _checked_dtype(self.dtype))


@dataclass(frozen=True, eq=False)
class Node:
    """A named layer and the names of what it reads: other nodes, or inputs of the network (mostly ``"input"``)."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]


def _checked_shape(shape: Any) -> Shape:
    if not isinstance(shape, tuple | list) or not all(
        isinstance(size, int | np.integer) and not isinstance(size, bool) for size in shape
    ):
        raise TypeError(f"expected the input shape as a tuple of integers, got {shape!r}")
    sizes = tuple(int(size) for size in shape)
    elements = 1
    for size in sizes:
        elements *= size
    if not 1 <= len(sizes) <= MOST_AXES or min(sizes) < 1 or elements > LARGEST_ELEMENTS:
        raise GraphError(
            f"expected an input shape of 1 to {MOST_AXES} positive sizes and at most {LARGEST_ELEMENTS} elements, "
            f"got {sizes}"
        )
    return sizes


def _checked_dtype(dtype: Any) -> str:
    try:
        name = str(np.dtype(dtype))
    except (TypeError, ValueError):
        name = str(dtype)
    if name not in INPUT_DTYPES:
        hint = "; arrays of int64 are given as int32, where they fit" if name == "int64" else ""
        raise GraphError(f"expected an input of {', '.join(INPUT_DTYPES[:-1])} or {INPUT_DTYPES[-1]}, got {name}{hint}")
    return name
