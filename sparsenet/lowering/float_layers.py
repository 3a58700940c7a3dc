"""Lowering the layers that take and give float32."""

from math import prod

import numpy as np
import numpy.typing as npt

from sparsenet.errors import RangeError
from sparsenet.graph.reference import LEAVES_FLOAT32
from sparsenet.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Reshape,
    Softmax,
    as_pair,
)
from sparsenet.lowering.arena import Buffer
from sparsenet.lowering.values import Draft, Lists, Value, View, dense_buffer, emit, logical_buffer, scratch
from sparsenet.lowering.weighted import Plan, lower_conv2d, lower_linear
from sparsenet.ops.kwinners import factor_per_element
from sparsenet.ops.normalization import batch_norm_affine
from sparsenet.ops.shapes import Shape
from sparsenet.passes.fold_batchnorm import loses_digits

__all__ = ["from_logical", "lower_float_layer"]

SMALL = 2.0**-64
"""Scales below this are applied in two steps where their digits would be lost otherwise."""

ROWS_IN_LANES = 5
"""Rows from which on 16 lanes, some of them empty, take less than one row after the other: 0.25 against 0.3 µs."""


def from_logical(draft: Draft, logical: Buffer, shape: Shape) -> Value:
    """Turn elements in (C, H, W) order channels last, where they are an image of several channels."""
    channels, rows = shape[0], prod(shape[1:])
    if channels == 1 or rows == 1:
        return Value(rows, channels, logical)
    turned = draft.buffer(rows, channels)
    emit(draft, "swap_axes_f32", View(logical, (channels, rows)), View(turned, (rows, channels)))
    return Value(rows, channels, turned)


def lower_float_layer(
    draft: Draft, plan: Plan, layer: Layer, inputs: list[Value], shapes: list[Shape], out_shape: Shape
) -> Value:
    """Emit the kernels of a layer that takes and gives float32."""
    if isinstance(layer, Conv2d):
        return lower_conv2d(draft, plan, layer, inputs[0], shapes[0], out_shape)[0]
    if isinstance(layer, Linear):
        return lower_linear(draft, plan, layer, inputs[0])
    if isinstance(layer, KWinners):
        return _lower_k_winners(draft, layer, inputs[0], shapes[0])
    if isinstance(layer, ReLU):
        return _lower_relu(draft, inputs[0])
    if isinstance(layer, MaxPool2d | AvgPool2d | GlobalAvgPool2d):
        return _lower_pool(draft, layer, inputs[0], shapes[0], out_shape)
    if isinstance(layer, BatchNorm):
        return _lower_batch_norm(draft, layer, _in_order_of_meaning(draft, inputs[0]))
    if isinstance(layer, Flatten | Reshape):
        return _lower_reshape(draft, inputs[0], out_shape)
    if isinstance(layer, Add):
        return _lower_add(draft, inputs)
    if isinstance(layer, Concat):
        return _lower_concat(draft, inputs)
    return _lower_softmax(draft, _in_order_of_meaning(draft, inputs[0]), 0 if isinstance(layer, Softmax) else 1)


def _in_order_of_meaning(draft: Draft, value: Value) -> Value:
    """Return the value with its elements in the order of its meaning, which a flattened image has not."""
    return Value(1, value.channels, logical_buffer(draft, value), expected=value.expected) if value.turned else value


def _lower_k_winners(draft: Draft, layer: KWinners, value: Value, shape: Shape) -> Value:
    if layer.scope == "all" and value.rows > 1:
        return _lower_k_winners_map(draft, layer, value, shape)
    value = _in_order_of_meaning(draft, value)
    R, C = value.rows, value.channels
    lists = Lists(draft.buffer(R, layer.k), draft.buffer(R, layer.k), layer.k)
    in_lanes = R * draft.batch >= ROWS_IN_LANES and 8 <= C < 512 and layer.k <= 64
    emit(
        draft,
        "kwta_f32__lanes" if in_lanes else "kwta_f32",
        View(dense_buffer(draft, value), (R, C)),
        _ranking(layer.factor, C),
        *([scratch(draft, 80, 16), scratch(draft, 64)] if in_lanes else [scratch(draft, -(-C // 16) * 16)]),
        View(lists.columns, (R, layer.k)),
        View(lists.values, (R, layer.k)),
    )
    return Value(R, C, lists=lists, expected=float(layer.k))


def _ranking(factor: npt.NDArray[np.float32] | None, size: int) -> npt.NDArray[np.float32]:
    """Return factors that rank as those of a layer do: none larger than one, where that costs no digits.

    Products then stay within float32, mostly; kernels that meet others look at them exactly, which takes longer.
    """
    if factor is None or (factor == factor[0]).all():
        return np.ones(size, np.float32)
    _, exponent = np.frexp(factor.max())
    halved = np.ldexp(factor, -exponent)
    return halved if np.array_equal(np.ldexp(halved, exponent), factor) else factor


def _lower_k_winners_map(draft: Draft, layer: KWinners, value: Value, shape: Shape) -> Value:
    """Choose among all elements of an image; its winners are spread unevenly, so they stay in place."""
    R, C = value.rows, value.channels
    factor = factor_per_element(layer, shape)
    ranking = _ranking(None if factor is None else factor.reshape(C, R).T.ravel(), R * C)
    dense, out = dense_buffer(draft, value), draft.buffer(R, C)
    emit(
        draft,
        "kwta_map_f32",
        View(dense, (R, C)),
        ranking,
        scratch(draft, -(-R * C // 16) * 16),
        layer.k,
        View(out, (R, C)),
    )
    return Value(R, C, out, expected=layer.k / R)


def _lower_relu(draft: Draft, value: Value) -> Value:
    size = value.rows * value.channels
    dense, out = dense_buffer(draft, value), draft.buffer(size)
    emit(draft, "relu_f32", View(dense, (size,)), View(out, (size,)))
    return _like(value, out, expected=value.expected)


def _like(value: Value, dense: Buffer, expected: float) -> Value:
    """Return a value of the same shape and order of elements, in dense form."""
    origin = value.origin
    if origin is not None:
        origin = Value(origin.rows, origin.channels, dense)
    return Value(value.rows, value.channels, dense, origin=origin, expected=expected)


def _lower_pool(
    draft: Draft,
    layer: MaxPool2d | AvgPool2d | GlobalAvgPool2d,
    value: Value,
    shape: Shape,
    out_shape: Shape,
) -> Value:
    C, H, W = shape
    OH, OW = out_shape[1:]
    if isinstance(layer, GlobalAvgPool2d):
        kernel, stride, padding = (H, W), (H, W), (0, 0)
    else:
        kernel, stride, padding = as_pair(layer.kernel), as_pair(layer.stride), as_pair(layer.padding)
    name = "max_pool2d_f32" if isinstance(layer, MaxPool2d) else "avg_pool2d_f32"
    dense, out = dense_buffer(draft, value), draft.buffer(OH * OW, C)
    emit(draft, name, View(dense, (H, W, C)), *kernel, *stride, *padding, View(out, (OH, OW, C)))
    return Value(OH * OW, C, out, expected=min(float(C), prod(kernel) * value.expected))


def _lower_batch_norm(draft: Draft, layer: BatchNorm, value: Value) -> Value:
    shape = (value.rows, value.channels)
    dense = dense_buffer(draft, value)
    for scale, shift in _affine_steps(draft, layer):
        out = draft.buffer(*shape)
        emit(draft, "affine_f32", View(dense, shape), scale, shift, View(out, shape))
        dense = out
    return Value(value.rows, value.channels, dense)


def _affine_steps(draft: Draft, layer: BatchNorm) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Return what to scale by and to add: once, or twice where float32 would lose digits of so small a scale."""
    scale, shift = batch_norm_affine(layer)
    largest = max(np.abs(scale).max(), np.abs(shift).max())
    if largest >= LEAVES_FLOAT32:
        raise RangeError(
            f"layer {draft.layer!r}: expected a scale and a shift that float32 can hold, got {largest:.0e}; such a "
            "variance, or mean, means that the layer's inputs must be scaled"
        )
    if loses_digits(scale):
        first = np.where(np.abs(scale) < SMALL, SMALL, 1.0)
        zeros = np.zeros(len(scale), np.float32)
        return [(first.astype(np.float32), zeros), ((scale / first).astype(np.float32), shift.astype(np.float32))]
    return [(scale.astype(np.float32), shift.astype(np.float32))]


def _lower_reshape(draft: Draft, value: Value, out_shape: Shape) -> Value:
    """Give the elements another shape; flattening an image moves nothing until somebody minds the order."""
    if len(out_shape) > 1:
        return from_logical(draft, logical_buffer(draft, value), out_shape)
    if value.origin is not None:
        return value
    if value.rows == 1:
        return Value(1, value.channels, value.dense, value.lists, expected=value.expected)
    return Value(1, prod(out_shape), value.dense, origin=value, expected=value.rows * value.expected)


def _lower_add(draft: Draft, inputs: list[Value]) -> Value:
    values = [_in_order_of_meaning(draft, value) for value in inputs]
    first = values[0]
    size = first.rows * first.channels
    total, out = dense_buffer(draft, first), draft.buffer(size)
    for other in values[1:]:
        addend = dense_buffer(draft, other)
        emit(draft, "add_f32", View(total, (size,)), View(addend, (size,)), View(out, (size,)))
        total = out
    return Value(first.rows, first.channels, out)


def _lower_concat(draft: Draft, inputs: list[Value]) -> Value:
    values = [_in_order_of_meaning(draft, value) for value in inputs]
    R, C = values[0].rows, sum(value.channels for value in values)
    out = draft.buffer(R, C)
    first = 0
    for value in values:
        dense = dense_buffer(draft, value)
        emit(draft, "place_f32", View(dense, (R, value.channels)), first, View(out, (R, C)))
        first += value.channels
    return Value(R, C, out, expected=sum(value.expected for value in values))


def _lower_softmax(draft: Draft, value: Value, logarithm: int) -> Value:
    shape = (value.rows, value.channels)
    dense, out = dense_buffer(draft, value), draft.buffer(*shape)
    emit(draft, "softmax_f32", View(dense, shape), logarithm, View(out, shape))
    return Value(value.rows, value.channels, out)
