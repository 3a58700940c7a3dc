"""Check the arguments of layers when they are made, and keep them read-only."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import GraphError
from sparsenet.given import given_array, real_array

__all__ = [
    "LARGEST_SIZE",
    "MOST_AXES",
    "BoolArray",
    "FloatArray",
    "Pair",
    "as_pair",
    "frozen_floats",
    "frozen_mask",
    "frozen_whole",
    "integer",
    "pair",
    "real",
    "rebuilt",
    "sequence",
    "set_field",
    "set_steps",
    "set_weights",
    "set_window",
    "wrong",
]

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
Pair = int | tuple[int, int]

MOST_AXES = 8
"""A sample has at most this many axes."""

LARGEST_SIZE = 2**15
"""Kernel sizes, strides, paddings and dilations above this are mistakes, and would overflow the kernels' indices."""


def set_field(layer: object, name: str, value: object) -> None:
    """Set a field of a frozen layer while it is being made."""
    object.__setattr__(layer, name, value)


def rebuilt(layer: Any) -> tuple[type, tuple[Any, ...]]:
    """Say how to copy or unpickle a layer: by constructing it again, so that its arrays are checked and read-only."""
    return type(layer), tuple(getattr(layer, field.name) for field in fields(layer))


def wrong(layer: object, expected: str, got: str) -> GraphError:
    """Return the error that says what a layer expected and what came."""
    return GraphError(f"{type(layer).__name__}: expected {expected}, got {got}")


def integer(layer: object, name: str, value: Any, least: int, most: int = 2**31 - 1) -> int:
    """Return a setting as an integer within its limits."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{type(layer).__name__}: expected {name} to be an integer, got {type(value).__name__}")
    if not least <= value <= most:
        raise wrong(layer, f"{name} from {least} to {most}", f"{value}")
    return int(value)


def real(layer: object, name: str, value: Any) -> float:
    """Return a setting as a finite float."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{type(layer).__name__}: expected {name} to be a number, got {type(value).__name__}")
    if not np.isfinite(value):
        raise wrong(layer, f"a finite {name}", f"{value}")
    return float(value)


def sequence(layer: object, name: str, value: Any) -> Sequence[Any]:
    """Return a setting that must be a tuple or a list."""
    if not isinstance(value, tuple | list):
        raise TypeError(f"{type(layer).__name__}: expected {name} to be a tuple, got {type(value).__name__}")
    return value


def pair(layer: object, name: str, value: Any, least: int) -> tuple[int, int]:
    """Return a setting given as one integer for both directions, or two, as (vertical, horizontal)."""
    both = value if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2:
        raise wrong(layer, f"{name} as one integer or two", f"{value}")
    return (
        integer(layer, name, both[0], least, LARGEST_SIZE),
        integer(layer, name, both[1], least, LARGEST_SIZE),
    )


def as_pair(value: Pair | None) -> tuple[int, int]:
    """Read a pair of a finished layer: (vertical, horizontal).

    Examples
    --------
    >>> import sparsenet as sn
    >>> as_pair(sn.MaxPool2d(2).stride)
    (2, 2)
    """
    if value is None or isinstance(value, int):
        raise TypeError(f"expected the two sizes of a finished layer, got {value!r}")
    return value


def frozen_floats(layer: object, name: str, values: Any, axes: str) -> FloatArray:
    """Copy to a read-only float32 array with one axis for each comma-separated entry of ``axes``."""
    given = real_array(values, f"numbers in {name} of a {type(layer).__name__}")
    with np.errstate(over="ignore"):
        array = np.array(given, np.float32, order="C")
    _check_axes(layer, name, array, axes)
    if not np.isfinite(array).all():
        raise wrong(layer, f"finite float32 values in {name}", f"{(~np.isfinite(array)).sum()} NaN or infinite")
    array.setflags(write=False)
    return array


def frozen_whole(layer: object, name: str, values: Any, axes: str, dtype: type[np.signedinteger[Any]]) -> Any:
    """Copy to a read-only array of whole numbers, every one of which must fit ``dtype`` as it is."""
    given = given_array(values, f"integers in {name} of a {type(layer).__name__}")
    if given.dtype.kind not in "iu":
        raise TypeError(f"{type(layer).__name__}: expected {name} to hold integers, got {given.dtype}")
    _check_axes(layer, name, given, axes)
    limits = np.iinfo(dtype)
    if given.min() < limits.min or given.max() > limits.max:
        raise wrong(layer, f"{name} from {limits.min} to {limits.max}", f"{given.min()} to {given.max()}")
    array = np.array(given, dtype, order="C")
    array.setflags(write=False)
    return array


def _check_axes(layer: object, name: str, array: npt.NDArray[Any], axes: str) -> None:
    if array.ndim != len([axis for axis in axes.strip("()").split(",") if axis]) or array.size == 0:
        raise wrong(layer, f"{name} of shape {axes}, none of it empty", f"{array.shape}")


def set_weights(layer: object, weight: Any, bias: Any, mask: Any, axes: str) -> None:
    """Check and keep the float32 weight of a layer, its bias and its mask."""
    weight = frozen_floats(layer, "weight", weight, axes)
    set_field(layer, "weight", weight)
    if bias is not None:
        bias = frozen_floats(layer, "bias", bias, "(N,)")
        if len(bias) != len(weight):
            raise wrong(layer, f"a bias of shape ({len(weight)},)", f"{bias.shape}")
        set_field(layer, "bias", bias)
    if mask is not None:
        set_field(layer, "mask", frozen_mask(layer, mask, weight))


def frozen_mask(layer: object, given: Any, weight: npt.NDArray[Any]) -> BoolArray:
    """Copy a mask; no weight may lie outside it."""
    mask: BoolArray = np.array(given_array(given, f"a mask of a {type(layer).__name__}"), order="C")
    if mask.dtype != np.bool_ or mask.shape != weight.shape:
        raise wrong(layer, f"a bool mask of shape {weight.shape}", f"{mask.dtype} {mask.shape}")
    if weight[~mask].any():
        raise wrong(layer, "weights of zero outside the mask", f"{np.count_nonzero(weight[~mask])} others")
    mask.setflags(write=False)
    return mask


def set_window(layer: Any) -> None:
    """Check and keep the kernel, stride and padding of a pooling layer."""
    kernel = pair(layer, "kernel", layer.kernel, 1)
    stride = kernel if layer.stride is None else pair(layer, "stride", layer.stride, 1)
    padding = pair(layer, "padding", layer.padding, 0)
    if padding[0] > kernel[0] // 2 or padding[1] > kernel[1] // 2:
        raise wrong(layer, f"padding of at most half the kernel {kernel}", f"{padding}")
    for name, value in (("kernel", kernel), ("stride", stride), ("padding", padding)):
        set_field(layer, name, value)


def set_steps(layer: Any) -> None:
    """Check and keep the scale and zero point of a layer between float32 values and bytes."""
    given = real(layer, "scale", layer.scale)
    with np.errstate(over="ignore", divide="ignore"):
        scale = np.float32(given)
        reciprocal = np.float32(1) / scale
    if not (np.isfinite(scale) and np.isfinite(reciprocal) and scale > 0 and reciprocal > 0):
        raise wrong(layer, "a positive scale that float32 can hold and divide by", f"{layer.scale}")
    set_field(layer, "scale", float(scale))
    set_field(layer, "zero", integer(layer, "zero", layer.zero, 0, 255))
