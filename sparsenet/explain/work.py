"""How much there is to multiply in each layer: densely, without zero weights, and without zero inputs either.

    weights      density 4 %      ┐
                                  ├─ together 0.4 % of the products are left: the two sparsities multiply
    inputs       active 10 %      ┘

Counts are of multiplications in convolutions and linear layers, for one sample; everything else is additions and
comparisons. Zeros of a padded border count as multiplied.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from sparsenet.graph.network import Network, Node
from sparsenet.layers import KWinners, Weighted
from sparsenet.ops import operation_of
from sparsenet.ops.shapes import Shape
from sparsenet.ops.work import Active
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
    active = {name: Active(prod(one.shape), one.shape[0]) for name, one in net.inputs.items()}
    for node in net.nodes:
        given = [active[source] for source in node.inputs]
        shape = net.shapes[node.name]
        active[node.name] = _limit(operation_of(node.layer).work.active(node.layer, given, shape), shape)
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


def _layer_work(net: Network, node: Node, active: dict[str, Active]) -> LayerWork:
    layer, shape = node.layer, net.shapes[node.name]
    kept, weights = kept_weights(layer) or (0, 0)
    shapes = tuple(net.shapes[source] for source in node.inputs)
    dense = operation_of(layer).work.products(layer, shapes, shape)
    sparse = dense * kept // weights if weights else dense
    weight_bytes = layer.weight.itemsize if isinstance(layer, Weighted) else 0
    share = max(_share(active[source], net.shapes[source]) for source in node.inputs)
    return LayerWork(
        name=node.name,
        kind=type(layer).__name__,
        shape=shape,
        density=kept / weights if weights else None,
        k=layer.k if isinstance(layer, KWinners) else None,
        active=share,
        dense=dense,
        weight_sparse=sparse,
        twice=round(sparse * share),
        dense_bytes=weights * weight_bytes,
        sparse_bytes=kept * (weight_bytes + BYTES_POSITION),
    )


def _share(active: Active, shape: Shape) -> float:
    return min(active.elements / prod(shape), active.channels / shape[0])


def _limit(active: Active, shape: Shape) -> Active:
    """Cap both counts by what the shape can hold and by each other."""
    channels = min(active.channels, active.elements, shape[0])
    return Active(min(active.elements, channels * prod(shape[1:])), channels)
