"""Summarise a network in one line: its inputs and outputs, its layers, its kept weights."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from sparsenet.ops import Layer, Weighted, kept_count

if TYPE_CHECKING:
    from sparsenet.graph.network import Network

__all__ = ["density", "one_line"]


def one_line(net: "Network") -> str:
    """Say what a network is in one line: what it takes and gives, its layers, its weights."""
    weighted = [node.layer for node in net.nodes if isinstance(node.layer, Weighted)]
    kept = sum(kept_count(layer) for layer in weighted)
    share = f", {kept:,} of {sum(layer.weight.size for layer in weighted):,} weights" if weighted else ""
    return f"<Network {_ends(net, net.inputs)} to {_ends(net, net.outputs)}: {len(net.nodes)} layers{share}>"


def _ends(net: "Network", names: Collection[str]) -> str:
    """Write the inputs or outputs of a network: shapes, names where there are several, dtypes that are not float32."""
    told = []
    for name in names:
        dtype = net.dtypes[name]
        words = [name] * (len(names) > 1) + [str(net.shapes[name])] + [dtype] * (dtype != "float32")
        told.append(" ".join(words))
    return ", ".join(told)


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
