"""A network: layers in a directed acyclic graph, checked as a whole when it is made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from sparsenet.errors import GraphError
from sparsenet.graph.checks import (
    MOST_NODES,
    all_dtypes,
    all_shapes,
    checked_details,
    checked_inputs,
    checked_labels,
    checked_nodes,
    checked_outputs,
    in_order,
    only,
    refuse_unread,
)
from sparsenet.graph.node import INPUT, Input, Node
from sparsenet.graph.summary import one_line
from sparsenet.ops import Layer
from sparsenet.ops.shapes import Shape
from sparsenet_kernels.forks import kept_property

if TYPE_CHECKING:
    from os import PathLike

    from rich.table import Table

__all__ = ["INPUT", "MOST_NODES", "Input", "Network", "Node"]


@dataclass(frozen=True, eq=False, init=False)
class Network:
    """What is computed, and nothing about how.

    Parameters
    ----------
    inputs : tuple of int, or mapping of str to Input
        Shape of one sample, channels first, without the batch axis: the only input, float32, is called ``"input"``
        then. Or what several inputs, or those of another dtype, are, by name.
    nodes : sequence of Node
        In any order; kept in an order in which they can be computed.
    outputs : str or sequence of str
        The nodes whose values the network gives: float32.
    labels : sequence of str
        Names of the classes, as many as the only output has numbers, or none.
    details : mapping, optional
        Anything JSON can hold that should travel with the network: front-end settings, accuracy, provenance, licence.

    Attributes
    ----------
    shapes : mapping of str to tuple of int
        The shape of every node's value, and of every input, without the batch axis.
    dtypes : mapping of str to str
        What every node's value is, and every input: "float32", "uint8" (bytes), "int32" or "bool".
    byte_valued : frozenset of str
        The nodes whose values are bytes, whole numbers from 0 to 255.

    Raises
    ------
    GraphError
        When the graph cannot mean anything: shapes that do not fit, cycles, unknown inputs, duplicate names, layers
        or inputs that nothing uses. The message names the layer, what was expected and what came.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import Add, Cast, KWinners, Linear
    >>> net = Network.sequential((4,), [Linear(np.eye(4)), KWinners(2)])
    >>> net.output_shape
    (4,)
    >>> nodes = [Node("numbers", Cast(), ("ids",)), Node("sum", Add(), ("x", "numbers"))]
    >>> net = Network({"x": Input((2,)), "ids": Input((2,), "int32")}, nodes, "sum")
    >>> net.reference(x=[[0.5, 1.0]], ids=[[1, 2]])
    array([[1.5, 3. ]])
    """

    inputs: Mapping[str, Input]
    nodes: Sequence[Node]
    outputs: tuple[str, ...]
    labels: Sequence[str]
    details: Mapping[str, Any]
    shapes: Mapping[str, Shape] = field(init=False, repr=False)
    dtypes: Mapping[str, str] = field(init=False, repr=False)
    byte_valued: frozenset[str] = field(init=False, repr=False)

    def __init__(
        self,
        inputs: Sequence[int] | Mapping[str, Input],
        nodes: Sequence[Node],
        outputs: str | Sequence[str],
        labels: Sequence[str] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        given = checked_inputs(inputs)
        by_name = checked_nodes(nodes, given)
        names = checked_outputs(outputs, by_name)
        ordered = in_order(by_name, given, names)
        shapes, dtypes = all_shapes(given, ordered), all_dtypes(given, ordered, names)
        refuse_unread(given, ordered)
        self._keep(inputs=given, nodes=ordered, outputs=names)
        self._keep(shapes=MappingProxyType(shapes), dtypes=MappingProxyType(dtypes))
        self._keep(byte_valued=frozenset(name for name, dtype in dtypes.items() if dtype == "uint8"))
        self._keep(labels=checked_labels(labels, [shapes[name] for name in names]))
        self._keep(details=checked_details({} if details is None else details))

    def _keep(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @classmethod
    def sequential(
        cls,
        inputs: Sequence[int] | Mapping[str, Input],
        layers: Sequence[Layer],
        labels: Sequence[str] = (),
        details: Mapping[str, Any] | None = None,
    ) -> "Network":
        """Chain layers one after the other, named after their kind: ``conv2d1``, ``relu1``, ``conv2d2`` and so on."""
        if not layers:
            raise GraphError("expected at least one layer, got none")
        given = checked_inputs(inputs)
        counters: dict[str, Iterator[int]] = {}
        nodes: list[Node] = []
        for layer in layers:
            kind = type(layer).__name__.lower()
            name = f"{kind}{next(counters.setdefault(kind, count(1)))}"
            nodes.append(Node(name, layer, (nodes[-1].name if nodes else only(given, "input"),)))
        return cls(given, nodes, nodes[-1].name, labels, details)

    @property
    def input(self) -> str:
        """The name of the input, of networks that have one."""
        return only(self.inputs, "input")

    @property
    def input_shape(self) -> Shape:
        """Shape of one sample's input, without the batch axis, of networks that have one input."""
        return self.inputs[self.input].shape

    @property
    def output(self) -> str:
        """The name of the output, of networks that have one."""
        return only(self.outputs, "output")

    @property
    def output_shape(self) -> Shape:
        """Shape of one sample's output, without the batch axis, of networks that have one output."""
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

    @overload
    def reference(self, x: npt.ArrayLike, /) -> npt.NDArray[np.float64]: ...

    @overload
    def reference(self, x: Mapping[str, npt.ArrayLike], /) -> Any: ...

    @overload
    def reference(self, /, **inputs: npt.ArrayLike) -> Any: ...

    def reference(self, x: Any = None, /, **inputs: Any) -> Any:
        """Compute what the network means, in float64 NumPy: slow, readable, the measure of every kernel.

        Nothing is rounded to float32 on the way: values that float32 cannot hold, which an engine refuses, are ordinary
        numbers here.

        Parameters
        ----------
        x : array (B, *input_shape), or mapping of str to array
            The only input, or all of them by name.
        **inputs : array (B, *shape)
            The inputs by name, instead. Whole numbers of any dtype may be given for int32, where they fit.

        Returns
        -------
        array (B, *output_shape), float64
            Of several outputs a dict of such arrays, by name.

        Raises
        ------
        SparsenetError
            When an input is missing, has another shape, or holds NaN or infinity.
        TypeError
            When an input holds other things than its dtype says.
        RangeError
            When a value leaves float64, too; the message names the layer.

        Examples
        --------
        >>> from sparsenet.layers import KWinners
        >>> Network.sequential((3,), [KWinners(1)]).reference([[1.0, 3.0, 3.0]])
        array([[0., 3., 0.]])
        """
        from sparsenet.graph.given import by_name
        from sparsenet.graph.reference import evaluate

        values = evaluate(self, by_name(self, x, inputs))
        if len(self.outputs) == 1:
            return values[self.output]
        return {name: values[name] for name in self.outputs}

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
        return _unpickled, (dict(self.inputs), nodes, self.outputs, self.labels, dict(self.details))

    def __repr__(self) -> str:
        return one_line(self)

    def __rich__(self) -> "Table":
        from sparsenet.tables import MOST_ROWS, network_table

        return network_table(self, MOST_ROWS)

    def _repr_html_(self) -> str:
        from sparsenet.tables import as_html

        return as_html(self)


def _unpickled(inputs: Any, nodes: Sequence[Any], outputs: Any, labels: Sequence[str], details: Any) -> Network:
    made = [Node(name, kind(**fields), sources) for name, kind, fields, sources in nodes]
    return Network(inputs, made, outputs, labels, details)
