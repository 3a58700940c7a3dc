"""From a network to an ONNX model."""

import os
from typing import IO, Any

from sparsenet.errors import SparsenetError
from sparsenet.exchange.lines import lines
from sparsenet.exchange.onnx.kept import KEY, Kept, as_text
from sparsenet.exchange.onnx.package import onnx_package
from sparsenet.exchange.onnx.writer import Writer
from sparsenet.graph.network import Network, Node
from sparsenet.graph.parts import expect_network
from sparsenet.whole_files import write_whole

__all__ = ["BATCH", "to_onnx"]

OPSET = 18
IR_VERSION = 8
"""Both old enough for every runtime of the last years."""

BATCH = "batch"
"""The name of the free axis."""

TYPES = {"float32": 1, "uint8": 2, "int32": 6, "bool": 9}
"""ONNX's numbers of types."""

LARGEST_BYTES = 2**31 - 1
"""A message of protobuf is no longer."""


def to_onnx(net: Network, target: "str | os.PathLike[str] | IO[bytes] | None" = None) -> Any:
    """Write a network as an ONNX model with a free batch size; :func:`sparsenet.from_onnx` gives the same network back.

    Layers become the operators of their names, named as they are: Conv, Gemm, MaxPool, BatchNormalization and so on.
    k-winners become TopK and ScatterElements: ONNX lets the lowest index win a tie, too. Quantize and Dequantize become
    QuantizeLinear and DequantizeLinear, which differ where a value lies halfway between two bytes and the division
    rounds otherwise; quantised layers become ConvInteger and MatMulInteger with operators on whole numbers behind them,
    which are exact. Zeros of weights are written as zeros. Masks, labels and details, for which ONNX has no place,
    travel as a property of the model that other tools leave alone.

    Parameters
    ----------
    net : Network
    target : str, path or open binary file, optional
        Where to write the model. A file of that name is replaced at once, or not at all.

    Returns
    -------
    onnx.ModelProto
        Of operator set 18, whether it is written or not; ``.SerializeToString()`` gives what the file holds.

    Raises
    ------
    UnsupportedLayerError
        When ONNX has no operators for a layer.
    SparsenetError
        When the model is larger than a file of ONNX can be, 2 GiB.
    ModuleNotFoundError
        When onnx is not installed (the extra ``onnx``).

    Examples
    --------
    >>> import sparsenet as sn
    >>> model = to_onnx(sn.Network.sequential((4,), [sn.Linear([[1.0, 0.0, 2.0, 0.0]]), sn.ReLU()]))
    >>> [node.op_type for node in model.graph.node]
    ['Gemm', 'Relu']
    """
    expect_network(net)
    onnx = onnx_package()
    operators: list[Any] = []
    constants: list[Any] = []
    kept = {node.name: _write(net, node, operators, constants) for node in net.nodes}
    graph = onnx.helper.make_graph(
        operators,
        "network",
        [_value(net, name) for name in net.inputs],
        [_value(net, name) for name in net.outputs],
        constants,
    )
    sets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=sets, ir_version=IR_VERSION, producer_name="sparsenet")
    layers = {name: values for name, values in kept.items() if values}
    onnx.helper.set_model_props(model, {KEY: as_text(Kept(tuple(net.labels), net.details, layers))})
    if model.ByteSize() > LARGEST_BYTES:
        raise SparsenetError(f"expected a model of at most {LARGEST_BYTES} bytes, got {model.ByteSize()}; cut it")
    if target is not None:
        _save(model.SerializeToString(), target)
    return model


def _write(net: Network, node: Node, operators: list[Any], constants: list[Any]) -> dict[str, Any]:
    """Write one layer; return what was kept of it."""
    kind = type(node.layer).__name__
    on_bytes = any(source in net.byte_valued for source in node.inputs)
    writer = Writer(node, net.shapes[node.name], on_bytes, operators, constants)
    lines("ONNX_OUT")[kind](node.layer, writer)
    return writer.kept


def _value(net: Network, name: str) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, TYPES[net.dtypes[name]], [BATCH, *net.shapes[name]])


def _save(data: bytes, target: "str | os.PathLike[str] | IO[bytes]") -> None:
    if isinstance(target, str | os.PathLike):
        write_whole(target, data)
    else:
        target.write(data)
