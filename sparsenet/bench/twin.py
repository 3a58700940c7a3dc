"""The dense twin of a sparse network: the same layers and sizes, no zeros among the weights, ReLU for k-winners."""

from dataclasses import replace

import numpy as np

from sparsenet.graph.network import Network, Node
from sparsenet.layers import KWinners, Layer, ReLU, Weighted
from sparsenet.models import BUNDLED, load
from sparsenet.tables import kept_weights

__all__ = ["dense_twin", "is_float", "original_of", "twin_of"]

TRAINED = {"spoken-digits": "spoken-digits-dense", "spoken-digits-float32": "spoken-digits-dense"}
ORIGINALS = {"spoken-digits": "spoken-digits-float32"}


def twin_of(model: str, net: Network) -> tuple[Network, str] | None:
    """Find or make the dense twin, and say what it is; None where the network is dense, or quantised.

    Parameters
    ----------
    model : str
        The name or path that the network was loaded by.
    net : Network
    """
    if model in TRAINED:
        return load(TRAINED[model]), "trained beside it, with ReLU for k-winners"
    if not is_float(net) or not _has_something_sparse(net):
        return None
    return dense_twin(net), "made up: zero weights filled with noise, ReLU for k-winners; it computes nothing of use"


def original_of(model: str, net: Network) -> Network | None:
    """Find the float32 network that a bundled quantised one was made from; None where there is none."""
    original = ORIGINALS.get(model, "")
    return None if is_float(net) or original not in BUNDLED else load(original)


def is_float(net: Network) -> bool:
    """Tell whether a network computes in float32 throughout."""
    return not net.byte_valued


def dense_twin(net: Network, seed: int = 0) -> Network:
    """Fill every zero weight with noise of the size of the others, and put ReLU in place of k-winners.

    Examples
    --------
    >>> import sparsenet as sn
    >>> sparse = sn.Network.sequential((4,), [sn.Linear(np.eye(4)), sn.KWinners(2)])
    >>> twin = dense_twin(sparse)
    >>> [type(node.layer).__name__ for node in twin.nodes], kept_weights(twin.nodes[0].layer)
    (['Linear', 'ReLU'], (16, 16))
    """
    random = np.random.default_rng(seed)
    nodes = [Node(node.name, _dense(node.layer, random), node.inputs) for node in net.nodes]
    return Network(net.inputs, nodes, net.outputs, net.labels)


def _dense(layer: Layer, random: np.random.Generator) -> Layer:
    if isinstance(layer, KWinners):
        return ReLU()
    if not isinstance(layer, Weighted) or layer.weight.dtype != np.float32:
        return layer
    zero = layer.weight == 0
    size = float(np.abs(layer.weight).sum() / max(1, layer.weight.size - zero.sum())) or 1.0
    noise = random.standard_normal(layer.weight.shape, np.float32) * np.float32(size)
    noise[noise == 0] = size
    return replace(layer, weight=np.where(zero, noise, layer.weight), mask=None)


def _has_something_sparse(net: Network) -> bool:
    counts = [kept_weights(node.layer) or (0, 0) for node in net.nodes]
    return any(kept < total for kept, total in counts) or any(isinstance(node.layer, KWinners) for node in net.nodes)
