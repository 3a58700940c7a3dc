"""Build a network while another format is read; this module knows no framework.

A front end adds the layers of each call in order and asks for their names. Operators that it cannot import, and its
notes, are collected and reported when the network is finished.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparsenet.errors import UnsupportedLayerError
from sparsenet.exchange.call import Layers
from sparsenet.exchange.problems import Problem
from sparsenet.exchange.report import DETAIL, Note, as_details
from sparsenet.graph.network import Input, Network, Node
from sparsenet.ops.shapes import Shape, infer_dtype, infer_shape

__all__ = [
    "LONGEST_PATH",
    "GraphBuilder",
    "add_layers",
    "add_unknown",
    "begun",
    "finished",
    "fitting",
    "note",
    "unused",
]

LONGEST_PATH = 170
"""A longer path is shortened in its middle: with what is put behind it, a name stays below 200 characters."""

KEPT_AT_START = 40

FLOAT = "float32"


@dataclass(eq=False)
class GraphBuilder:
    """The part of a network that was read so far.

    Attributes
    ----------
    inputs : tuple of str
        Names of the network's inputs.
    shapes : dict of str to tuple of int
        Of a sample of every value by its name here: the inputs, then layers.
    dtypes : dict of str to str
        "float32", "uint8", "int32" or "bool", by the same names.
    values : dict
        By the framework's own name, or identity, of a value: its name here.
    constants : dict
        By the framework's own name: what does not depend on the input, computed once.
    nodes : list of Node
        In the order in which they were added.
    unknown : set of str
        Values that no layer gives: what follows them is looked at all the same.
    problems : list of Problem
    notes : list of Note
    """

    inputs: tuple[str, ...]
    shapes: dict[str, Shape]
    dtypes: dict[str, str]
    values: dict[Hashable, str] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def begun(inputs: Mapping[str, Input]) -> GraphBuilder:
    """Begin a network with its inputs."""
    shapes = {name: one.shape for name, one in inputs.items()}
    return GraphBuilder(tuple(inputs), shapes, {name: one.dtype for name, one in inputs.items()})


def note(builder: GraphBuilder, layer: str, text: str, kind: str = "decided") -> None:
    """Add a note about a layer to the report."""
    builder.notes.append(Note(layer, text, kind))


def unused(builder: GraphBuilder, name: str) -> str:
    """Count further uses of a name: "relu", "relu:2", "relu:3"."""
    unique, count = name, 1
    while unique in builder.shapes:
        count += 1
        unique = f"{name}:{count}"
    return unique


def fitting(builder: GraphBuilder, path: str, longest: int = LONGEST_PATH) -> str:
    """Make a name out of a path in another framework: unused, printable, and short enough; say so if it was not.

    Examples
    --------
    >>> fitting(begun({"input": Input((3,)), "relu": Input((3,))}), "relu")
    'relu:2'
    """
    printable = "".join(one if one.isprintable() else "?" for one in path)
    if len(printable) <= longest:
        return unused(builder, printable)
    name = unused(builder, f"{printable[:KEPT_AT_START]}…{printable[KEPT_AT_START - longest + 1 :]}")
    note(builder, name, f"its path has {len(path)} characters, of which its name leaves out the middle")
    return name


def add_layers(builder: GraphBuilder, name: str, layers: Layers, inputs: Sequence[str]) -> str:
    """Add layers in a chain, the last of them under that name; return whose value the result is.

    Raises
    ------
    GraphError
        When a layer does not fit what it is given.
    """
    last, sources = inputs[0], tuple(inputs)
    for layer in layers:
        last = name if layer is layers[-1] else unused(builder, f"{name[:LONGEST_PATH]}.{type(layer).__name__.lower()}")
        shape = infer_shape(layer, tuple(builder.shapes[source] for source in sources))
        builder.nodes.append(Node(last, layer, sources))
        builder.shapes[last] = shape
        builder.dtypes[last] = infer_dtype(layer, tuple(builder.dtypes[source] for source in sources))
        sources = (last,)
    return last


def add_unknown(builder: GraphBuilder, name: str, shape: Shape) -> str:
    """Remember a value that depends on the input, though no layer gives it."""
    step = unused(builder, name)
    builder.shapes[step], builder.dtypes[step] = shape, FLOAT
    builder.unknown.add(step)
    return step


def finished(
    builder: GraphBuilder, outputs: Sequence[str], labels: Sequence[str], details: Mapping[str, Any] | None = None
) -> Network:
    """Make the network from the layers that lead to the outputs, and report the others."""
    needed = _leading_to(builder, outputs)
    nodes = [node for node in builder.nodes if node.name in needed]
    if not nodes:
        raise UnsupportedLayerError("expected something that is computed, got the input itself")
    for name in (*builder.inputs, *(node.name for node in builder.nodes)):
        if name not in needed:
            note(builder, name, "left out: the output does not depend on it")
    inputs = {name: Input(builder.shapes[name], builder.dtypes[name]) for name in builder.inputs if name in needed}
    kept = dict(details or {})
    kept[DETAIL] = [*kept.get(DETAIL, []), *as_details(builder.notes)]
    return Network(inputs, nodes, outputs, labels, kept)


def _leading_to(builder: GraphBuilder, outputs: Sequence[str]) -> set[str]:
    readable = {node.name: node.inputs for node in builder.nodes}
    needed: set[str] = set()
    waiting = list(outputs)
    while waiting:
        if (name := waiting.pop()) not in needed:
            needed.add(name)
            waiting.extend(readable.get(name, ()))
    return needed
