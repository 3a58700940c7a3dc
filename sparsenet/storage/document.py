"""The JSON document of a file: everything about a network except its nodes, in either of two formats.

Format 1 is that of version 0.1.0, and is still written for networks of one float32 input, called "input", and one
output. Format 2 holds any inputs and outputs.
"""

from typing import Any

from sparsenet.errors import ModelFormatError
from sparsenet.graph.network import INPUT, MOST_NODES, Input, Network
from sparsenet.storage.strict_json import expect_keys, read_json, shown

__all__ = ["describe_ends", "read_document", "read_inputs", "read_outputs"]

KEYS = {
    1: {"format": int, "input_shape": list, "nodes": list, "output": str, "labels": list, "details": dict},
    2: {"format": int, "inputs": list, "nodes": list, "outputs": list, "labels": list, "details": dict},
}
"""The keys of each format, with the type of what they hold."""


def describe_ends(net: Network, nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the document of a network, in the older format where that can hold it, up to its nodes and outputs."""
    if dict(net.inputs) == {INPUT: Input(net.shapes[next(iter(net.inputs))])} and len(net.outputs) == 1:
        return {"format": 1, "input_shape": net.input_shape, "nodes": nodes, "output": net.output}
    inputs = [{"name": name, "shape": one.shape, "dtype": one.dtype} for name, one in net.inputs.items()]
    return {"format": 2, "inputs": inputs, "nodes": nodes, "outputs": net.outputs}


def read_document(text: bytes) -> dict[str, Any]:
    """Check a document, as far as that goes without what is inside its nodes.

    Raises
    ------
    ModelFormatError
        When the format is another, or a key is missing, unknown or of another type.
    """
    document = read_json(text, "sparsenet")
    number = document.get("format")
    if type(number) is not int or number not in KEYS:
        raise ModelFormatError(f"expected format 1 or 2, got {shown(number)}; is sparsenet too old?")
    expect_keys(document, tuple(KEYS[number]), "sparsenet")
    for key, kind in KEYS[number].items():
        if not isinstance(document[key], kind):
            raise ModelFormatError(f"expected {key} to be a {kind.__name__}, got {shown(document[key])}")
    if len(document["nodes"]) > MOST_NODES:
        raise ModelFormatError(f"expected at most {MOST_NODES} layers, got {len(document['nodes'])}")
    return document


def read_inputs(document: dict[str, Any]) -> Any:
    """Return the inputs of a document that was checked, as :class:`Network` takes them.

    Raises
    ------
    ModelFormatError
        When a record of an input lacks a key, has an unknown one, or repeats a name.
    GraphError, TypeError
        When a shape or a dtype cannot be that of an input.
    """
    if document["format"] == 1:
        return document["input_shape"]
    inputs: dict[str, Input] = {}
    for record in document["inputs"]:
        fields = expect_keys(record, ("name", "shape", "dtype"), "input")
        name = fields["name"]
        if not isinstance(name, str) or name in inputs:
            raise ModelFormatError(f"expected inputs with a name of their own, got {shown(name)}")
        if not isinstance(fields["dtype"], str):
            raise ModelFormatError(f"input {shown(name)}: expected the name of a dtype, got {shown(fields['dtype'])}")
        inputs[name] = Input(fields["shape"], fields["dtype"])
    return inputs


def read_outputs(document: dict[str, Any]) -> Any:
    """Return the outputs of a document that was checked, as :class:`Network` takes them."""
    return document["output"] if document["format"] == 1 else document["outputs"]
