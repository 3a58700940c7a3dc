"""Find epilogues in the graph: layers that may be computed in the same step as the layer before them.

A pattern describes the layer that may follow, and names the ``fused`` field of kernels that compute it. A layer's
implementations say whether they have such kernels. Another kind of epilogue is another entry of :data:`PATTERNS`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sparsenet.graph.network import Network, Node
from sparsenet.lowering.table import LOWERINGS
from sparsenet.lowering.task import Epilogue

__all__ = ["PATTERNS", "Pattern", "epilogues", "pooled_at_once"]


@dataclass(frozen=True)
class Pattern:
    """A layer that may be computed along with the one before it.

    Attributes
    ----------
    fused : str
        What kernels that compute both are registered with.
    matches : callable (Node) -> bool
    """

    fused: str
    matches: Callable[[Node], bool]


def _halves(node: Node) -> bool:
    """Tell whether a layer takes the largest of each 2 x 2 positions."""
    if type(node.layer).__name__ != "MaxPool2d":
        return False
    layer: Any = node.layer
    return (layer.kernel, layer.stride, layer.padding) == ((2, 2), (2, 2), (0, 0))


PATTERNS = (Pattern("pool2", _halves),)


def epilogues(net: Network, watched: Collection[str] = ()) -> Mapping[str, Epilogue]:
    """Find the layers that only a fitting epilogue reads, with that epilogue.

    Parameters
    ----------
    net : Network
    watched : collection of str
        Layers whose own values must be seen: the largest of a window hides what a watch looks for.
    """
    found = {}
    for node in net.nodes:
        readers = net.readers.get(node.name, ())
        alone = len(readers) == 1 and node.name not in watched and node.name not in net.outputs
        pattern = _pattern(node, readers[0]) if alone else None
        if pattern is not None:
            found[node.name] = Epilogue(pattern.fused, readers[0].name, net.shapes[readers[0].name])
    return found


def _pattern(node: Node, reader: Node) -> Pattern | None:
    """Return the pattern that kernels for a node may compute and its reader matches."""
    fuses = {fused for how in LOWERINGS.get(type(node.layer).__name__, ()) for fused in how.fuses}
    return next((pattern for pattern in PATTERNS if pattern.fused in fuses and pattern.matches(reader)), None)


def pooled_at_once(net: Network) -> dict[str, str]:
    """Find the layers that are computed along with the one before them, by the name of that one."""
    return {name: epilogue.layer for name, epilogue in epilogues(net).items()}
