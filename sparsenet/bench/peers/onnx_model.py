"""Networks as ONNX models: float32, and 8 bit by static quantisation with ONNX Runtime's own tool."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import singledispatch
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import CompileError
from sparsenet.graph.network import INPUT, Network, Node
from sparsenet.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Linear,
    LogSoftmax,
    MaxPool2d,
    ReLU,
    Reshape,
    Softmax,
    as_pair,
)
from sparsenet.machine.facts import machine
from sparsenet.ops.kwinners import factor_per_element
from sparsenet.ops.shapes import Shape

__all__ = ["BATCH", "float_bytes", "int8_bytes", "to_onnx"]

OPSET = 18
IR_VERSION = 8
"""Old enough for every ONNX Runtime that the extra ``bench`` allows."""

BATCH = "batch"
"""The name of the free axis."""

QUANTIZED = ("Conv", "Gemm", "MaxPool", "AveragePool", "GlobalAveragePool", "Relu", "Add", "Sum", "Concat", "Reshape")
"""Operators in 8 bit; k-winners (TopK and ScatterElements) stay in float32, for which there is no 8-bit form."""

FloatArray = npt.NDArray[np.float32]


def float_bytes(net: Network, calibration: FloatArray) -> bytes:
    """Write a network as the bytes of a float32 ONNX model; ``calibration`` is not needed."""
    data: bytes = to_onnx(net).SerializeToString()
    return data


def int8_bytes(net: Network, calibration: FloatArray) -> bytes:
    """Write a network as the bytes of an 8-bit ONNX model: operators between QuantizeLinear and DequantizeLinear.

    Parameters
    ----------
    net : Network
    calibration : array (n, *input_shape), float32
        Inputs whose ranges set the scales.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with _quietly(), TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        quantize_static(
            to_onnx(net),
            target,
            _calibration_reader(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
            # without its own instruction, sums of two products of bytes overflow 16 bits
            reduce_range=_adds_in_16_bits(),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


def _calibration_reader(calibration: FloatArray) -> Any:
    """Hand out the samples one by one, in the way that the tool asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([{INPUT: sample[None]} for sample in calibration])

        def get_next(self) -> dict[str, FloatArray] | None:
            return next(self.left, None)

    return Reader()


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the tool from logging advice for models that need another preparation than ours."""
    import logging
    import warnings

    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _adds_in_16_bits() -> bool:
    here = machine()
    x86 = here.architecture.lower() in ("x86_64", "amd64")
    return x86 and not {"avx512vnni", "avxvnni"} & set(here.features)


def to_onnx(net: Network) -> Any:
    """Write a network as an ONNX model of float32 operators, with a free batch size.

    k-winners become TopK and ScatterElements: ONNX breaks ties by the lowest index too, so the meaning is the same.

    Parameters
    ----------
    net : Network

    Returns
    -------
    onnx.ModelProto
    """
    from onnx import TensorProto, helper

    operators: list[Any] = []
    constants: list[Any] = []
    for node in net.nodes:
        _write(node.layer, _Step(node, net.shapes[node.name], operators, constants))
    graph = helper.make_graph(
        operators,
        "network",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [BATCH, *net.input_shape])],
        [helper.make_tensor_value_info(net.output, TensorProto.FLOAT, [BATCH, *net.output_shape])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


@dataclass(frozen=True)
class _Step:
    """Where one layer's operators and constants are written."""

    node: Node
    shape: Shape
    operators: list[Any]
    constants: list[Any]

    @property
    def source(self) -> str:
        """The layer's first input, for most layers the only one."""
        return self.node.inputs[0]

    def inner(self, role: str) -> str:
        """Name a value that no layer can be called: names of layers are printable."""
        return f"{self.node.name}\x1f{role}"

    def constant(self, role: str, values: npt.NDArray[Any]) -> str:
        """Add an array; give its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(values, self.inner(role)))
        return self.inner(role)

    def operator(self, kind: str, inputs: Sequence[str], outputs: Sequence[str] = (), **attributes: Any) -> None:
        """Add an operator; its output is the layer's unless another is named."""
        from onnx import helper

        self.operators.append(helper.make_node(kind, inputs, list(outputs) or [self.node.name], **attributes))


@singledispatch
def _write(layer: object, step: _Step) -> None:
    raise CompileError(
        f"expected a float32 network, got a {type(layer).__name__}; compare the network it was made from"
    )


@_write.register
def _conv2d(layer: Conv2d, step: _Step) -> None:
    inputs = [step.source, step.constant("weight", layer.weight)]
    if layer.bias is not None:
        inputs.append(step.constant("bias", layer.bias))
    step.operator(
        "Conv",
        inputs,
        kernel_shape=layer.weight.shape[2:],
        strides=as_pair(layer.stride),
        pads=as_pair(layer.padding) * 2,
        dilations=as_pair(layer.dilation),
        group=layer.groups,
    )


@_write.register
def _linear(layer: Linear, step: _Step) -> None:
    inputs = [step.source, step.constant("weight", layer.weight)]
    if layer.bias is not None:
        inputs.append(step.constant("bias", layer.bias))
    step.operator("Gemm", inputs, transB=1)


@_write.register(MaxPool2d)
@_write.register(AvgPool2d)
def _pool(layer: MaxPool2d | AvgPool2d, step: _Step) -> None:
    window: dict[str, Any] = {
        "kernel_shape": as_pair(layer.kernel),
        "strides": as_pair(layer.stride),
        "pads": as_pair(layer.padding) * 2,
    }
    if isinstance(layer, AvgPool2d):
        step.operator("AveragePool", [step.source], count_include_pad=1, **window)
    else:
        step.operator("MaxPool", [step.source], **window)


@_write.register
def _batch_norm(layer: BatchNorm, step: _Step) -> None:
    given = {
        "weight": np.ones_like(layer.mean) if layer.weight is None else layer.weight,
        "bias": np.zeros_like(layer.mean) if layer.bias is None else layer.bias,
        "mean": layer.mean,
        "variance": layer.variance,
    }
    inputs = [step.source, *(step.constant(role, values) for role, values in given.items())]
    step.operator("BatchNormalization", inputs, epsilon=layer.epsilon)


@_write.register(Flatten)
@_write.register(Reshape)
def _reshape(layer: Flatten | Reshape, step: _Step) -> None:
    shape = step.constant("shape", np.array([0, *step.shape], np.int64))  # 0 keeps the batch axis
    step.operator("Reshape", [step.source, shape])


@_write.register
def _k_winners(layer: KWinners, step: _Step) -> None:
    if layer.scope == "channels":
        factor = None if layer.factor is None else layer.factor.reshape(-1, *(1 for _ in step.shape[1:]))
        _keep_largest(step, layer.k, step.source, factor, step.node.name)
        return
    row, kept = step.inner("row"), step.inner("kept")
    step.operator("Reshape", [step.source, step.constant("flat", np.array([0, prod(step.shape)], np.int64))], [row])
    _keep_largest(step, layer.k, row, factor_per_element(layer, step.shape), kept)
    step.operator("Reshape", [kept, step.constant("shape", np.array([0, *step.shape], np.int64))])


def _keep_largest(step: _Step, k: int, source: str, factor: FloatArray | None, target: str) -> None:
    """Keep the k largest along axis 1; the rest becomes zero."""
    if k == 0:  # not every reader of ONNX knows a TopK of none
        step.operator("Sub", [source, source], [target])
        return
    ranked = source
    if factor is not None:
        ranked = step.inner("ranked")
        step.operator("Mul", [source, step.constant("factor", factor)], [ranked])
    who, values, zeros = step.inner("who"), step.inner("values"), step.inner("zeros")
    step.operator("TopK", [ranked, step.constant("k", np.array([k], np.int64))], [step.inner("largest"), who], axis=1)
    step.operator("GatherElements", [source, who], [values], axis=1)
    step.operator("Sub", [source, source], [zeros])
    step.operator("ScatterElements", [zeros, who, values], [target], axis=1)


@_write.register(Add)
def _add(layer: Add, step: _Step) -> None:
    step.operator("Sum", list(step.node.inputs))


@_write.register(Concat)
def _concat(layer: Concat, step: _Step) -> None:
    step.operator("Concat", list(step.node.inputs), axis=1)


@_write.register
def _relu(layer: ReLU, step: _Step) -> None:
    step.operator("Relu", [step.source])


@_write.register
def _global_avg_pool2d(layer: GlobalAvgPool2d, step: _Step) -> None:
    step.operator("GlobalAveragePool", [step.source])


@_write.register(Softmax)
@_write.register(LogSoftmax)
def _softmax(layer: Softmax | LogSoftmax, step: _Step) -> None:
    step.operator(type(layer).__name__, [step.source], axis=1)
