"""Networks as TensorFlow Lite models, without TensorFlow: the file's tables are filled in by hand.

Images lie channels last there. A channels-first input of several channels is transposed once, and back before it is
flattened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from math import prod
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import CompileError
from sparsenet.graph.network import INPUT, Network
from sparsenet.layers import (
    Add,
    AvgPool2d,
    Conv2d,
    Flatten,
    KWinners,
    Layer,
    Linear,
    LogSoftmax,
    MaxPool2d,
    ReLU,
    Reshape,
    Softmax,
    as_pair,
)
from sparsenet.ops.kwinners import factor_per_element
from sparsenet.ops.shapes import Shape

__all__ = ["to_tflite"]

VALID = 1
"""No padding, in the file's numbers."""


@dataclass
class _LiteRTDraft:
    """A model while it is written; tensors are numbered as they are added."""

    tables: ModuleType
    batch: int
    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    def value(self, shape: Sequence[int], kind: str = "FLOAT32") -> int:
        """Add a tensor that an operator will write."""
        number = len(self.tensors)
        where = getattr(self.tables.TensorType, kind)
        self.tensors.append(self.tables.TensorT(list(shape), where, 0, f"t{number}", shapeSignature=list(shape)))
        return number

    def constant(self, array: npt.NDArray[Any]) -> int:
        """Add a tensor with its numbers."""
        number = self.value(array.shape, "INT32" if array.dtype == np.int32 else "FLOAT32")
        raw = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        self.buffers.append(self.tables.BufferT(raw))
        self.tensors[number].buffer = len(self.buffers)  # after the empty buffer that number 0 is
        return number

    def operator(self, code: str, inputs: Sequence[int], outputs: Sequence[int], options: str = "", **set_: Any) -> int:
        """Add an operator and give its first output."""
        if code not in self.codes:
            self.codes.append(code)
        chosen, kind = None, 0
        if options:
            chosen, kind = getattr(self.tables, f"{options}T")(), getattr(self.tables.BuiltinOptions, options)
            for name, value in set_.items():
                setattr(chosen, name, value)
        index = self.codes.index(code)
        self.operators.append(self.tables.OperatorT(index, list(inputs), list(outputs), kind, chosen))
        return outputs[0]

    def shaped(self, shape: Shape) -> list[int]:
        """Say how a value of this shape lies: the samples first, the channels last."""
        return [self.batch, *shape[1:], shape[0]]


def to_tflite(net: Network, batch: int) -> bytes:
    """Write a network as the bytes of a float32 TensorFlow Lite model for one size of batch.

    Parameters
    ----------
    net : Network
        Of convolutions without groups, linear layers, k-winners, ReLU, pooling without padding, flattening, sums and
        softmax.
    batch : int

    Raises
    ------
    CompileError
        When the network holds another layer.
    """
    from ai_edge_litert import schema_py_generated

    draft = _LiteRTDraft(schema_py_generated, batch)
    source = draft.value([batch, *net.input_shape])
    values = {INPUT: _channels_last(draft, source, net.input_shape)}
    for node in net.nodes:
        inputs = [values[name] for name in node.inputs]
        shapes = [net.shapes[name] for name in node.inputs]
        values[node.name] = _write(node.layer, draft, inputs, shapes, net.shapes[node.name])
    result = _channels_first(draft, values[net.output], net.output_shape)
    return _assembled(draft, source, result)


def _assembled(draft: _LiteRTDraft, source: int, result: int) -> bytes:
    import flatbuffers

    tables = draft.tables
    codes = []
    for code in draft.codes:
        number = getattr(tables.BuiltinOperator, code)
        codes.append(tables.OperatorCodeT(min(number, 127), None, 1, number))
    graph = tables.SubGraphT(draft.tensors, [source], [result], draft.operators, "network")
    model = tables.ModelT(3, codes, [graph], "sparsenet", [tables.BufferT(), *draft.buffers])
    builder = flatbuffers.Builder(2**20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _transposed(draft: _LiteRTDraft, value: int, axes: tuple[int, ...], shape: Sequence[int]) -> int:
    out = draft.value(shape)
    return draft.operator("TRANSPOSE", [value, draft.constant(np.array(axes, np.int32))], [out], "TransposeOptions")


def _reshaped(draft: _LiteRTDraft, value: int, shape: Sequence[int]) -> int:
    inputs = [value, draft.constant(np.array(shape, np.int32))]
    return draft.operator("RESHAPE", inputs, [draft.value(shape)], "ReshapeOptions", newShape=list(shape))


def _channels_last(draft: _LiteRTDraft, value: int, shape: Shape) -> int:
    if len(shape) != 3:
        return value
    if shape[0] == 1:  # moves nothing
        return _reshaped(draft, value, draft.shaped(shape))
    return _transposed(draft, value, (0, 2, 3, 1), draft.shaped(shape))


def _channels_first(draft: _LiteRTDraft, value: int, shape: Shape) -> int:
    if len(shape) != 3 or prod(shape[1:]) == 1:
        return value
    return _transposed(draft, value, (0, 3, 1, 2), [draft.batch, *shape])


@singledispatch
def _write(layer: Layer, draft: _LiteRTDraft, inputs: list[int], shapes: list[Shape], shape: Shape) -> int:
    raise CompileError(f"a {type(layer).__name__} is not written as TensorFlow Lite")


@_write.register
def _conv2d(layer: Conv2d, draft: _LiteRTDraft, inputs: list[int], shapes: list[Shape], shape: Shape) -> int:
    if layer.groups != 1:
        raise CompileError("a Conv2d with groups is not written as TensorFlow Lite")
    x = _bordered(draft, inputs[0], shapes[0], as_pair(layer.padding))
    weight = draft.constant(layer.weight.transpose(0, 2, 3, 1))
    (stride_h, stride_w), (dilation_h, dilation_w) = as_pair(layer.stride), as_pair(layer.dilation)
    return draft.operator(
        "CONV_2D",
        [x, weight, _bias(draft, layer)],
        [draft.value(draft.shaped(shape))],
        "Conv2DOptions",
        padding=VALID,
        strideH=stride_h,
        strideW=stride_w,
        dilationHFactor=dilation_h,
        dilationWFactor=dilation_w,
    )


def _bordered(draft: _LiteRTDraft, value: int, shape: Shape, padding: tuple[int, int]) -> int:
    if padding == (0, 0):
        return value
    top, left = padding
    widths = draft.constant(np.array([[0, 0], [top, top], [left, left], [0, 0]], np.int32))
    out = draft.value(draft.shaped((shape[0], shape[1] + 2 * top, shape[2] + 2 * left)))
    return draft.operator("PAD", [value, widths], [out], "PadOptions")


def _bias(draft: _LiteRTDraft, layer: Conv2d | Linear) -> int:
    return draft.constant(np.zeros(len(layer.weight), np.float32) if layer.bias is None else layer.bias)


@_write.register
def _linear(layer: Linear, draft: _LiteRTDraft, inputs: list[int], shapes: list[Shape], shape: Shape) -> int:
    operands = [inputs[0], draft.constant(layer.weight), _bias(draft, layer)]
    return draft.operator("FULLY_CONNECTED", operands, [draft.value([draft.batch, *shape])], "FullyConnectedOptions")


@_write.register(MaxPool2d)
@_write.register(AvgPool2d)
def _pool(
    layer: MaxPool2d | AvgPool2d, draft: _LiteRTDraft, inputs: list[int], shapes: list[Shape], shape: Shape
) -> int:
    if as_pair(layer.padding) != (0, 0):
        raise CompileError("pooling with padding is not written as TensorFlow Lite")
    code = "MAX_POOL_2D" if isinstance(layer, MaxPool2d) else "AVERAGE_POOL_2D"
    (height, width), (stride_h, stride_w) = as_pair(layer.kernel), as_pair(layer.stride)
    settings = {"filterHeight": height, "filterWidth": width, "strideH": stride_h, "strideW": stride_w}
    out = draft.value(draft.shaped(shape))
    return draft.operator(code, inputs, [out], "Pool2DOptions", padding=VALID, **settings)


@_write.register
def _k_winners(layer: KWinners, draft: _LiteRTDraft, inputs: list[int], shapes: list[Shape], shape: Shape) -> int:
    """Keep what is at least as large as the smallest of the k largest; the file has no cheaper way to put them back."""
    if layer.scope == "channels" or len(shape) == 1:
        kept = draft.shaped(shape) if len(shape) == 3 else [draft.batch, *shape]
        return _keep_largest(draft, inputs[0], layer.k, layer.factor, kept)
    flat = [draft.batch, prod(shape)]
    ranking = factor_per_element(layer, shape)
    if ranking is not None:
        ranking = np.moveaxis(ranking.reshape(shape), 0, -1).ravel()
    value = _keep_largest(draft, _reshaped(draft, inputs[0], flat), layer.k, ranking, flat)
    return _reshaped(draft, value, draft.shaped(shape))


def _keep_largest(draft: _LiteRTDraft, value: int, k: int, factor: npt.NDArray[Any] | None, shape: list[int]) -> int:
    if k == 0:
        raise CompileError("k-winners without winners are not written as TensorFlow Lite")
    ranked = value
    if factor is not None:
        ranked = draft.operator("MUL", [value, draft.constant(factor)], [draft.value(shape)], "MulOptions")
    best = [draft.value([*shape[:-1], k]), draft.value([*shape[:-1], k], "INT32")]
    largest = draft.operator("TOPK_V2", [ranked, draft.constant(np.array(k, np.int32))], best, "TopKV2Options")
    smallest = draft.operator(
        "REDUCE_MIN",
        [largest, draft.constant(np.array([len(shape) - 1], np.int32))],
        [draft.value([*shape[:-1], 1])],
        "ReducerOptions",
        keepDims=True,
    )
    mask = draft.operator("GREATER_EQUAL", [ranked, smallest], [draft.value(shape, "BOOL")], "GreaterEqualOptions")
    zero = draft.constant(np.zeros([1] * len(shape), np.float32))
    return draft.operator("SELECT_V2", [mask, value, zero], [draft.value(shape)], "SelectV2Options")


@_write.register(Flatten)
@_write.register(Reshape)
def _reshape(
    layer: Flatten | Reshape, draft: _LiteRTDraft, inputs: list[int], shapes: list[Shape], shape: Shape
) -> int:
    if len(shape) != 1:
        raise CompileError("a Reshape into an image is not written as TensorFlow Lite")
    return _reshaped(draft, _channels_first(draft, inputs[0], shapes[0]), [draft.batch, *shape])


def _simple(code: str, options: str = "", **settings: Any) -> Callable[..., int]:
    def write(layer: Layer, draft: _LiteRTDraft, inputs: list[int], shapes: list[Shape], shape: Shape) -> int:
        lies = draft.shaped(shape) if len(shape) == 3 else [draft.batch, *shape]
        return draft.operator(code, inputs, [draft.value(lies)], options, **settings)

    return write


_write.register(ReLU, _simple("RELU"))
_write.register(Softmax, _simple("SOFTMAX", "SoftmaxOptions", beta=1.0))
_write.register(LogSoftmax, _simple("LOG_SOFTMAX", "LogSoftmaxOptions"))


@_write.register
def _add(layer: Add, draft: _LiteRTDraft, inputs: list[int], shapes: list[Shape], shape: Shape) -> int:
    lies = draft.shaped(shape) if len(shape) == 3 else [draft.batch, *shape]
    total = inputs[0]
    for other in inputs[1:]:
        total = draft.operator("ADD", [total, other], [draft.value(lies)], "AddOptions")
    return total
