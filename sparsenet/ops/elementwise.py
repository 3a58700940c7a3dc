"""Elementwise layers: each output element depends on the input elements at the same place."""

from dataclasses import dataclass

from sparsenet.errors import GraphError
from sparsenet.ops.checks import real, set_field, wrong
from sparsenet.ops.dtypes import DTYPES
from sparsenet.ops.geometry import Shape, same_shape
from sparsenet.ops.growth import Growth
from sparsenet.ops.operation import Array, Operation, Stored
from sparsenet.ops.work import Work, added, same_active
from sparsenet_kernels import reference

__all__ = ["Add", "Cast", "LeakyReLU", "ReLU"]

LARGEST_SLOPE = 2.0**30


@dataclass(frozen=True, eq=False)
class ReLU:
    """Set negative values to zero."""


@dataclass(frozen=True, eq=False)
class LeakyReLU:
    """Multiply what is not positive by a slope.

    Parameters
    ----------
    slope : float
        0 makes a ReLU; at most 2**30 in size.

    Raises
    ------
    GraphError
        When the slope is not finite, or larger.

    Examples
    --------
    >>> import sparsenet as sn
    >>> sn.Network.sequential((2,), [LeakyReLU(0.25)]).reference([[-4.0, 4.0]])
    array([[-1.,  4.]])
    """

    slope: float = 0.01

    def __post_init__(self) -> None:
        slope = real(self, "slope", self.slope)
        if abs(slope) > LARGEST_SLOPE:
            raise wrong(self, f"a slope of at most {LARGEST_SLOPE:.0f} in size", f"{slope}")
        set_field(self, "slope", slope)


@dataclass(frozen=True, eq=False)
class Add:
    """Add two or more inputs of one shape, element by element."""


@dataclass(frozen=True, eq=False)
class Cast:
    """Turn whole numbers (int32) or truth values (bool) into float32; true becomes 1.

    Whole numbers up to 2**24 in size are exact; an engine rounds larger ones to the 24 bits that float32 has.
    """


def _one_shape(layer: Add, shapes: tuple[Shape, ...]) -> Shape:
    for other in shapes[1:]:
        if other != shapes[0]:
            raise GraphError(f"expected inputs of one shape, got {shapes[0]} and {other}")
    return shapes[0]


def _relu(layer: ReLU, x: Array) -> Array:
    return reference.relu(x)


def _leaky_relu(layer: LeakyReLU, x: Array) -> Array:
    return reference.leaky_relu(x, layer.slope)


def _leaky_relu_growth(layer: LeakyReLU, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=max(1.0, abs(layer.slope))).rounded(1)


def _add(layer: Add, *inputs: Array) -> Array:
    return reference.add(*inputs)


def _cast(layer: Cast, x: Array) -> Array:
    return x


def _cast_dtype(layer: Cast, inputs: tuple[str, ...]) -> str:
    if inputs[0] not in ("int32", "bool"):
        raise GraphError(f"expected int32 or bool, got {DTYPES[inputs[0]]}, which needs no Cast()")
    return "float32"


def _cast_growth(layer: Cast, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=0.0, shift=2.0**31)


def _add_growth(layer: Add, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(over="sum").rounded(len(shapes))


OPERATIONS = (
    Operation(ReLU, same_shape, _relu, work=Work(same_active)),
    Operation(
        LeakyReLU,
        same_shape,
        _leaky_relu,
        growth=_leaky_relu_growth,
        work=Work(same_active),
        stored=Stored(("slope",)),
    ),
    Operation(Cast, same_shape, _cast, dtype=_cast_dtype, growth=_cast_growth, work=Work(same_active)),
    Operation(Add, _one_shape, _add, arity=(2, None), growth=_add_growth, work=Work(added)),
)
