"""Lowering the layers of a quantised network: bytes lie channels last, each position padded to whole vectors.

What no byte kernel computes goes through float32, which holds every byte exactly: slower, never wrong.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from sparsenet.layers import (
    Dequantize,
    Flatten,
    KWinners,
    Layer,
    MaxPool2d,
    Quantize,
    QuantizedConv2d,
    QuantizedLinear,
    Reshape,
    as_pair,
)
from sparsenet.lowering.byte_conv2d import lower_quantized_conv2d
from sparsenet.lowering.byte_linear import lower_quantized_linear
from sparsenet.lowering.byte_values import Bytes, Layout, as_padded_vector, byte_buffer, padded_layout
from sparsenet.lowering.float_layers import lower_float_layer
from sparsenet.lowering.values import Draft, Value, View, dense_buffer, emit
from sparsenet.lowering.weighted import Plan
from sparsenet.ops.shapes import Shape

__all__ = ["as_floats", "lower_byte_layer"]


def lower_quantize(draft: Draft, layer: Quantize, value: Value) -> Bytes:
    """Emit the kernel that rounds floats to bytes."""
    R, C = value.rows, value.channels
    layout = padded_layout(R, C)
    reciprocal = np.array([np.float32(1) / np.float32(layer.scale)], np.float32)
    dense, out = dense_buffer(draft, value), byte_buffer(draft, *layout.shape)
    if layout.shape == layout.elements:
        emit(draft, "quantize_i8", View(dense, (R * C,)), reciprocal, layer.zero, View(out, (R * C,)))
    else:
        emit(draft, "quantize_rows_i8", View(dense, (R, C)), reciprocal, layer.zero, View(out, layout.shape))
    origin = value.origin if value.turned else None  # a flattened image whose floats still lie as an image
    return Bytes(R, C, layout, out, None if origin is None else (origin.rows, origin.channels))


def lower_dequantize(draft: Draft, layer: Dequantize, value: Bytes) -> Value:
    """Emit the kernel that turns bytes to floats."""
    scale = np.array([layer.scale], np.float32)
    floats = value.layout.elements
    out = draft.buffer(*floats)
    emit(draft, "dequantize_i8", value.view, scale, layer.zero, View(out, floats))
    origin = None if value.image is None else Value(*value.image, out)
    return Value(value.rows, value.channels, out, origin=origin)


def as_floats(draft: Draft, value: Bytes) -> Value:
    """Return the bytes as floats of the same numbers."""
    return lower_dequantize(draft, Dequantize(1.0), value)


def as_bytes(draft: Draft, value: Value) -> Bytes:
    """Return floats that are whole numbers from 0 to 255 as bytes."""
    return lower_quantize(draft, Quantize(1.0), value)


def lower_byte_pool(draft: Draft, layer: MaxPool2d, value: Bytes, sizes: Shape, out: Shape) -> Bytes:
    """Emit max pooling of an image of bytes whose positions are whole vectors."""
    (H, W), (OH, OW), S = sizes, out, value.stride
    layout = Layout(OH * OW, value.channels, S)
    pooled = byte_buffer(draft, *layout.shape)
    settings = (*as_pair(layer.kernel), *as_pair(layer.stride), *as_pair(layer.padding))
    emit(draft, "max_pool2d_i8", View(value.buffer, (H, W, S)), *settings, View(pooled, (OH, OW, S)))
    expected = min(float(value.channels), prod(as_pair(layer.kernel)) * value.expected)
    return Bytes(OH * OW, value.channels, layout, pooled, expected=expected)


def lower_byte_winners(draft: Draft, layer: KWinners, value: Bytes) -> Bytes:
    """Emit k-winners among the channels of each position, where they are whole vectors and no factor ranks them."""
    out = replace(value, buffer=byte_buffer(draft, *value.layout.shape), expected=float(layer.k))
    emit(draft, "kwta_i8", value.view, layer.k, out.view)
    return out


def lower_flatten_bytes(draft: Draft, value: Bytes) -> Bytes:
    """Flatten without moving anything: whoever reads the vector knows the image it was."""
    if value.image is not None or value.rows == 1:
        return value
    if not value.layout.whole_vectors:
        return as_padded_vector(draft, value)
    image = value.rows, value.channels
    return Bytes(1, value.rows * value.channels, value.layout, value.buffer, image, value.rows * value.expected)


def lower_byte_layer(
    draft: Draft,
    plan: Plan,
    layer: Layer,
    inputs: Sequence[Value | Bytes],
    shapes: Sequence[Shape],
    out_shape: Shape,
    pool: bool,
) -> Value | Bytes:
    """Emit the kernels of a layer that takes or gives bytes; ``pool`` joins a 2 x 2 max pooling to a convolution."""
    first = inputs[0]
    if isinstance(first, Value):
        assert isinstance(layer, Quantize)
        return lower_quantize(draft, layer, first)
    if isinstance(layer, QuantizedConv2d):
        return lower_quantized_conv2d(draft, plan, layer, first, shapes[0], out_shape, pool)
    if isinstance(layer, QuantizedLinear):
        return lower_quantized_linear(draft, plan, layer, first)
    if isinstance(layer, Dequantize):
        return lower_dequantize(draft, layer, first)
    if isinstance(layer, Flatten) or (isinstance(layer, Reshape) and len(out_shape) == 1):
        return lower_flatten_bytes(draft, first)
    whole_vectors = first.layout.whole_vectors and first.image is None
    if isinstance(layer, MaxPool2d) and whole_vectors:
        return lower_byte_pool(draft, layer, first, shapes[0][1:], out_shape[1:])
    local = isinstance(layer, KWinners) and (layer.scope == "channels" or first.rows == 1)
    if isinstance(layer, KWinners) and local and whole_vectors and layer.factor is None:
        return lower_byte_winners(draft, layer, first)
    floats = [as_floats(draft, value) for value in inputs if isinstance(value, Bytes)]
    return as_bytes(draft, lower_float_layer(draft, plan, layer, floats, list(shapes), out_shape))
