"""Parts of a network and networks with other parts; and what to say where a network was expected."""

import os
from itertools import count

from sparsenet.errors import GraphError
from sparsenet.graph.network import Network, Node
from sparsenet.layers import Dequantize, Layer

__all__ = ["expect_network", "expect_one_to_one", "is_one_to_one", "replacing", "upto"]


def expect_network(value: object) -> None:
    """Raise TypeError where a value is no network; it says how to make one of what came.

    Examples
    --------
    >>> expect_network("spoken-digits")
    Traceback (most recent call last):
    TypeError: expected a Network, got the str 'spoken-digits'; load it first: sn.load('spoken-digits')
    """
    if isinstance(value, Network):
        return
    kind = type(value).__name__
    if isinstance(value, str | os.PathLike):
        path = os.fspath(value)
        raise TypeError(f"expected a Network, got the {kind} {path!r}; load it first: sn.load({path!r})")
    if any(base.__module__.partition(".")[0] == "torch" for base in type(value).__mro__):
        raise TypeError(f"expected a Network, got the torch {kind}; import it first: sn.from_torch(module, example)")
    if hasattr(value, "network"):
        raise TypeError(f"expected a Network, got {kind}; it is compiled already, and its .network is the Network")
    raise TypeError(f"expected a Network, got {kind}; sn.load, sn.from_torch and sn.Network.sequential make one")


def is_one_to_one(net: Network) -> bool:
    """Tell whether a network has one input, float32, and one output."""
    return len(net.outputs) == 1 and [one.dtype for one in net.inputs.values()] == ["float32"]


def expect_one_to_one(net: Network, who: str) -> None:
    """Raise GraphError where a network has not one input, float32, and one output; ``who`` cannot work on others."""
    if not is_one_to_one(net):
        inputs = ", ".join(f"{name} ({one.dtype})" for name, one in net.inputs.items())
        raise GraphError(
            f"{who} works on networks with one input, float32, and one output; "
            f"this one has the inputs {inputs} and the outputs {', '.join(net.outputs)}"
        )


def upto(net: Network, name: str) -> Network:
    """Do what :meth:`Network.upto` says."""
    net[name]  # which says what layers there are, where none has that name
    leading = {name}
    for node in reversed(net.nodes):  # in this order each node comes after all that read it
        if node.name in leading:
            leading.update(node.inputs)
    nodes = [node for node in net.nodes if node.name in leading]
    inputs = {given: one for given, one in net.inputs.items() if given in leading}
    if name not in net.byte_valued:
        return Network(inputs, nodes, name)
    end = next(free for number in count(1) if (free := f"bytes{number}") not in leading)
    return Network(inputs, [*nodes, Node(end, Dequantize(1.0), (name,))], end)


def replacing(net: Network, name: str, layer: Layer) -> Network:
    """Do what :meth:`Network.replacing` says."""
    net[name]
    nodes = [Node(name, layer, node.inputs) if node.name == name else node for node in net.nodes]
    return Network(net.inputs, nodes, net.outputs, net.labels, net.details)
