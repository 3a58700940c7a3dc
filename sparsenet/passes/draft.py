"""The quantised network as it grows along the float32 one: its nodes, what its bytes stand for, and its values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.graph.network import Network, Node
from sparsenet.graph.reference import evaluate_layer
from sparsenet.layers import Dequantize, Layer, Quantize
from sparsenet.passes.calibration import ObservedRanges
from sparsenet.passes.quant_params import QuantParams, steps_for

__all__ = ["QuantizedDraft", "QuantizedValue", "append", "as_bytes", "as_float", "leading_to", "steps_of"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class QuantizedValue:
    """A value of the network that grows: the node that gives it and, of bytes, what they stand for."""

    name: str
    steps: QuantParams | None = None


@dataclass(frozen=True, eq=False)
class QuantizedDraft:
    """The quantised network so far, with its values for the samples that were kept.

    Attributes
    ----------
    net : Network
        In float32.
    observed : ObservedRanges
    nodes : list of Node
    samples : dict of str to array
        The values of each new node.
    values : dict of str to QuantizedValue
        What each node of ``net`` became.
    to_float, to_bytes : dict
        The nodes that turn a value into the other kind, by its name.
    report : dict
        What was done, by layer.
    odd : dict of str to None
        The nodes of ``net`` whose ranges were used, and leave samples out or are too wide; in order, each once.
    before_relu : dict of str to str
        What each ReLU so far reads.
    next_numbers : dict of str to int
        Where to look for a name that nobody has, by how it begins.
    """

    net: Network
    observed: ObservedRanges
    nodes: list[Node] = field(default_factory=list)
    samples: dict[str, Array] = field(default_factory=dict)
    values: dict[str, QuantizedValue] = field(default_factory=dict)
    to_float: dict[str, str] = field(default_factory=dict)
    to_bytes: dict[str, tuple[str, QuantParams]] = field(default_factory=dict)
    report: dict[str, dict[str, Any]] = field(default_factory=dict)
    odd: dict[str, None] = field(default_factory=dict)
    before_relu: dict[str, str] = field(default_factory=dict)
    next_numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = self.net.input
        self.samples[name] = self.observed.values[name]
        self.values[name] = QuantizedValue(name)

    def range_of(self, name: str) -> tuple[float, float]:
        """Return the range that the bytes of a value shall cover, and note if it is odd."""
        extent = self.observed.extents[name]
        if extent.is_odd:
            self.odd[name] = None
        return extent.lowest, extent.highest


def append(draft: QuantizedDraft, name: str, layer: Layer, *sources: str) -> str:
    """Add a node, and compute its values."""
    draft.nodes.append(Node(name, layer, sources))
    draft.samples[name] = evaluate_layer(layer, *(draft.samples[source] for source in sources))
    return name


def as_float(draft: QuantizedDraft, source: str) -> str:
    """Return the node that gives a value in float32, made the first time that it is asked for."""
    value = draft.values[source]
    if value.steps is None:
        return value.name
    if value.name not in draft.to_float:
        layer = Dequantize(value.steps.scale, value.steps.zero)
        draft.to_float[value.name] = append(draft, _new_name(draft, "dequantize"), layer, value.name)
    return draft.to_float[value.name]


def steps_of(draft: QuantizedDraft, source: str) -> QuantParams:
    """Return what the bytes of a value stand for, or will once it is turned into bytes."""
    value = draft.values[source]
    if value.steps is not None:
        return value.steps
    return draft.to_bytes[value.name][1] if value.name in draft.to_bytes else steps_for(*draft.range_of(source))


def as_bytes(draft: QuantizedDraft, source: str) -> tuple[str, QuantParams]:
    """Return the node that gives a value in bytes, made the first time that it is asked for."""
    value, steps = draft.values[source], steps_of(draft, source)
    if value.steps is not None:
        return value.name, steps
    if value.name not in draft.to_bytes:
        # where zero is the smallest byte, rounding to bytes does what a ReLU before it does
        before = draft.before_relu.get(value.name, value.name) if steps.zero == 0 else value.name
        name = append(draft, _new_name(draft, "quantize"), Quantize(steps.scale, steps.zero), before)
        draft.to_bytes[value.name] = name, steps
        draft.report[name] = {"scale": steps.scale, "zero": steps.zero}
    return draft.to_bytes[value.name]


def _new_name(draft: QuantizedDraft, word: str) -> str:
    for n in count(draft.next_numbers.get(word, 1)):
        name = f"{word}{n}"
        if name not in draft.net.shapes and name not in draft.samples:
            draft.next_numbers[word] = n + 1
            return name
    raise AssertionError("there are numbers enough")


def leading_to(nodes: Sequence[Node], output: str) -> list[Node]:
    """Leave out the nodes that nothing reads any more."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]
