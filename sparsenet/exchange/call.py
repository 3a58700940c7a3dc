"""The call that a line translates, in the same form for every framework."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import UnsupportedLayerError
from sparsenet.exchange.problems import unsupported
from sparsenet.layers import Layer
from sparsenet.ops.shapes import Shape

__all__ = ["BoolArray", "Call", "FloatArray", "Layers", "Line", "Pair", "pair_of", "refuse_dependent", "translated"]

Pair = tuple[int, int]
Layers = tuple[Layer, ...]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Call:
    """The facts about a call, besides its arguments, that a translator may use.

    Attributes
    ----------
    shapes : tuple of tuple of int
        Of a sample of each value among the arguments, in order.
    dtypes : tuple of str
        "float32" or "uint8", of the same values.
    depends : callable
        Says whether an argument depends on the network's input; all others are constants.
    numbers : callable
        Gives a constant as an array of float32.
    weight : callable
        Gives a weight, and the mask that is declared for it, or None.
    note : callable
        Takes what the report should say, and of what kind it is (see ``sparsenet.exchange.report.Note``).
    result_shape : tuple of int, optional
        Of a sample of the result, where the framework says so before it is translated.
    batch : int
        How many samples there are where the framework counts them among the elements of a shape.
    version : int
        Of the operators' set (ONNX).
    kept : mapping
        What this package's own writer kept of the layer beside the format.
    """

    shapes: tuple[Shape, ...]
    dtypes: tuple[str, ...]
    depends: Callable[[Any], bool]
    numbers: Callable[[Any], FloatArray]
    weight: Callable[[Any], tuple[FloatArray, BoolArray | None]]
    note: Callable[..., None]
    result_shape: Shape = ()
    batch: int = 0
    version: int = 0
    kept: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def shape(self) -> Shape:
        """Of a sample of the first value, for most calls the only one."""
        return self.shapes[0]


@dataclass(frozen=True)
class Line:
    """How a framework's function is translated.

    Attributes
    ----------
    translate : callable
        Takes a :class:`Call` and then the function's arguments under the framework's own names; returns the layers
        that compute the same, one after the other: none where the function changes nothing.
    gives : tuple of str
        The kinds of layer that it may return.
    place : {"first", "either", "several"}
        Where values that depend on the input may stand: the first argument, one of the first two, or several at once.
    """

    translate: Callable[..., Layers]
    gives: tuple[str, ...] = ()
    place: str = "first"


def translated(line: Line, call: Call, inputs: Sequence[str], args: Any, kwargs: Any) -> Layers:
    """Translate a call; ``inputs`` are the names of the values among its arguments.

    Raises
    ------
    UnsupportedLayerError
        When a value stands where the line takes none, or an argument is one that it does not know.
    """
    try:
        bound = signature(line.translate).bind(call, *args, **kwargs)
    except TypeError as error:
        raise UnsupportedLayerError(f"expected other arguments: {error}") from None
    if len(inputs) > 1 and line.place != "several":
        values = " and ".join(repr(one) for one in inputs)
        raise UnsupportedLayerError(
            f"expected one value that depends on the input, and constants beside it, got {len(inputs)} values that "
            f"depend on it: those of {values}"
        )
    if line.place == "first" and not call.depends(bound.args[1]):
        raise UnsupportedLayerError(
            "expected the value that depends on the input as the first argument, got a constant there"
        )
    return line.translate(*bound.args, **bound.kwargs)


def refuse_dependent(call: Call, *arguments: Any) -> None:
    """Refuse weights that depend on the input."""
    if any(call.depends(argument) for argument in arguments):
        raise unsupported("weights that do not depend on the input", "a function of it")


def pair_of(value: Any) -> Pair:
    """Read a setting that is one integer for both directions, or two, vertical first.

    Examples
    --------
    >>> pair_of(3), pair_of([1, 2])
    ((3, 3), (1, 2))
    """
    both = list(value) if isinstance(value, tuple | list) else [value]
    return (int(both[0]), int(both[-1]))
