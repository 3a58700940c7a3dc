"""Check the parts of a network when it is made, and sort its nodes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import Any, TypeVar

from sparsenet.errors import GraphError
from sparsenet.graph.node import INPUT, Input, Node
from sparsenet.ops import LAYERS
from sparsenet.ops.dtypes import DTYPES
from sparsenet.ops.shapes import Shape, infer_dtype, infer_shape

__all__ = [
    "MOST_NODES",
    "all_dtypes",
    "all_shapes",
    "checked_details",
    "checked_inputs",
    "checked_labels",
    "checked_nodes",
    "checked_outputs",
    "in_order",
    "only",
    "refuse_unread",
]

MOST_NODES = 10_000
MOST_INPUTS = 1_000
LONGEST_NAME = 200
LONGEST_DETAILS_BYTES = 2**20

Value = TypeVar("Value")


def checked_inputs(given: Any) -> Mapping[str, Input]:
    """Read the inputs by name, or the shape of the only one, which is called ``"input"``."""
    named = given if isinstance(given, Mapping) else {INPUT: given}
    if not 1 <= len(named) <= MOST_INPUTS:
        raise GraphError(f"expected 1 to {MOST_INPUTS} inputs, got {len(named)}")
    for name in named:
        _check_name(name)
    inputs = {name: one if isinstance(one, Input) else Input(one) for name, one in named.items()}
    return MappingProxyType(inputs)


def checked_nodes(nodes: Any, inputs: Mapping[str, Input]) -> dict[str, Node]:
    """Return the nodes by name; none may be called as another, or as an input."""
    if not 1 <= len(nodes) <= MOST_NODES:
        raise GraphError(f"expected 1 to {MOST_NODES} layers, got {len(nodes)}")
    by_name: dict[str, Node] = {}
    for node in nodes:
        if not isinstance(node, Node) or not isinstance(node.layer, LAYERS):
            raise TypeError(f"expected nodes that hold layers of sparsenet, got {node!r}")
        _check_name(node.name)
        if node.name in by_name or node.name in inputs:
            raise GraphError(f"layer {node.name!r}: expected a name of its own, got one that is taken")
        by_name[node.name] = Node(node.name, node.layer, tuple(node.inputs))
    return by_name


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise GraphError(f"expected a printable name of 1 to {LONGEST_NAME} characters, got {name!r}")


def checked_outputs(given: Any, by_name: Mapping[str, Node]) -> tuple[str, ...]:
    """Read the names of the outputs, or that of the only one."""
    outputs = tuple(given) if isinstance(given, tuple | list) else (given,)
    if not outputs:
        raise GraphError("expected at least one output, got none")
    for output in outputs:
        if not isinstance(output, str) or output not in by_name:
            raise GraphError(f"expected the output to be one of the layers, got {output!r}")
        if outputs.count(output) > 1:
            raise GraphError(f"expected outputs that differ, got {output!r} twice")
    return outputs


def in_order(by_name: dict[str, Node], inputs: Iterable[str], outputs: Sequence[str]) -> tuple[Node, ...]:
    """Sort the nodes so that each comes after what it reads; refuse what cannot be sorted, or is not used."""
    known = {*inputs, *by_name}
    for node in by_name.values():
        for source in node.inputs:
            if source not in known:
                raise GraphError(f"layer {node.name!r}: expected inputs that exist, got {source!r}")
    try:
        order = list(TopologicalSorter({name: node.inputs for name, node in by_name.items()}).static_order())
    except CycleError as error:
        raise GraphError(f"expected a graph without cycles, got {' -> '.join(error.args[1])}") from None
    _refuse_unused(by_name, outputs)
    return tuple(by_name[name] for name in order if name in by_name)


def _refuse_unused(by_name: dict[str, Node], outputs: Sequence[str]) -> None:
    used, waiting = {*outputs}, [*outputs]
    while waiting:
        node = by_name.get(waiting.pop())
        for source in node.inputs if node is not None else ():
            if source not in used:
                used.add(source)
                waiting.append(source)
    if unused := [name for name in by_name if name not in used]:
        end = f"the output {outputs[0]!r}" if len(outputs) == 1 else f"one of the outputs {', '.join(outputs)}"
        raise GraphError(f"layer {unused[0]!r}: expected every layer to lead to {end}, this does not")


def refuse_unread(inputs: Iterable[str], nodes: Sequence[Node]) -> None:
    """Raise GraphError where no layer reads an input."""
    read = {source for node in nodes for source in node.inputs}
    if unread := [name for name in inputs if name not in read]:
        raise GraphError(f"input {unread[0]!r}: expected every input to be read by a layer, this is not")


def all_shapes(inputs: Mapping[str, Input], nodes: Sequence[Node]) -> dict[str, Shape]:
    """Infer the shape of every value, or name the layer whose inputs do not fit."""
    return _inferred({name: one.shape for name, one in inputs.items()}, nodes, infer_shape)


def all_dtypes(inputs: Mapping[str, Input], nodes: Sequence[Node], outputs: Sequence[str]) -> dict[str, str]:
    """Infer the dtype of every value, or name the layer whose inputs do not fit; outputs must be float32."""
    dtypes = _inferred({name: one.dtype for name, one in inputs.items()}, nodes, infer_dtype)
    for output in outputs:
        if (dtype := dtypes[output]) != "float32":
            end = "a Dequantize()" if dtype == "uint8" else "a Cast()"
            raise GraphError(f"layer {output!r}: expected an output in float32, got {DTYPES[dtype]}; end with {end}")
    return dtypes


def _inferred(given: dict[str, Value], nodes: Sequence[Node], infer: Any) -> dict[str, Value]:
    values = given
    for node in nodes:
        try:
            values[node.name] = infer(node.layer, tuple(values[source] for source in node.inputs))
        except GraphError as error:
            raise GraphError(f"layer {node.name!r} ({type(node.layer).__name__}): {error}") from None
    return values


def checked_labels(labels: Any, output_shapes: Sequence[Shape]) -> tuple[str, ...]:
    """Read the names of classes: as many as the only output has numbers, or none."""
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"expected labels as a sequence of strings, got {labels!r}")
    if labels and len(output_shapes) > 1:
        raise GraphError(f"expected labels only where there is one output, got {len(output_shapes)} outputs")
    shape = output_shapes[0]
    if labels and (len(shape) != 1 or len(labels) != shape[0]):
        raise GraphError(f"expected one label per output of shape {shape}, got {len(labels)}")
    if len(set(labels)) != len(labels):
        raise GraphError("expected labels that differ, got duplicates")
    for label in labels:
        if len(label) > LONGEST_NAME or not label.isprintable():  # a terminal will print it
            raise GraphError(f"expected printable labels of at most {LONGEST_NAME} characters, got {label[:80]!r}")
    return tuple(labels)


def checked_details(details: Any) -> Mapping[str, Any]:
    """Copy by way of JSON, so that what is kept is what a file can hold."""
    try:
        text = json.dumps(dict(details), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise GraphError(f"expected details that JSON can hold: {error}") from None
    if len(text) > LONGEST_DETAILS_BYTES:
        raise GraphError(f"expected details of at most {LONGEST_DETAILS_BYTES} bytes as JSON, got {len(text)}")
    kept: dict[str, Any] = json.loads(text)
    return MappingProxyType(kept)


def only(names: Iterable[str], what: str) -> str:
    """Return the only one of a network's inputs or outputs, or say that there are several."""
    first, *others = names
    if others:
        listed = ", ".join([first, *others])
        raise GraphError(f"expected a network of one {what}, got {1 + len(others)} {what}s: {listed}; see .{what}s")
    return first
