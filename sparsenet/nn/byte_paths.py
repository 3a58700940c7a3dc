"""Along which calls of a graph bytes can stay bytes, as sparsenet.passes.byte_paths has it for networks."""

from torch import fx

from sparsenet.nn.calls import kind_of, readers_of

__all__ = ["loses_negatives", "tail_of", "works_on_bytes"]


def tail_of(graph: fx.GraphModule, node: fx.Node) -> list[fx.Node]:
    """Return a convolution and the pooling, ReLU and k-winners that follow, as far as each has one reader."""
    tail = [node]
    while len(readers := readers_of(graph, tail[-1])) == 1 and kind_of(graph, readers[0]) in TAIL:
        tail.append(readers[0])
    return tail


TAIL = ("maxpool", "relu", "winners")


def loses_negatives(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Say whether, in the end, nothing but ReLU and k-winners among channels reads a value."""
    waiting = [node]
    while waiting:
        for reader in readers_of(graph, waiting.pop()):
            kind = kind_of(graph, reader)
            if kind == "maxpool":
                waiting.append(reader)
            elif kind not in ("relu", "winners"):
                return False
    return True


def works_on_bytes(graph: fx.GraphModule, node: fx.Node, kind: str, zero: int) -> bool:
    """Say whether a call is done on bytes of this zero point (see sparsenet.passes.byte_paths)."""
    if kind == "flatten":
        return all(kind_of(graph, reader) == "linear" for reader in readers_of(graph, node))
    return kind == "maxpool" or (kind in ("relu", "winners") and zero == 0)
