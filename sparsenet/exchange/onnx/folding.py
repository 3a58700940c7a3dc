"""Fold constants: compute what depends on no input, such as arithmetic on shapes and weights, in NumPy.

Shapes contain the batch size, which is not known yet; :data:`BATCH` stands for it. It is a prime larger than any size,
so that no result of arithmetic with it is mistaken for a size.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.exchange.onnx.graph import Operator
from sparsenet.exchange.onnx.tensors import DTYPES
from sparsenet.exchange.problems import unsupported

__all__ = ["BATCH", "FOLDED", "fold"]

BATCH = 2_147_483_629
"""The number of samples."""

MOST_ELEMENTS = 2**28

Array = npt.NDArray[Any]
Given = Sequence[Any]


def fold(operator: Operator, inputs: Given) -> Array:
    """Compute an operator whose inputs are all constants; one that is left out is None.

    Raises
    ------
    UnsupportedLayerError
        When it would be too large, or is none of those that are computed here.
    """
    compute = FOLDED.get(operator.kind)
    if compute is None:
        raise unsupported("an operator that is computed on constants", operator.kind)
    if operator.kind in BROADCASTING:
        _refuse_large(np.broadcast_shapes(*(np.shape(one) for one in inputs if one is not None)))
    with np.errstate(all="ignore"):
        return np.asarray(compute(inputs, operator.attributes))


def _refuse_large(shape: Sequence[int]) -> None:
    if prod(shape) > MOST_ELEMENTS or min(shape, default=0) < 0:
        raise unsupported(f"constants of at most {MOST_ELEMENTS} elements", f"shape {tuple(shape)}")


def _axes(inputs: Given, attributes: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Read axes, an attribute in older sets of operators and an input in newer ones."""
    axes = inputs[1] if len(inputs) > 1 and inputs[1] is not None else attributes.get("axes")
    return None if axes is None else tuple(int(axis) for axis in np.ravel(axes))


def _constant(inputs: Given, attributes: Mapping[str, Any]) -> Array:
    dtypes = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    for name, value in attributes.items():
        if name == "value" and isinstance(value, np.ndarray):
            return value
        if name in dtypes:
            return np.asarray(value, dtypes[name])
    raise unsupported("a constant of numbers", f"one with {', '.join(attributes) or 'nothing'}")


def _cast(inputs: Given, attributes: Mapping[str, Any]) -> Array:
    to = int(attributes["to"])
    if to not in DTYPES:
        raise unsupported("a cast to numbers or truth values", f"ONNX's type number {to}")
    return np.asarray(inputs[0]).astype(DTYPES[to])


def _constant_of_shape(inputs: Given, attributes: Mapping[str, Any]) -> Array:
    shape = [int(size) for size in np.ravel(inputs[0])]
    _refuse_large(shape)
    value = np.ravel(attributes.get("value", np.zeros(1, np.float32)))
    return np.full(shape, value[0], value.dtype)


def _expand(inputs: Given, attributes: Mapping[str, Any]) -> Array:
    shape = np.broadcast_shapes(np.shape(inputs[0]), tuple(int(size) for size in np.ravel(inputs[1])))
    _refuse_large(shape)
    return np.broadcast_to(inputs[0], shape)


def _range(inputs: Given, attributes: Mapping[str, Any]) -> Array:
    start, limit, step = (np.ravel(one)[0] for one in inputs)
    _refuse_large([max(0, int((limit - start) / step) + 1)])
    made: Array = np.arange(start, limit, step).astype(np.asarray(inputs[0]).dtype)
    return made


def _reshape(inputs: Given, attributes: Mapping[str, Any]) -> Array:
    sizes = [int(size) for size in np.ravel(inputs[1])]
    if not attributes.get("allowzero", 0):
        sizes = [np.shape(inputs[0])[at] if size == 0 else size for at, size in enumerate(sizes)]
    return np.reshape(inputs[0], sizes)


def _slice(inputs: Given, attributes: Mapping[str, Any]) -> Array:
    """Cut along axes; all of it are attributes before version 10 and inputs since then."""
    names = ("starts", "ends", "axes", "steps")
    given = [*inputs[1:], *[None] * 4][:4]
    starts, ends, axes, steps = (
        attributes.get(name) if one is None else [int(each) for each in np.ravel(one)]
        for name, one in zip(names, given, strict=True)
    )
    cuts = [slice(None)] * np.ndim(inputs[0])
    for at, (start, end) in enumerate(zip(starts or (), ends or (), strict=True)):
        cuts[axes[at] if axes else at] = slice(start, end if abs(end) < 2**62 else None, steps[at] if steps else 1)
    return np.asarray(inputs[0])[tuple(cuts)]


def _div(inputs: Given, attributes: Mapping[str, Any]) -> Array:
    left, right = (np.asarray(one) for one in inputs)
    if left.dtype.kind in "iu":
        return np.asarray(np.sign(left) * np.sign(right) * (abs(left) // abs(right)), left.dtype)  # towards zero
    return np.asarray(left / right)


def _dequantize(inputs: Given, attributes: Mapping[str, Any]) -> Array:
    """Scale whole numbers, each index of an axis by a scale of its own if there are several."""
    values, scale = np.asarray(inputs[0]), np.asarray(inputs[1])
    zero = np.zeros((), values.dtype) if len(inputs) < 3 or inputs[2] is None else np.asarray(inputs[2])
    if scale.ndim == 1 and scale.size > 1:
        sides = [1] * values.ndim
        sides[attributes.get("axis", 1)] = -1
        scale, zero = scale.reshape(sides), zero.reshape(sides) if zero.size > 1 else zero
    return np.asarray((values.astype(np.int64) - zero.astype(np.int64)) * scale, np.float32)


def _of_two(function: Callable[..., Any]) -> Callable[[Given, Mapping[str, Any]], Any]:
    return lambda inputs, attributes: function(*inputs)


FOLDED: dict[str, Callable[[Given, Mapping[str, Any]], Any]] = {
    "Add": _of_two(np.add),
    "Cast": _cast,
    "Ceil": _of_two(np.ceil),
    "Concat": lambda inputs, attributes: np.concatenate(inputs, int(attributes["axis"])),
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DequantizeLinear": _dequantize,
    "Div": _div,
    "Equal": _of_two(np.equal),
    "Expand": _expand,
    "Floor": _of_two(np.floor),
    "Gather": lambda inputs, attributes: np.take(inputs[0], inputs[1], int(attributes.get("axis", 0))),
    "Identity": lambda inputs, attributes: inputs[0],
    "Mul": _of_two(np.multiply),
    "Neg": _of_two(np.negative),
    "Not": _of_two(np.logical_not),
    "Range": _range,
    "ReduceProd": lambda inputs, attributes: np.prod(
        inputs[0], _axes(inputs, attributes), keepdims=bool(attributes.get("keepdims", 1))
    ),
    "Reshape": _reshape,
    "Shape": lambda inputs, attributes: np.array(np.shape(inputs[0]), np.int64),
    "Slice": _slice,
    "Sqrt": _of_two(np.sqrt),
    "Squeeze": lambda inputs, attributes: np.squeeze(inputs[0], _axes(inputs, attributes)),
    "Sub": _of_two(np.subtract),
    "Transpose": lambda inputs, attributes: np.transpose(inputs[0], attributes.get("perm")),
    "Unsqueeze": lambda inputs, attributes: np.expand_dims(inputs[0], _axes(inputs, attributes) or ()),
    "Where": _of_two(np.where),
}
"""By the operator's type: takes the inputs and the attributes."""

BROADCASTING = frozenset(["Add", "Div", "Equal", "Mul", "Sub", "Where"])
