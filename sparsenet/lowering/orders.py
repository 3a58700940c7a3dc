"""Which order of elements each value is wanted in, so that it is turned once, or never."""

from collections.abc import Mapping

from sparsenet.graph.network import Network
from sparsenet.lowering.layout import CHANNELS_LAST, LOGICAL, SAME
from sparsenet.lowering.table import LOWERINGS

__all__ = ["orders_read"]


def orders_read(net: Network) -> Mapping[str, str]:
    """Return the order that the readers of each value ask for: channels last, unless all ask for that of the axes.

    A layer that takes any order asks for what its own readers ask for. Inputs of whole numbers and of truth values
    stay as they come.

    Examples
    --------
    >>> import sparsenet as sn
    >>> orders_read(sn.Network.sequential((3, 4, 4), [sn.ReLU(), sn.MaxPool2d(2)]))["input"]
    'channels last'
    """
    orders: dict[str, str] = {}
    for node in reversed(net.nodes):
        orders[node.name] = _read(net, node.name, orders)
    for name, given in net.inputs.items():
        orders[name] = _read(net, name, orders) if given.dtype == "float32" else LOGICAL
    return orders


def _read(net: Network, name: str, orders: Mapping[str, str]) -> str:
    asked = {
        orders[node.name] if how.reads == SAME else how.reads
        for node in net.readers.get(name, ())
        for how in LOWERINGS.get(type(node.layer).__name__, ())
    }
    if not asked:  # an output, which leaves in the order of its axes
        return LOGICAL
    return LOGICAL if asked == {LOGICAL} else CHANNELS_LAST
