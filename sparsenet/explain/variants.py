"""Make variants of a network, with other masks or fewer winners, without training them.

Weights are drawn at random from those that the layer has, so that values stay of the same size; such a network computes
nothing of use, and takes the time that a trained one would.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import log2, prod, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError, did_you_mean
from sparsenet.graph.network import Network, Node
from sparsenet.layers import (
    BatchNorm,
    Conv2d,
    Dequantize,
    KWinners,
    Layer,
    Linear,
    Quantize,
    QuantizedConv2d,
    QuantizedLinear,
    ReLU,
    Weighted,
    kept_count,
)
from sparsenet.ops.reshaping import InOrder
from sparsenet.ops.whole_weights import MOST_SHIFT
from sparsenet.packing import FAMILIES, Mask

__all__ = [
    "all_kept",
    "image_channels",
    "mask_for",
    "masked",
    "weighted_nodes",
    "with_layers",
    "with_winners",
    "with_winners_before",
]

IN_PLACE = KWinners | ReLU | Quantize | Dequantize | BatchNorm
"""Layers behind which every element is where it was."""


def weighted_nodes(net: Network) -> tuple[Node, ...]:
    """List the nodes that have weights.

    Examples
    --------
    >>> net = Network.sequential((4,), [Linear(np.eye(4)), ReLU()])
    >>> [node.name for node in weighted_nodes(net)]
    ['linear1']
    """
    return tuple(node for node in net.nodes if isinstance(node.layer, Weighted))


def with_layers(net: Network, layers: Mapping[str, Layer]) -> Network:
    """Put other layers in the place of some, by name."""
    nodes = [replace(node, layer=layers.get(node.name, node.layer)) for node in net.nodes]
    return Network(net.inputs, nodes, net.outputs, net.labels, net.details)


def image_channels(net: Network, node: Node) -> int | None:
    """Tell how many channels the image has whose flattened form a node reads; None where it reads no such thing."""
    name = node.inputs[0]
    while name not in net.inputs:
        layer = net[name]
        (source, *others) = next(one.inputs for one in net.nodes if one.name == name)
        if isinstance(layer, InOrder):
            shape = net.shapes[source]
            return shape[0] if len(shape) == 3 and prod(shape[1:]) > 1 and len(net.shapes[name]) == 1 else None
        if others or not isinstance(layer, IN_PLACE):
            return None
        name = source
    return None


def mask_for(layer: Weighted, family: str, density: float, channels: int | None) -> Mask:
    """Make a mask of a family for a layer.

    Parameters
    ----------
    layer : Conv2d, Linear, QuantizedConv2d or QuantizedLinear
    family : str
        A key of :data:`sparsenet.packing.FAMILIES`.
    density : float
        Fraction to keep, in (0, 1].
    channels : int or None
        See :func:`image_channels`; for linear layers only.

    Raises
    ------
    SparsenetError
        When there is no such family, or it has no such mask for this shape.
    """
    if family not in FAMILIES:
        close = did_you_mean(family, FAMILIES)
        raise SparsenetError(f"expected a family of masks ({', '.join(FAMILIES)}), got {family!r}{close}")
    in_bytes = isinstance(layer, QuantizedConv2d | QuantizedLinear)
    settings: dict[str, Any] = {"inputs": 4 if in_bytes else 1} if family == "blocks" else {}
    if layer.weight.ndim == 2:
        settings["channels"] = channels
    return FAMILIES[family](layer.weight.shape, density, **settings)


def masked(layer: Weighted, keep: npt.NDArray[np.bool_], seed: int = 0) -> Weighted:
    """Give a layer random weights under another mask, drawn from its own and scaled so that sums stay as large.

    Parameters
    ----------
    layer : Conv2d, Linear, QuantizedConv2d or QuantizedLinear
    keep : bool array like its weight
    seed : int

    Raises
    ------
    GraphError
        When sums of whole numbers could leave int32.

    Examples
    --------
    >>> layer = masked(Linear(np.ones((2, 4))), np.arange(8).reshape(2, 4) % 4 == 0)
    >>> layer.weight.tolist()
    [[2.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]
    """
    own = layer.weight[layer.weight != 0]
    drawn = np.random.default_rng(seed).choice(own if own.size else np.ones(1, own.dtype), keep.shape)
    larger = sqrt(max(int(keep.sum()), 1) / max(kept_count(layer), 1))  # how much sums of random signs grow
    if isinstance(layer, Conv2d | Linear):
        return replace(layer, weight=np.where(keep, drawn / np.float32(larger), np.float32(0)), mask=keep)
    weight = np.where(keep, drawn, np.int8(0))
    if isinstance(layer, QuantizedLinear):
        return replace(layer, weight=weight, mask=keep, scale=layer.scale / np.float32(larger))
    assert isinstance(layer, QuantizedConv2d)
    shift = min(max(layer.shift + round(log2(larger)), 0), MOST_SHIFT)
    return replace(layer, weight=weight, mask=keep, shift=shift)


def all_kept(net: Network) -> Network:
    """Fill every zero weight of layers of bytes, whose formats leave zeros out.

    Kernels of float32 that are called dense multiply zeros all the same: those layers stay as they are.
    """
    layers = {
        node.name: masked(node.layer, np.ones(node.layer.weight.shape, bool))
        for node in net.nodes
        if isinstance(node.layer, QuantizedConv2d | QuantizedLinear) and kept_count(node.layer) < node.layer.weight.size
    }
    return with_layers(net, layers)


def with_winners(net: Network, active: float) -> Network:
    """Let every k-winners layer keep another share; ReLU becomes k-winners where there are none.

    Parameters
    ----------
    net : Network
    active : float
        Winners over candidates, in (0, 1].

    Raises
    ------
    SparsenetError
        When the share cannot be, or no layer could choose winners.

    Examples
    --------
    >>> net = Network.sequential((4,), [Linear(np.eye(4, 20).T), ReLU(), Linear(np.ones((2, 20)))])
    >>> with_winners(net, 0.1)["relu1"].k
    2
    """
    if isinstance(active, bool) or not isinstance(active, int | float | np.integer | np.floating):
        raise TypeError(f"expected active to be a number, got {type(active).__name__}")
    if not 0 < active <= 1:
        hint = "; did you pass a percentage?" if 1 < active <= 100 else ""
        raise SparsenetError(f"expected active in (0, 1], got {active}{hint}")
    kind = KWinners if any(isinstance(node.layer, KWinners) for node in net.nodes) else ReLU
    nodes = [node for node in net.nodes if isinstance(node.layer, kind)]
    if not nodes:
        raise SparsenetError("expected a network with k-winners or ReLU to change, got none of them")
    return with_layers(net, {node.name: _winners(node.layer, net.shapes[node.name], active) for node in nodes})


def with_winners_before(net: Network, name: str, active: float) -> Network:
    """Put k-winners before a node."""
    node = next(one for one in net.nodes if one.name == name)
    chosen = f"{name} winners"
    winners = Node(chosen, _winners(None, net.shapes[node.inputs[0]], active), node.inputs)
    nodes = [replace(one, inputs=(chosen,)) if one.name == name else one for one in net.nodes]
    return Network(net.inputs, [*nodes, winners], net.outputs, net.labels, net.details)


def _winners(layer: Layer | None, shape: tuple[int, ...], active: float) -> KWinners:
    scope = layer.scope if isinstance(layer, KWinners) else "channels" if len(shape) == 3 else "all"
    candidates = shape[0] if scope == "channels" else prod(shape)
    factor = layer.factor if isinstance(layer, KWinners) else None
    return KWinners(max(1, round(active * candidates)), scope, factor)
