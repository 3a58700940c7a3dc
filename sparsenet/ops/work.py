"""Count how much a layer computes and how many of its values can be non-zero; explain adds this up over a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from sparsenet.ops.geometry import Shape

__all__ = ["UNCOUNTED", "Active", "Work", "added", "anywhere", "everything", "nothing", "same_active"]


@dataclass(frozen=True)
class Active:
    """How many elements can be non-zero: in the whole sample, and among the channels at one position."""

    elements: int
    channels: int


def everything(layer: object, given: Sequence[Active], shape: Shape) -> Active:
    """Say that any element can be non-zero."""
    return Active(prod(shape), shape[0])


def same_active(layer: object, given: Sequence[Active], shape: Shape) -> Active:
    """Say that zeros stay zeros, where they are."""
    return given[0]


def anywhere(layer: object, given: Sequence[Active], shape: Shape) -> Active:
    """Say that zeros stay zeros but may move: one position may get all non-zero values."""
    return Active(given[0].elements, given[0].elements)


def added(layer: object, given: Sequence[Active], shape: Shape) -> Active:
    """Say that what can be non-zero in any input can be in the output."""
    return Active(sum(one.elements for one in given), sum(one.channels for one in given))


def nothing(layer: object, shapes: tuple[Shape, ...], shape: Shape) -> int:
    """Say that a layer multiplies nothing worth counting."""
    return 0


@dataclass(frozen=True)
class Work:
    """What explain counts of a kind of layer.

    Attributes
    ----------
    active : callable (layer, Active of each input, output shape) -> Active
        How many elements of the output can be non-zero; it may say more than the shape holds.
    products : callable (layer, shapes of the inputs, output shape) -> int
        Multiplications for one sample, zeros included.
    """

    active: Callable[[Any, Sequence[Active], Shape], Active] = everything
    products: Callable[[Any, tuple[Shape, ...], Shape], int] = nothing


UNCOUNTED = Work()
"""That of layers which multiply nothing worth counting, and leave no zeros that anyone knows of."""
