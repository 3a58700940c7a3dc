"""What an operation is: a kind of layer, and everything that is true of it on any machine."""

from collections.abc import Callable
from dataclasses import Field, dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from sparsenet.ops.checks import BoolArray
from sparsenet.ops.dtypes import floats
from sparsenet.ops.geometry import Shape
from sparsenet.ops.growth import Growth, unchanged
from sparsenet.ops.work import UNCOUNTED, Work

__all__ = ["Array", "Layer", "Operation", "Stored", "Weighted", "kept_count"]

Array = npt.NDArray[np.float64]


class Layer(Protocol):
    """Any layer: a frozen dataclass of one of the kinds that :data:`sparsenet.layers.LAYERS` lists."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@runtime_checkable
class Weighted(Protocol):
    """Any layer that has weights; ``isinstance`` tells."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def weight(self) -> npt.NDArray[Any]:
        """The weights (N, ...), float32 or int8; their zeros are the sparsity."""

    @property
    def bias(self) -> npt.NDArray[Any] | None:
        """What is added to each output (N,)."""

    @property
    def mask(self) -> BoolArray | None:
        """True where a weight is kept; None where the kept weights are those that are not zero."""


@dataclass(frozen=True)
class Stored:
    """The fields of a layer as a file holds them.

    Attributes
    ----------
    settings : tuple of str
        Fields that JSON holds.
    vectors, optional : tuple of str
        Arrays of one axis that every layer of the kind has, and those that may be None.
    whole : tuple of str
        Those of its arrays that hold whole numbers; the others are float32.
    weighted : bool
        Whether it has a ``weight`` and a ``mask``, which have an encoding of their own.
    """

    settings: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    weighted: bool = False


NOTHING_STORED = Stored()


@dataclass(frozen=True)
class Operation:
    """A kind of layer. Rules take a layer of the kind first; shapes are without the batch axis.

    Attributes
    ----------
    layer : type
        The class; its name is that of the kind, in files, too.
    shape : callable (layer, shapes of the inputs) -> shape
        Raises GraphError where the inputs do not fit the layer.
    reference : callable (layer, inputs (B, *shape)...) -> array (B, *shape)
        What the layer means, in float64.
    arity : (int, int or None)
        How many inputs it takes, at least and at most.
    dtype : callable (layer, dtypes of the inputs) -> dtype
        "float32", "uint8", "int32" or "bool"; raises GraphError where the layer cannot work on such inputs.
    growth : callable (layer, shapes of the inputs) -> Growth
    work : Work
    stored : Stored
    """

    layer: type
    shape: Callable[[Any, tuple[Shape, ...]], Shape]
    reference: Callable[..., Array]
    arity: tuple[int, int | None] = (1, 1)
    dtype: Callable[[Any, tuple[str, ...]], str] = floats
    growth: Callable[[Any, tuple[Shape, ...]], Growth] = unchanged
    work: Work = UNCOUNTED
    stored: Stored = NOTHING_STORED


def kept_count(layer: Weighted) -> int:
    """Count the weights that a layer keeps: those of its mask, or those that are not zero.

    Examples
    --------
    >>> import sparsenet as sn
    >>> kept_count(sn.Linear([[1.0, 0.0, 2.0]]))
    2
    """
    return int(np.count_nonzero(layer.weight if layer.mask is None else layer.mask))
