"""Along which layers bytes can stay bytes, and whether anything below zero matters there."""

from sparsenet.graph.network import Network, Node
from sparsenet.layers import KWinners, Linear, MaxPool2d, ReLU
from sparsenet.ops.reshaping import InOrder

__all__ = ["loses_negatives", "tail_of", "works_on_bytes"]


def works_on_bytes(net: Network, node: Node, zero: int) -> bool:
    """Say whether a layer with one input can be done on bytes of this zero point."""
    layer = node.layer
    if isinstance(layer, KWinners):
        return _is_local(net, node) and zero == 0  # losers become 0
    if isinstance(layer, InOrder):
        readers = _readers(net, node.name)
        linear = all(reader is not None and isinstance(reader.layer, Linear) for reader in readers)
        return linear and len(net.shapes[node.name]) == 1
    return isinstance(layer, MaxPool2d)


def _is_local(net: Network, node: Node) -> bool:
    """Say whether a layer is k-winners among channels, by value; flattened images have their bytes in another order."""
    layer = node.layer
    return (
        isinstance(layer, KWinners)
        and layer.scope == "channels"
        and layer.factor is None
        and len(net.shapes[node.name]) == 3
    )


def _readers(net: Network, name: str) -> list[Node | None]:
    """Return what reads a value; None stands for the reader of the network's output."""
    readers = net.readers.get(name, ())
    return [*readers, None] if name in net.outputs else list(readers)


def loses_negatives(net: Network, name: str) -> bool:
    """Say whether, in the end, nothing but ReLU and k-winners among channels reads a value."""
    waiting, seen = [name], {name}
    while waiting:
        for reader in _readers(net, waiting.pop()):
            if reader is None:
                return False
            if isinstance(reader.layer, MaxPool2d):
                waiting.extend({reader.name} - seen)
                seen.add(reader.name)
            elif not (isinstance(reader.layer, ReLU) or _is_local(net, reader)):
                return False
    return True


def tail_of(net: Network, name: str) -> list[Node]:
    """Return the pooling, ReLU and k-winners that follow a convolution, as far as each has one reader."""
    tail: list[Node] = []
    while len(readers := _readers(net, tail[-1].name if tail else name)) == 1:
        reader = readers[0]
        if reader is None or not (isinstance(reader.layer, MaxPool2d | ReLU) or _is_local(net, reader)):
            break
        tail.append(reader)
    return tail
