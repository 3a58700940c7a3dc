"""Along which layers bytes can stay bytes, and whether anything below zero matters there."""

from sparsenet.layers import Flatten, KWinners, Linear, MaxPool2d, ReLU, Reshape
from sparsenet.network import Network, Node

__all__ = ["Readers", "loses_negatives", "tail_of", "works_on_bytes"]


class Readers:
    """Who reads each value of a network: found once, since every layer asks."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self._of: dict[str, list[Node | None]] = {}
        for node in net.nodes:
            for source in dict.fromkeys(node.inputs):
                self._of.setdefault(source, []).append(node)
        self._of.setdefault(net.output, []).append(None)

    def of(self, name: str) -> list[Node | None]:
        """Return what reads a value; None stands for the reader of the network's output."""
        return self._of.get(name, [])


def works_on_bytes(readers: Readers, node: Node, zero: int) -> bool:
    """Say whether a layer with one input can be done on bytes of this zero point."""
    layer = node.layer
    if isinstance(layer, KWinners):
        return _is_local(readers, node) and zero == 0  # losers become 0
    if isinstance(layer, Flatten | Reshape):
        all_read = readers.of(node.name)
        linear = all(reader is not None and isinstance(reader.layer, Linear) for reader in all_read)
        return linear and len(readers.net.shapes[node.name]) == 1
    return isinstance(layer, MaxPool2d)


def _is_local(readers: Readers, node: Node) -> bool:
    """Say whether a layer is k-winners among channels, by value; flattened images have their bytes in another order."""
    layer = node.layer
    return (
        isinstance(layer, KWinners)
        and layer.scope == "channels"
        and layer.factor is None
        and len(readers.net.shapes[node.name]) == 3
    )


def loses_negatives(readers: Readers, name: str) -> bool:
    """Say whether, in the end, nothing but ReLU and k-winners among channels reads a value."""
    waiting = [name]
    while waiting:
        for reader in readers.of(waiting.pop()):
            if reader is None:
                return False
            if isinstance(reader.layer, MaxPool2d):
                waiting.append(reader.name)
            elif not (isinstance(reader.layer, ReLU) or _is_local(readers, reader)):
                return False
    return True


def tail_of(readers: Readers, name: str) -> list[Node]:
    """Return the pooling, ReLU and k-winners that follow a convolution, as far as each has one reader."""
    tail: list[Node] = []
    while len(following := readers.of(tail[-1].name if tail else name)) == 1:
        reader = following[0]
        if reader is None or not (isinstance(reader.layer, MaxPool2d | ReLU) or _is_local(readers, reader)):
            break
        tail.append(reader)
    return tail
