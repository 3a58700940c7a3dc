"""A network: layers in a directed acyclic graph, checked as a whole when it is made."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import count
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import GraphError
from sparsenet.ops import LAYERS, Layer, Weighted, kept_count
from sparsenet.ops.checks import MOST_AXES
from sparsenet.ops.shapes import LARGEST_ELEMENTS, Shape, infer_dtype, infer_shape
from sparsenet_kernels.forks import kept_property

if TYPE_CHECKING:
    from os import PathLike

    from rich.table import Table

__all__ = ["INPUT", "Network", "Node", "density"]

INPUT = "input"
"""The name by which layers refer to the network's own input."""

MOST_NODES = 10_000
LONGEST_NAME = 200
LONGEST_DETAILS_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Node:
    """A named layer and the names of what it reads: other nodes, or ``"input"``."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Network:
    """What is computed, and nothing about how.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample, channels first, without the batch axis.
    nodes : sequence of Node
        In any order; kept in an order in which they can be computed.
    output : str
        The node whose value the network gives.
    labels : sequence of str
        Names of the classes, as many as outputs, or none.
    details : mapping
        Anything JSON can hold that should travel with the network: front-end settings, accuracy, provenance, licence.

    Attributes
    ----------
    shapes : mapping of str to tuple of int
        The shape of every node's value, and of ``"input"``, without the batch axis.
    byte_valued : frozenset of str
        The nodes whose values are bytes, whole numbers from 0 to 255; all others are float32.

    Raises
    ------
    GraphError
        When the graph cannot mean anything: shapes that do not fit, cycles, unknown inputs, duplicate names, layers
        that nothing uses. The message names the layer, what was expected and what came.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import KWinners, Linear
    >>> net = Network.sequential((4,), [Linear(np.eye(4)), KWinners(2)])
    >>> net.output_shape
    (4,)
    """

    input_shape: Shape
    nodes: Sequence[Node]
    output: str
    labels: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(init=False, repr=False)
    byte_valued: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", _checked_input_shape(self.input_shape))
        object.__setattr__(self, "nodes", _in_order(_checked_nodes(self.nodes), self.output))
        object.__setattr__(self, "shapes", MappingProxyType(_all_shapes(self.input_shape, self.nodes)))
        object.__setattr__(self, "byte_valued", _all_byte_valued(self.nodes, self.output))
        object.__setattr__(self, "labels", _checked_labels(self.labels, self.output_shape))
        object.__setattr__(self, "details", _checked_details(self.details))

    @classmethod
    def sequential(
        cls,
        input_shape: Sequence[int],
        layers: Sequence[Layer],
        labels: Sequence[str] = (),
        details: Mapping[str, Any] | None = None,
    ) -> "Network":
        """Chain layers one after the other, named after their kind: ``conv2d1``, ``relu1``, ``conv2d2`` and so on."""
        if not layers:
            raise GraphError("expected at least one layer, got none")
        counters: dict[str, Iterator[int]] = {}
        nodes: list[Node] = []
        for layer in layers:
            kind = type(layer).__name__.lower()
            name = f"{kind}{next(counters.setdefault(kind, count(1)))}"
            nodes.append(Node(name, layer, (nodes[-1].name if nodes else INPUT,)))
        return cls(tuple(input_shape), nodes, nodes[-1].name, labels, details or {})

    @property
    def output_shape(self) -> Shape:
        """Shape of one sample's output, without the batch axis."""
        return self.shapes[self.output]

    @kept_property
    def readers(self) -> Mapping[str, Sequence[Node]]:
        """The nodes that read each value, in order; a value that nothing reads, as the output may be, has no entry."""
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for source in dict.fromkeys(node.inputs):
                readers.setdefault(source, []).append(node)
        return MappingProxyType(readers)

    def __getitem__(self, name: str) -> Layer:
        """Return the layer of that name."""
        for node in self.nodes:
            if node.name == name:
                return node.layer
        raise KeyError(f"no layer is called {name!r}; there are {', '.join(node.name for node in self.nodes)}")

    def __len__(self) -> int:
        return len(self.nodes)

    def reference(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Compute what the network means, in float64 NumPy: slow, readable, the measure of every kernel.

        Nothing is rounded to float32 on the way: values that float32 cannot hold, which an engine refuses, are ordinary
        numbers here.

        Parameters
        ----------
        x : array (B, *input_shape)

        Returns
        -------
        array (B, *output_shape), float64

        Raises
        ------
        SparsenetError
            When ``x`` has another shape, or holds NaN or infinity.
        RangeError
            When a value leaves float64, too; the message names the layer.

        Examples
        --------
        >>> from sparsenet.layers import KWinners
        >>> Network.sequential((3,), [KWinners(1)]).reference([[1.0, 3.0, 3.0]])
        array([[0., 3., 0.]])
        """
        from sparsenet.graph.reference import evaluate

        return evaluate(self, x)[self.output]

    def upto(self, name: str) -> "Network":
        """Return the part of the network that leads to one layer, whose value becomes the output.

        This is how to see values inside a network: ``net.upto("conv2").reference(x)``, or compiled,
        ``sn.compile(net.upto("conv2"))(x)``. Where the layer gives bytes, its output is those whole numbers, as
        float32. Labels and details stay behind, since they tell of the whole network.

        Parameters
        ----------
        name : str
            Of a layer; :attr:`nodes` has the names, in order.

        Raises
        ------
        KeyError
            When no layer has that name; it lists those there are.

        Examples
        --------
        >>> from sparsenet.layers import KWinners, Linear
        >>> net = Network.sequential((2,), [Linear([[1.0, 2.0]]), KWinners(1)])
        >>> net.upto("linear1").reference([[3.0, 4.0]])
        array([[11.]])
        """
        from sparsenet.graph.parts import upto

        return upto(self, name)

    def replacing(self, name: str, layer: Layer) -> "Network":
        """Return the same network with another layer in one place: other weights, other winners, another kind.

        Labels and details stay as they are, so accuracies in them are those of the old layer.

        Parameters
        ----------
        name : str
            Of the layer to replace.
        layer : Layer

        Raises
        ------
        KeyError
            When no layer has that name; it lists those there are.
        GraphError
            When the new layer does not fit in that place.

        Examples
        --------
        >>> from sparsenet.layers import KWinners
        >>> net = Network.sequential((4,), [KWinners(2)])
        >>> net.replacing("kwinners1", KWinners(1))["kwinners1"].k
        1
        """
        from sparsenet.graph.parts import replacing

        return replacing(self, name, layer)

    def save(self, path: "str | PathLike[str] | IO[bytes]") -> None:
        """Write the network to a ``.safetensors`` file, or into an open binary file; see :func:`sparsenet.load`."""
        from sparsenet.storage import save

        save(self, path)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the constructors take, so that whatever is unpickled is checked again."""
        nodes = [(node.name, type(node.layer), vars(node.layer), node.inputs) for node in self.nodes]
        return _unpickled, (self.input_shape, nodes, self.output, self.labels, dict(self.details))

    def __repr__(self) -> str:
        kept, total = _weights_kept(self)
        share = f", {kept:,} of {total:,} weights" if total else ""
        return f"<Network {self.input_shape} to {self.output_shape}: {len(self.nodes)} layers{share}>"

    def __rich__(self) -> "Table":
        from sparsenet.tables import MOST_ROWS, network_table

        return network_table(self, MOST_ROWS)

    def _repr_html_(self) -> str:
        from sparsenet.tables import as_html

        return as_html(self)


def density(layer: Layer) -> float | None:
    """Return the fraction of a layer's weights that is kept, or None where it has none.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import Linear
    >>> density(Linear(np.eye(4)))
    0.25
    """
    if not isinstance(layer, Weighted):
        return None
    return kept_count(layer) / layer.weight.size


def _unpickled(input_shape: Shape, nodes: Sequence[Any], output: str, labels: Sequence[str], details: Any) -> Network:
    made = [Node(name, kind(**fields), inputs) for name, kind, fields, inputs in nodes]
    return Network(input_shape, made, output, labels, details)


def _weights_kept(net: Network) -> tuple[int, int]:
    weighted = [node.layer for node in net.nodes if isinstance(node.layer, Weighted)]
    kept = sum(kept_count(layer) for layer in weighted)
    return kept, sum(layer.weight.size for layer in weighted)


def _checked_input_shape(shape: Any) -> Shape:
    if not isinstance(shape, tuple | list) or not all(
        isinstance(size, int | np.integer) and not isinstance(size, bool) for size in shape
    ):
        raise TypeError(f"expected the input shape as a tuple of integers, got {shape!r}")
    sizes = tuple(int(size) for size in shape)
    elements = 1
    for size in sizes:
        elements *= size
    if not 1 <= len(sizes) <= MOST_AXES or min(sizes) < 1 or elements > LARGEST_ELEMENTS:
        raise GraphError(
            f"expected an input shape of 1 to {MOST_AXES} positive sizes and at most {LARGEST_ELEMENTS} elements, "
            f"got {sizes}"
        )
    return sizes


def _checked_nodes(nodes: Any) -> dict[str, Node]:
    if not 1 <= len(nodes) <= MOST_NODES:
        raise GraphError(f"expected 1 to {MOST_NODES} layers, got {len(nodes)}")
    by_name: dict[str, Node] = {}
    for node in nodes:
        if not isinstance(node, Node) or not isinstance(node.layer, LAYERS):
            raise TypeError(f"expected nodes that hold layers of sparsenet, got {node!r}")
        if not isinstance(node.name, str) or not 0 < len(node.name) <= LONGEST_NAME or not node.name.isprintable():
            raise GraphError(f"expected a printable name of 1 to {LONGEST_NAME} characters, got {node.name!r}")
        if node.name in by_name or node.name == INPUT:
            raise GraphError(f"layer {node.name!r}: expected a name of its own, got one that is taken")
        by_name[node.name] = Node(node.name, node.layer, tuple(node.inputs))
    return by_name


def _in_order(by_name: dict[str, Node], output: str) -> tuple[Node, ...]:
    """Sort the nodes so that each comes after what it reads; refuse what cannot be sorted."""
    if output not in by_name:
        raise GraphError(f"expected the output to be one of the layers, got {output!r}")
    for node in by_name.values():
        for source in node.inputs:
            if source != INPUT and source not in by_name:
                raise GraphError(f"layer {node.name!r}: expected inputs that exist, got {source!r}")
    try:
        order = list(TopologicalSorter({name: node.inputs for name, node in by_name.items()}).static_order())
    except CycleError as error:
        raise GraphError(f"expected a graph without cycles, got {' -> '.join(error.args[1])}") from None
    _refuse_unused(by_name, output)
    return tuple(by_name[name] for name in order if name in by_name)


def _refuse_unused(by_name: dict[str, Node], output: str) -> None:
    used, waiting = {output}, [output]
    while waiting:
        for source in by_name[waiting.pop()].inputs:
            if source not in used and source != INPUT:
                used.add(source)
                waiting.append(source)
    if unused := [name for name in by_name if name not in used]:
        raise GraphError(f"layer {unused[0]!r}: expected every layer to lead to the output {output!r}, this does not")


def _all_shapes(input_shape: Shape, nodes: Sequence[Node]) -> dict[str, Shape]:
    shapes = {INPUT: input_shape}
    for node in nodes:
        try:
            shapes[node.name] = infer_shape(node.layer, tuple(shapes[source] for source in node.inputs))
        except GraphError as error:
            raise GraphError(f"layer {node.name!r} ({type(node.layer).__name__}): {error}") from None
    return shapes


def _all_byte_valued(nodes: Sequence[Node], output: str) -> frozenset[str]:
    dtypes = {INPUT: "float32"}
    for node in nodes:
        try:
            dtypes[node.name] = infer_dtype(node.layer, tuple(dtypes[source] for source in node.inputs))
        except GraphError as error:
            raise GraphError(f"layer {node.name!r} ({type(node.layer).__name__}): {error}") from None
    if dtypes[output] == "uint8":
        raise GraphError(f"layer {output!r}: expected an output in float32, got bytes; end with a Dequantize()")
    return frozenset(name for name, dtype in dtypes.items() if dtype == "uint8")


def _checked_labels(labels: Any, output_shape: Shape) -> tuple[str, ...]:
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"expected labels as a sequence of strings, got {labels!r}")
    if labels and (len(output_shape) != 1 or len(labels) != output_shape[0]):
        raise GraphError(f"expected one label per output of shape {output_shape}, got {len(labels)}")
    if len(set(labels)) != len(labels):
        raise GraphError("expected labels that differ, got duplicates")
    for label in labels:
        if len(label) > LONGEST_NAME or not label.isprintable():  # a terminal will print it
            raise GraphError(f"expected printable labels of at most {LONGEST_NAME} characters, got {label[:80]!r}")
    return tuple(labels)


def _checked_details(details: Any) -> Mapping[str, Any]:
    """Copy by way of JSON, so that what is kept is what a file can hold."""
    try:
        text = json.dumps(dict(details), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise GraphError(f"expected details that JSON can hold: {error}") from None
    if len(text) > LONGEST_DETAILS_BYTES:
        raise GraphError(f"expected details of at most {LONGEST_DETAILS_BYTES} bytes as JSON, got {len(text)}")
    kept: dict[str, Any] = json.loads(text)
    return MappingProxyType(kept)
