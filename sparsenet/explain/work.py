"""How much there is to multiply in each layer: densely, without zero weights, and without zero inputs either.

    weights      density 4 %      ┐
                                  ├─ together 0.4 % of the products are left: the two sparsities multiply
    inputs       active 10 %      ┘

Counts are of multiplications in convolutions and linear layers, for one sample; everything else is additions and
comparisons. Zeros of a padded border count as multiplied.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, prod

from sparsenet.graph.network import INPUT, Network, Node
from sparsenet.layers import (
    Add,
    AvgPool2d,
    Concat,
    Conv2d,
    Dequantize,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Layer,
    MaxPool2d,
    Quantize,
    QuantizedConv2d,
    ReLU,
    Reshape,
    Weighted,
    as_pair,
)
from sparsenet.ops.shapes import Shape
from sparsenet.tables import kept_weights

__all__ = ["LayerWork", "TotalWork", "total", "work"]

BYTES_POSITION = 4
"""Where a kept weight belongs, as a 32-bit integer."""


@dataclass(frozen=True)
class LayerWork:
    """The work of one layer for one sample.

    Attributes
    ----------
    name, kind : str
    shape : tuple of int
        Of its output, without the batch axis.
    density : float or None
        The fraction of weights kept; None where there are none.
    k : int or None
        Winners, where the layer chooses them.
    active : float
        The largest share of its inputs that can be non-zero, as far as k-winners tell: 1.0 when nothing is known.
    dense, weight_sparse, twice : int
        Multiplications: with all weights; with kept weights; with kept weights and active inputs, in expectation over
        which inputs are active.
    dense_bytes, sparse_bytes : int
        Weights as the layer has them (float32, or int8 once quantised); kept weights with a 32-bit position each.
    """

    name: str
    kind: str
    shape: Shape
    density: float | None
    k: int | None
    active: float
    dense: int
    weight_sparse: int
    twice: int
    dense_bytes: int
    sparse_bytes: int


@dataclass(frozen=True)
class TotalWork:
    """The sums over all layers, and how many times less each sparsity leaves; see :class:`LayerWork`."""

    dense: int
    weight_sparse: int
    twice: int
    dense_bytes: int
    sparse_bytes: int

    @property
    def weight_sparse_ratio(self) -> float | None:
        """Dense multiplications for each one with kept weights only; None where none are left."""
        return self.dense / self.weight_sparse if self.weight_sparse else None

    @property
    def twice_ratio(self) -> float | None:
        """Dense multiplications for each one with both sparsities; None where none are left."""
        return self.dense / self.twice if self.twice else None


def work(net: Network) -> tuple[LayerWork, ...]:
    """Count the multiplications of every layer, for one sample.

    Parameters
    ----------
    net : Network

    Returns
    -------
    tuple of LayerWork
        In the order of ``net.nodes``.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import Linear
    >>> layers = [KWinners(2), Linear(np.eye(8))]
    >>> linear = work(Network.sequential((8,), layers))[1]
    >>> linear.dense, linear.weight_sparse, linear.twice
    (64, 8, 2)
    """
    active = {INPUT: _everything(net.input_shape)}
    for node in net.nodes:
        given = [active[source] for source in node.inputs]
        active[node.name] = _limit(_after(node.layer, given, net.shapes[node.name]), net.shapes[node.name])
    return tuple(_layer_work(net, node, active) for node in net.nodes)


def total(layers: Iterable[LayerWork]) -> TotalWork:
    """Add up the work of layers.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import Linear
    >>> total(work(Network.sequential((8,), [Linear(np.eye(8))]))).weight_sparse_ratio
    8.0
    """
    rows = tuple(layers)
    return TotalWork(
        dense=sum(row.dense for row in rows),
        weight_sparse=sum(row.weight_sparse for row in rows),
        twice=sum(row.twice for row in rows),
        dense_bytes=sum(row.dense_bytes for row in rows),
        sparse_bytes=sum(row.sparse_bytes for row in rows),
    )


@dataclass(frozen=True)
class _Active:
    """How many elements can be non-zero: in the whole sample, and among the channels at one position."""

    elements: int
    channels: int


def _layer_work(net: Network, node: Node, active: dict[str, _Active]) -> LayerWork:
    layer, shape = node.layer, net.shapes[node.name]
    kept, weights = kept_weights(layer) or (0, 0)
    # every weight of a filter meets one input at each place the filter is put
    places = prod(shape[1:]) if isinstance(layer, Conv2d | QuantizedConv2d) else 1
    weight_bytes = layer.weight.itemsize if isinstance(layer, Weighted) else 0
    share = max(_share(active[source], net.shapes[source]) for source in node.inputs)
    return LayerWork(
        name=node.name,
        kind=type(layer).__name__,
        shape=shape,
        density=kept / weights if weights else None,
        k=layer.k if isinstance(layer, KWinners) else None,
        active=share,
        dense=weights * places,
        weight_sparse=kept * places,
        twice=round(kept * places * share),
        dense_bytes=weights * weight_bytes,
        sparse_bytes=kept * (weight_bytes + BYTES_POSITION),
    )


def _share(active: _Active, shape: Shape) -> float:
    return min(active.elements / prod(shape), active.channels / shape[0])


def _everything(shape: Shape) -> _Active:
    return _Active(prod(shape), shape[0])


def _limit(active: _Active, shape: Shape) -> _Active:
    """Cap both counts by what the shape can hold and by each other."""
    channels = min(active.channels, active.elements, shape[0])
    return _Active(min(active.elements, channels * prod(shape[1:])), channels)


def _after(layer: Layer, given: Sequence[_Active], shape: Shape) -> _Active:
    """Say how many elements of a layer's output can be non-zero, knowing it of its inputs."""
    first = given[0]
    if isinstance(layer, KWinners):
        if layer.scope == "channels":
            return _Active(first.elements, min(first.channels, layer.k))
        return _Active(min(first.elements, layer.k), first.channels)
    if isinstance(layer, MaxPool2d | AvgPool2d):
        return _pooled(layer, first)
    if isinstance(layer, Flatten | Reshape | GlobalAvgPool2d):
        return _Active(first.elements, first.elements)
    if isinstance(layer, Add | Concat):
        return _Active(sum(one.elements for one in given), sum(one.channels for one in given))
    if isinstance(layer, Quantize | Dequantize) and layer.zero == 0:  # zeros stay zeros
        return first
    return first if isinstance(layer, ReLU) else _everything(shape)


def _pooled(layer: MaxPool2d | AvgPool2d, given: _Active) -> _Active:
    """Spread winners over windows: one lies in each that covers it; a window holds those of all its positions."""
    kernel, stride = as_pair(layer.kernel), as_pair(layer.stride)
    windows = ceil(kernel[0] / stride[0]) * ceil(kernel[1] / stride[1])
    return _Active(given.elements * windows, given.channels * kernel[0] * kernel[1])
