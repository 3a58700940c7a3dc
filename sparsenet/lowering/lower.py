"""From a network to a program: each layer becomes the kernels that compute it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from sparsenet.errors import CompileError
from sparsenet.graph.network import INPUT, Network, Node
from sparsenet.layers import Conv2d, MaxPool2d, Quantize, QuantizedConv2d, Weighted
from sparsenet.lowering.arena import Buffer
from sparsenet.lowering.byte_layers import as_floats, lower_byte_layer
from sparsenet.lowering.byte_values import Bytes
from sparsenet.lowering.float_layers import from_logical, lower_float_layer
from sparsenet.lowering.ranges import Ranges, ranges_of
from sparsenet.lowering.values import Draft, Value, View, dense_buffer, emit, logical_buffer
from sparsenet.lowering.weighted import Plan, lower_conv2d
from sparsenet.machine.facts import Machine
from sparsenet_kernels.indices import IndexRangeError

__all__ = ["Lowered", "lower", "pooled_at_once"]


@dataclass(frozen=True, eq=False)
class Lowered:
    """A program before it has addresses: its draft, its plan, and where its input and output lie.

    ``ranges`` says what its input may be at most, and which layers it watches; ``trips`` is where watches write.
    """

    draft: Draft
    plan: Plan
    source: Buffer
    result: Buffer
    ranges: Ranges
    trips: Buffer | None


def lower(
    net: Network,
    batch: int,
    machine: Machine,
    forced: Mapping[str, str],
    packs: dict[tuple[Any, ...], Any] | None = None,
) -> Lowered:
    """Write the program of a network, for chunks of at most ``batch`` samples.

    Parameters
    ----------
    net : Network
    batch : int
    machine : Machine
        What the planner plans for.
    forced : mapping of str to str
        Kernels that the planner may not choose itself, by layer.
    packs : dict, optional
        Weights packed and choices made for other programs of this network; those for this one are added.

    Raises
    ------
    CompileError
        When a kernel that is asked for cannot run its layer, or no kernel can count as far as a layer reaches.
    """
    weighted = sum(isinstance(node.layer, Weighted) for node in net.nodes)
    draft, plan = Draft(batch, {} if packs is None else packs), Plan(machine, forced, weighted)
    ranges = draft.once(ranges_of, net)
    source = draft.buffer(prod(net.input_shape))
    trips = draft.buffer(len(ranges.watched)) if ranges.watched else None
    values: dict[str, Value | Bytes] = {INPUT: from_logical(draft, source, net.input_shape)}
    # the largest of a window hides what a watch must see
    pooled = {conv: pool for conv, pool in pooled_at_once(net).items() if conv not in ranges.watched}
    for node in net.nodes:
        if node.name not in values:
            draft.layer = node.name
            try:
                name, value = _lower_node(draft, plan, net, node, values, pooled.get(node.name, node.name))
            except IndexRangeError as error:
                raise CompileError(f"layer {node.name!r}: {error}") from None
            values[name] = value
            if trips is not None and isinstance(value, Value) and name in ranges.watched:
                _watch(draft, value, ranges, name, trips)
    last = values[net.output]
    result = logical_buffer(draft, as_floats(draft, last) if isinstance(last, Bytes) else last)
    result.last = len(draft.steps)
    assert result.sample_bytes == 4 * prod(net.output_shape)  # as far apart as the driver takes samples out
    if trips is not None:
        trips.last = len(draft.steps)
    return Lowered(draft, plan, source, result, ranges, trips)


def _watch(draft: Draft, value: Value, ranges: Ranges, name: str, trips: Buffer) -> None:
    """Emit the step that notes which samples left the limit behind a layer."""
    numbers = View(dense_buffer(draft, value), (value.rows * value.channels,))
    limit = np.array([ranges.limit], np.float32)
    count = len(ranges.watched)
    emit(draft, "watch_f32", numbers, limit, ranges.watched.index(name), View(trips, (count,)))


def _lower_node(
    draft: Draft, plan: Plan, net: Network, node: Node, values: Mapping[str, Value | Bytes], pooled_name: str
) -> tuple[str, Value | Bytes]:
    """Emit a layer, and the pooling behind it where one kernel computes both; say which of them gave the value."""
    inputs = [values[name] for name in node.inputs]
    shapes = [net.shapes[name] for name in node.inputs]
    floats = [value for value in inputs if isinstance(value, Value)]
    pool = pooled_name != node.name
    if len(floats) < len(inputs) or isinstance(node.layer, Quantize):
        name = pooled_name if isinstance(node.layer, QuantizedConv2d) else node.name
        return name, lower_byte_layer(draft, plan, node.layer, inputs, shapes, net.shapes[name], pool)
    if pool and isinstance(node.layer, Conv2d):
        value, is_pooled = lower_conv2d(draft, plan, node.layer, floats[0], shapes[0], net.shapes[node.name], pool)
        return pooled_name if is_pooled else node.name, value
    return node.name, lower_float_layer(draft, plan, node.layer, floats, shapes, net.shapes[node.name])


def pooled_at_once(net: Network) -> dict[str, str]:
    """Find convolutions that only a 2 x 2 max pooling reads: one kernel may compute both."""
    readers: dict[str, list[Node]] = {}
    for node in net.nodes:
        for source in node.inputs:
            readers.setdefault(source, []).append(node)
    pooled = {}
    for node in net.nodes:
        if (
            isinstance(node.layer, Conv2d | QuantizedConv2d)
            and node.name != net.output
            and len(readers[node.name]) == 1
        ):
            reader = readers[node.name][0]
            if isinstance(reader.layer, MaxPool2d) and _is_two_by_two(reader.layer):
                pooled[node.name] = reader.name
    return pooled


def _is_two_by_two(layer: MaxPool2d) -> bool:
    return (layer.kernel, layer.stride, layer.padding) == ((2, 2), (2, 2), (0, 0))
