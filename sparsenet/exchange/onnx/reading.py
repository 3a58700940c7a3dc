"""From an ONNX model to a network."""

from collections.abc import Mapping, Sequence
from typing import Any

from sparsenet.errors import GraphError, ModelFormatError, UnsupportedLayerError
from sparsenet.exchange.builder import GraphBuilder, begun, finished, note
from sparsenet.exchange.onnx.following import follow_all
from sparsenet.exchange.onnx.inputs import DTYPES, sample_shapes
from sparsenet.exchange.onnx.model import Model, read_model
from sparsenet.exchange.problems import refusal
from sparsenet.graph.network import INPUT, Input, Network

__all__ = ["from_onnx"]


def from_onnx(model: Any, shapes: Mapping[str, Sequence[int]] | None = None, *, labels: Sequence[str] = ()) -> Network:
    """Turn an ONNX model into a network.

    What depends on no input is computed once, operators that together are one layer are recognised, and every other
    operator becomes the layers that compute the same. The first axis of an input is the batch, whatever the model says
    of it, and is dropped. A model's only input is called ``"input"`` here; several keep their names.

    Understood are Conv (in two dimensions), Gemm, MatMul by a constant, BatchNormalization, Relu, Clip at zero,
    MaxPool, AveragePool and GlobalAveragePool, Add and Sum of values of one shape, constants added or multiplied for
    each channel, Concat, Softmax and LogSoftmax along the channels, Flatten, Reshape and what does the same, Dropout
    and Identity, QuantizeLinear and DequantizeLinear in uint8, and what :func:`sparsenet.to_onnx` writes for k-winners
    and quantised layers.

    Parameters
    ----------
    model : str, path, bytes or onnx.ModelProto
        Weights that lie beside the model's file are read from its folder only.
    shapes : mapping of str to tuple of int, optional
        By the name of an input: the shape of a sample, without the batch. Needed only where the model leaves sizes
        open; where it does not, the shape must be the model's own.
    labels : sequence of str
        Names of the classes, as many as outputs, or none: those that ``to_onnx`` wrote, if there are any.

    Returns
    -------
    Network
        Its layers have the names of the operators. ``details["import"]`` lists what was decided, folded, recognised or
        differs; see :func:`sparsenet.import_report`.

    Raises
    ------
    UnsupportedLayerError
        When the model computes something that no layer here can; the message names each operator that cannot be
        imported, and how often it is met.
    ModelFormatError
        When it is no ONNX model, damaged, or contradicts itself.
    GraphError
        When an input's shape is open, and ``shapes`` does not say it, or says another.
    FileNotFoundError
        When there is no such file.
    TypeError
        When ``model`` is something else.
    ModuleNotFoundError
        When onnx is not installed (the extra ``onnx``).

    Examples
    --------
    >>> import sparsenet as sn
    >>> net = sn.Network.sequential((4,), [sn.Linear([[1.0, 0.0, 2.0, 0.0]]), sn.ReLU()])
    >>> from_onnx(sn.to_onnx(net))
    <Network (4,) to (1,): 2 layers, 2 of 4 weights>
    """
    read = read_model(model)
    builder = _begun(read, shapes or {})
    follow_all(builder, read)
    if builder.problems:
        raise refusal(builder.problems, "operators", "uses")
    details = dict(read.kept.details)
    try:
        return finished(builder, _outputs(builder, read), labels or read.kept.labels, details)
    except GraphError as error:
        if labels and "label" in str(error):
            raise
        raise ModelFormatError(str(error)) from error


def _begun(read: Model, shapes: Mapping[str, Sequence[int]]) -> GraphBuilder:
    """Begin a network with the model's inputs: one alone is called "input", as everywhere here."""
    known = sample_shapes(read, shapes)
    if not known or not read.outputs:
        raise ModelFormatError("expected a model with inputs and outputs, got one without")
    alone = len(known) == 1 and not read.own
    names = {value.name: INPUT if alone else value.name for value in read.inputs}
    builder = begun({names[one.name]: Input(known[one.name], DTYPES[one.type]) for one in read.inputs})
    builder.values.update(names)
    builder.constants.update(read.constants)
    for one in read.inputs:
        if one.type not in KEPT_TYPES:
            note(builder, names[one.name], f"its values become {DTYPES[one.type]}", "differs")
    return builder


KEPT_TYPES = (1, 6, 9)
"""ONNX's numbers of the types float32, int32 and bool."""


def _outputs(builder: GraphBuilder, read: Model) -> list[str]:
    """Name the layers whose values are the outputs."""
    found = []
    for name in (value.name for value in read.outputs):
        if name in builder.constants:
            raise UnsupportedLayerError(f"output {name[:200]!r}: expected one that depends on an input, got a constant")
        if name not in builder.values:
            raise ModelFormatError(f"output {name[:200]!r}: expected the output of an operator, got none of that name")
        found.append(builder.values[name])
        if found[-1] != name and len(read.outputs) > 1:
            note(builder, found[-1], f"its value is the output {name[:200]!r}")
    return found
