"""Layers of quantised networks, which pass bytes and compute with whole numbers.

ONNX's QLinearConv rounds half to even where QuantizedConv2d rounds half up, so that the latter is written as operators
on whole numbers, every one of which is exact. Clipping comes before shifting: BitShift knows no negative numbers.

    bytes ── ConvInteger ── Add bias ── Clip 0 to 256 * 2**shift - 1 ── Cast uint32 ── BitShift ── Cast uint8 ──▶ bytes
    bytes ── MatMulInteger ── Cast float ── Mul scale ── Add bias ──▶ float32

ConvInteger subtracts the zero point from what it reads; what QuantizedConv2d leaves in its sums is added to the bias.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import UnsupportedLayerError
from sparsenet.exchange.call import Call, Layers, Line, refuse_dependent
from sparsenet.exchange.onnx.graph import Graph, Operator, fused
from sparsenet.exchange.onnx.writer import Writer
from sparsenet.exchange.problems import unsupported
from sparsenet.exchange.weights import keep_mask, kept_mask
from sparsenet.exchange.windows import onnx_padding, two_sizes
from sparsenet.layers import Dequantize, Quantize, QuantizedConv2d, QuantizedLinear, as_pair

__all__ = ["ONNX_IN", "ONNX_OUT", "ONNX_PATTERNS", "REFUSED", "TORCH"]

FLOAT, UINT8, UINT32 = 1, 2, 12
"""ONNX's numbers of types."""

MOST = 2**31 - 1


def _steps(call: Call, scale: Any, zero: Any) -> tuple[float, int]:
    """Read one scale and one zero point, a byte, for all values."""
    refuse_dependent(call, scale, zero)
    scales, zeros = np.asarray(scale), np.zeros(1, np.uint8) if zero is None else np.asarray(zero)
    if scales.size != 1 or zeros.size != 1:
        raise unsupported("one scale for all values", f"{scales.size}, one for each channel")
    if zeros.dtype != np.uint8:
        raise unsupported("values that become uint8, with a zero point of uint8", f"{zeros.dtype}")
    return float(scales.ravel()[0]), int(zeros.ravel()[0])


def _quantize_linear(
    call: Call, x: Any, y_scale: Any, y_zero_point: Any = None, *, axis: int = 1, saturate: int = 1,
    block_size: int = 0, output_dtype: int = 0, precision: int = 0,
) -> Layers:  # fmt: skip
    scale, zero = _steps(call, y_scale, y_zero_point)
    call.note("ONNX divides by the scale, here values are multiplied by its reciprocal: halves may differ", "differs")
    return (Quantize(scale, zero),)


def _dequantize_linear(
    call: Call, x: Any, x_scale: Any, x_zero_point: Any = None, *, axis: int = 1, block_size: int = 0,
    output_dtype: int = 0,
) -> Layers:  # fmt: skip
    return (Dequantize(*_steps(call, x_scale, x_zero_point)),)


def _write_quantize(layer: Quantize | Dequantize, writer: Writer) -> None:
    scale = writer.constant("scale", np.array(layer.scale, np.float32))
    zero = writer.constant("zero", np.array(layer.zero, np.uint8))
    writer.operator(f"{type(layer).__name__}Linear", [writer.source, scale, zero])


def _write_conv2d(layer: QuantizedConv2d, writer: Writer) -> None:
    left_out = layer.zero * layer.weight.sum((1, 2, 3), dtype=np.int64) + (1 << layer.shift >> 1)
    bias = (layer.bias + left_out).astype(np.int32).reshape(1, -1, 1, 1)
    keep_mask(layer, writer)
    sums = writer.operator(
        "ConvInteger",
        [writer.source, writer.constant("weight", layer.weight), writer.constant("zero", np.uint8(layer.zero))],
        "products",
        kernel_shape=layer.weight.shape[2:],
        strides=as_pair(layer.stride),
        pads=as_pair(layer.padding) * 2,
        dilations=as_pair(layer.dilation),
        group=layer.groups,
    )
    sums = writer.operator("Add", [sums, writer.constant("bias", bias)], "sums")
    limits = writer.constant("lowest", np.int32(0)), writer.constant("highest", np.int32(_highest(layer.shift)))
    clipped = writer.operator("Clip", [sums, *limits], "clipped")
    unsigned = writer.operator("Cast", [clipped], "unsigned", to=UINT32)
    shift = writer.constant("shift", np.uint32(layer.shift))
    shifted = writer.operator("BitShift", [unsigned, shift], "shifted", direction="RIGHT")
    writer.operator("Cast", [shifted], to=UINT8)


def _highest(shift: int) -> int:
    """Return the largest sum that becomes a byte, as far as an int32 reaches."""
    return min((256 << shift) - 1, MOST)


def _conv2d_pattern(graph: Graph, last: Operator) -> Operator | None:
    shifted = graph.made_by("BitShift", last.inputs[0]) if last.attributes.get("to") == UINT8 else None
    unsigned = None if shifted is None else graph.made_by("Cast", shifted.inputs[0])
    clipped = None if unsigned is None else graph.made_by("Clip", unsigned.inputs[0])
    sums = None if clipped is None or len(clipped.inputs) != 3 else graph.made_by("Add", clipped.inputs[0])
    products = None if sums is None else graph.made_by("ConvInteger", sums.inputs[0])
    if shifted is None or unsigned is None or clipped is None or sums is None or products is None:
        return None
    shift, bias = graph.whole(shifted.inputs[1]), graph.constants.get(sums.inputs[1])
    limits = [graph.whole(one) for one in clipped.inputs[1:]]
    whole = [graph.constants.get(name) for name in products.inputs[1:]]
    if shift is None or len(shift) != 1 or bias is None or any(one is None for one in whole):
        return None
    right = shifted.attributes.get("direction") == "RIGHT" and unsigned.attributes.get("to") == UINT32
    if not right or not 0 <= shift[0] <= 31 or limits != [[0], [_highest(shift[0])]]:
        return None
    inner = dict(zip(("weight", "zero", "weight_zero"), whole, strict=False))
    return fused("QuantizedConv2d", last, products.inputs[0], **products.attributes, **inner, bias=bias, shift=shift[0])


def _fused_conv2d(
    call: Call, x: Any, *, weight: Any, bias: Any, shift: int, zero: Any = 0, weight_zero: Any = 0,
    auto_pad: str = "NOTSET", dilations: Any = None, group: int = 1, kernel_shape: Any = None, pads: Any = None,
    strides: Any = None,
) -> Layers:  # fmt: skip
    weight, zero = _int8(weight, weight_zero), int(np.asarray(zero).reshape(()))
    if weight.ndim != 4 or bias.shape != (1, len(weight), 1, 1) or bias.dtype.kind != "i" or len(call.shape) != 3:
        raise unsupported("a filter (N, C, kh, kw) and a bias (1, N, 1, 1)", f"{weight.shape} and {bias.shape}")
    stride, dilation = two_sizes("strides", strides), two_sizes("dilations", dilations)
    reach = ((weight.shape[2] - 1) * dilation[0] + 1, (weight.shape[3] - 1) * dilation[1] + 1)
    padding = onnx_padding(call, auto_pad, pads, reach, stride)
    left_out = zero * weight.sum((1, 2, 3), dtype=np.int64) + (1 << shift >> 1)
    own = bias.ravel().astype(np.int64) - left_out
    mask = kept_mask(call, weight)
    return (QuantizedConv2d(weight, own, shift, stride, padding, dilation, group, zero, mask),)


def _int8(weight: npt.NDArray[Any], zero: Any) -> npt.NDArray[np.int8]:
    """Take its zero point off a weight: that of bytes that mean int8 is 128."""
    shifted = weight.astype(np.int64) - np.asarray(zero).astype(np.int64)
    if shifted.size and not -128 <= shifted.min() <= shifted.max() <= 127:
        raise UnsupportedLayerError(f"expected weights that fit int8, got {shifted.min()} to {shifted.max()}")
    return shifted.astype(np.int8)


def _write_linear(layer: QuantizedLinear, writer: Writer) -> None:
    keep_mask(layer, writer)
    weight = writer.constant("weight", np.ascontiguousarray(layer.weight.T))
    sums = writer.operator("MatMulInteger", [writer.source, weight], "sums")
    floats = writer.operator("Cast", [sums], "floats", to=FLOAT)
    scaled = writer.operator("Mul", [floats, writer.constant("scale", layer.scale)], "scaled")
    writer.operator("Add", [scaled, writer.constant("bias", layer.bias)])


def _linear_pattern(graph: Graph, last: Operator) -> Operator | None:
    scaled = graph.made_by("Mul", last.inputs[0])
    floats = None if scaled is None else graph.made_by("Cast", scaled.inputs[0])
    sums = None if floats is None else graph.made_by("MatMulInteger", floats.inputs[0])
    if scaled is None or floats is None or sums is None or floats.attributes.get("to") != FLOAT:
        return None
    given = [graph.constants.get(name) for name in (sums.inputs[1], scaled.inputs[1], last.inputs[1])]
    zeros = [graph.constants.get(name) for name in sums.inputs[2:] if name]
    if any(one is None for one in (*given, *zeros)):
        return None
    weight, scale, bias = given
    left, right = [*zeros, np.uint8(0), np.int8(0)][:2] if len(zeros) != 1 else (zeros[0], np.int8(0))
    return fused(
        "QuantizedLinear", last, sums.inputs[0], weight=weight, scale=scale, bias=bias, zero=left, weight_zero=right
    )


def _fused_linear(call: Call, x: Any, *, weight: Any, scale: Any, bias: Any, zero: Any, weight_zero: Any) -> Layers:
    matrix = _int8(weight, weight_zero).T
    if matrix.ndim != 2 or np.asarray(zero).size != 1 or max(np.ndim(scale), np.ndim(bias)) > 1:
        raise unsupported(
            "a matrix, one zero point, and a scale and bias for each output",
            f"shapes {np.shape(weight)}, {np.shape(zero)}, {np.shape(scale)} and {np.shape(bias)}",
        )
    scales, biases = (np.broadcast_to(one, len(matrix)).astype(np.float32) for one in (scale, bias))
    if zero := int(np.asarray(zero).reshape(())):
        biases = biases - zero * matrix.sum(1, dtype=np.int64) * scales
    return (QuantizedLinear(matrix, biases, scales, kept_mask(call, matrix)),)


ROUNDED = "torch's quantised modules are not read: import the float32 network and call sn.quantize"
TORCH: dict[str, Line] = {}
ONNX_IN = {
    "DequantizeLinear": Line(_dequantize_linear, ("Dequantize",)),
    "QuantizeLinear": Line(_quantize_linear, ("Quantize",)),
    "sparsenet::QuantizedConv2d": Line(_fused_conv2d, ("QuantizedConv2d",)),
    "sparsenet::QuantizedLinear": Line(_fused_linear, ("QuantizedLinear",)),
}
ONNX_PATTERNS = {"Add": _linear_pattern, "Cast": _conv2d_pattern}
ONNX_OUT = {
    "Dequantize": _write_quantize,
    "Quantize": _write_quantize,
    "QuantizedConv2d": _write_conv2d,
    "QuantizedLinear": _write_linear,
}
REFUSED = {kind: {"torch": ROUNDED} for kind in ("Dequantize", "Quantize", "QuantizedConv2d", "QuantizedLinear")}
