"""Bound the values of a network, layer by layer, and find the layers whose values must be watched.

Inputs of at most ``limit`` are carried through the network as a bound: no value, and no sum on the way to it, is
larger. Where the bound would leave float32, the layer's values are watched while the network runs, and the bound
begins again:

    input           conv1       ...    sum8        conv17      ...     classes
    at most 2**40   2**46              2**123      2**130 ✗
                                       watched:
                                       2**40       2**47               2**98

A watched layer's own values may leave float32: what did so in a sum stays infinite, or becomes NaN, up to the sum's
end, and trips the watch. So inputs within the limit and silent watches prove that every value inside the network is a
number that float32 can hold.
"""

from bisect import bisect_left
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sparsenet.graph.network import Network, Node
from sparsenet.lowering.table import LOWERINGS
from sparsenet.ops import operation_of
from sparsenet.ops.growth import UNCHANGED, Growth

__all__ = ["Ranges", "ranges_of"]

LARGEST = float(np.finfo(np.float32).max)

SAFE = 2.0**127
"""Bounds stay below this, half of what float32 can hold."""

LIMITS = (LARGEST, *(2.0**exponent for exponent in range(120, 39, -10)))
"""What inputs and watched values may be at most, the best first. Values beyond 2**40 = 1e12 are not met in networks
that work; where they are met, the reference answers, slowly."""

NEAR = 64
"""How many layers back another one may begin to be watched: each time the bounds from there on are found anew."""


@dataclass(frozen=True)
class Ranges:
    """Where a network's values are looked at.

    Attributes
    ----------
    limit : float
        The largest input, and the largest value that a watch lets pass.
    watched : tuple of str
        The layers whose values are watched, in the order in which they are computed.
    """

    limit: float
    watched: tuple[str, ...]


def ranges_of(net: Network) -> Ranges:
    """Find the fewest layers to watch, and the largest limit with which these suffice.

    Parameters
    ----------
    net : Network

    Examples
    --------
    >>> import sparsenet as sn
    >>> ranges_of(sn.Network.sequential((2,), [sn.Linear([[3e38, 3e38]])])).watched
    ('linear1',)
    >>> ranges_of(sn.Network.sequential((2,), [sn.Linear([[3.0, 4.0]])])) == Ranges(limit=2.0**120, watched=())
    True
    """
    growths = {
        node.name: operation_of(node.layer).growth(node.layer, tuple(net.shapes[source] for source in node.inputs))
        for node in net.nodes
    }
    fewest = len(_watched(net, growths, LIMITS[-1]))
    best = bisect_left(LIMITS, 1, key=lambda limit: len(_watched(net, growths, limit)) <= fewest)
    return Ranges(LIMITS[best], _watched(net, growths, LIMITS[best]))


def _watched(net: Network, growths: dict[str, Growth], limit: float) -> tuple[str, ...]:
    """List the layers to watch so that no bound that begins at ``limit``, there and behind them, leaves float32."""
    places = {node.name: place for place, node in enumerate(net.nodes)}
    walk = _Walk(net.nodes, growths, limit, places, dict.fromkeys(net.inputs, limit))
    narrow, place = _narrow_places(net, walk.places), 0
    while place < len(net.nodes):
        node = net.nodes[place]
        bound, is_safe = walk.reach(node, walk.bounds)
        if not is_safe and node.name not in walk.watched:
            begin = walk.begin_for(node, narrow)
            walk.watched.add(begin)
            place = walk.places[begin]
            bound = walk.bounds.get(begin, bound)
        name = net.nodes[place].name
        walk.bounds[name] = min(bound, limit) if name in walk.watched else bound
        place += 1
    return tuple(sorted(walk.watched, key=walk.places.__getitem__))


def _narrow_places(net: Network, places: dict[str, int]) -> list[bool]:
    """Mark the layers that everything behind them depends on alone, such as a residual network's sums."""
    last_read = {source: places[node.name] for node in net.nodes for source in node.inputs}
    furthest = max(last_read.get(name, 0) for name in net.inputs)
    narrow = []
    for place, node in enumerate(net.nodes):
        narrow.append(furthest <= place)
        furthest = max(furthest, last_read.get(node.name, 0))
    return narrow


@dataclass(frozen=True)
class _Walk:
    """A walk along a network with bounds: those found so far, and the layers that are watched."""

    nodes: Sequence[Node]
    growths: dict[str, Growth]
    limit: float
    places: dict[str, int]
    bounds: dict[str, float]
    watched: set[str] = field(default_factory=set)

    def reach(self, node: Node, bounds: Mapping[str, float]) -> tuple[float, bool]:
        """Bound a layer's values; tell whether they, and all sums on the way to them, stay within float32."""
        grown = self.growths[node.name]
        bound, peak = grown.bounds([bounds[source] for source in node.inputs])
        # what cannot grow is within float32 as its inputs are; what can is kept away from the end
        return bound, peak <= (LARGEST if grown == UNCHANGED else SAFE)

    def begin_for(self, node: Node, narrow: Sequence[bool]) -> str:
        """Name the layer to watch where a node's bound is too large: one not far before it if that suffices, or itself.

        A residual network's sum is read by the next block, and by the sum behind that: it should begin again for both.
        """
        place = self.places[node.name]
        near = range(place - 1, max(-1, place - 1 - NEAR), -1)
        before = next((at for at in near if narrow[at] and self._lies_dense(at)), None)
        sources = [self.places[source] for source in node.inputs if source in self.places]
        for begin in [] if before is None else [before], [at for at in sources if at in near and self._lies_dense(at)]:
            for at in begin:
                if self._suffices(at, place):
                    return self.nodes[at].name
        return node.name

    def _lies_dense(self, place: int) -> bool:
        """Tell whether a layer writes all its values: winners may lie in lists."""
        return all(how.dense for how in LOWERINGS.get(type(self.nodes[place].layer).__name__, ()))

    def _suffices(self, begin: int, end: int) -> bool:
        """Tell whether watching a layer makes the bounds behind it, up to another, small enough."""
        name = self.nodes[begin].name
        if name in self.watched or self.bounds[name] <= self.limit:
            return False
        bounds = ChainMap({name: self.limit}, self.bounds)
        for node in self.nodes[begin + 1 : end + 1]:
            bound, is_safe = self.reach(node, bounds)
            bounds[node.name] = min(bound, self.limit) if node.name in self.watched else bound
        return is_safe
