"""Lower a network to a program: each layer becomes kernel steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from sparsenet.errors import CompileError
from sparsenet.graph.network import Network, Node
from sparsenet.lowering.arena import Buffer
from sparsenet.lowering.draft import Arguments, Draft, View, emit
from sparsenet.lowering.fusion import epilogues, pooled_at_once
from sparsenet.lowering.orders import orders_read
from sparsenet.lowering.quantization import as_bytes, as_floats
from sparsenet.lowering.ranges import Ranges, ranges_of
from sparsenet.lowering.table import LOWERINGS
from sparsenet.lowering.task import Epilogue, Lowering, Plan, Task
from sparsenet.lowering.tensor import ITEM_BYTES, Tensor, dense_buffer, from_logical, logical
from sparsenet.machine.facts import Machine
from sparsenet.ops import operation_of
from sparsenet_kernels.indices import IndexRangeError
from sparsenet_kernels.registry import kernels

__all__ = ["Lowered", "lower", "pooled_at_once"]


@dataclass(frozen=True, eq=False)
class Lowered:
    """A program before it has addresses.

    Attributes
    ----------
    draft : Draft
        Its steps and buffers.
    plan : Plan
        Its choices.
    sources, results : mapping of str to Buffer
        Where its inputs and outputs lie, by their names.
    ranges : Ranges
        What its input may be at most, and which layers it watches.
    trips : Buffer or None
        Where watches write.
    """

    draft: Draft
    plan: Plan
    sources: Mapping[str, Buffer]
    results: Mapping[str, Buffer]
    ranges: Ranges
    trips: Buffer | None

    @property
    def source(self) -> Buffer:
        """Where the only input lies."""
        (source,) = self.sources.values()
        return source

    @property
    def result(self) -> Buffer:
        """Where the only output lies."""
        (result,) = self.results.values()
        return result


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
        When a kernel that is asked for cannot run its layer, no kernel can count as far as a layer reaches, or nothing
        is known of a kind of layer.
    """
    weighted = sum(operation_of(node.layer).stored.weighted for node in net.nodes)
    draft, plan = Draft(batch, {} if packs is None else packs), Plan(machine, forced, weighted)
    ranges = draft.once(ranges_of, net)
    sources = {
        name: draft.buffer(prod(given.shape), item_bytes=ITEM_BYTES[given.dtype]) for name, given in net.inputs.items()
    }
    trips = draft.buffer(len(ranges.watched)) if ranges.watched else None
    behind, orders = epilogues(net, ranges.watched), orders_read(net)
    values = {
        name: from_logical(draft, sources[name], given.shape, given.dtype, orders[name])
        for name, given in net.inputs.items()
    }
    for node in net.nodes:
        if node.name not in values:
            draft.layer = node.name
            name, tensor = _lower_node(draft, plan, net, node, values, orders[node.name], behind.get(node.name))
            values[name] = tensor
            if trips is not None and name in ranges.watched and tensor.dtype == "float32":
                _watch(draft, tensor, ranges, name, trips)
    results = {name: _result(draft, values[name]) for name in net.outputs}
    for buffer in (*results.values(), *([] if trips is None else [trips])):
        buffer.last = len(draft.steps)
    return Lowered(draft, plan, sources, results, ranges, trips)


def _result(draft: Draft, last: Tensor) -> Buffer:
    """Return an output as floats in the order of their axes."""
    tensor = logical(draft, as_floats(draft, last) if last.dtype == "uint8" else last)
    result = dense_buffer(draft, tensor)
    assert result.sample_bytes == 4 * tensor.size  # as far apart as the driver takes samples out
    return result


def _watch(draft: Draft, tensor: Tensor, ranges: Ranges, name: str, trips: Buffer) -> None:
    """Emit the step that notes which samples left the limit behind a layer."""
    given: Arguments = {
        "x": View(dense_buffer(draft, tensor), (tensor.size,)),
        "limit": np.array([ranges.limit], np.float32),
        "place": ranges.watched.index(name),
        "trips": View(trips, (len(ranges.watched),)),
    }
    emit(draft, "watch_f32", given)


def _lower_node(
    draft: Draft,
    plan: Plan,
    net: Network,
    node: Node,
    values: Mapping[str, Tensor],
    order: str,
    epilogue: Epilogue | None,
) -> tuple[str, Tensor]:
    """Emit a layer, and what is behind it where one kernel computes both; say which of them gave the tensor."""
    inputs = tuple(values[name] for name in node.inputs)
    dtype = "uint8" if node.name in net.byte_valued else "float32"
    task = Task(draft, plan, node.layer, inputs, net.shapes[node.name], dtype, order, epilogue)
    before = len(plan.choices)
    try:
        tensor = _lower_task(task)
    except IndexRangeError as error:
        raise CompileError(f"layer {node.name!r}: {error}") from None
    fused = any(kernels()[choice.kernel].fused for choice in plan.choices[before:])
    return epilogue.layer if epilogue is not None and fused else node.name, tensor


def _lower_task(task: Task) -> Tensor:
    """Emit a layer as its family says; what no kernel computes on bytes goes through floats, which hold every byte."""
    kind, draft = type(task.layer).__name__, task.draft
    known = LOWERINGS.get(kind)
    if known is None:
        raise CompileError(f"layer {draft.layer!r}: expected a kind of layer that can be lowered, got {kind}")
    if (found := _fitting(known, task)) is not None:
        return found.emit(task)
    floats = replace(task, inputs=tuple(as_floats(draft, x) if x.dtype == "uint8" else x for x in task.inputs))
    if (found := _fitting(known, floats)) is not None and floats.inputs != task.inputs:
        given = found.emit(floats)
        return as_bytes(draft, given) if task.dtype == "uint8" else given
    came = ", ".join(x.dtype for x in task.inputs)
    raise CompileError(f"layer {draft.layer!r}: expected inputs that {kind} can be lowered for, got {came}")


def _fitting(known: tuple[Lowering, ...], task: Task) -> Lowering | None:
    """Return the first way to lower a layer on what its inputs are."""
    dtypes = {x.dtype for x in task.inputs}
    return next((how for how in known if dtypes == {how.dtype} and how.fits(task)), None)
