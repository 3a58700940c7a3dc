"""Training that knows of rounding: a copy of a network that computes, in float32, nearly what its 8-bit form will."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from sparsenet.errors import SparsenetError
from sparsenet.nn.fake_quantize import ByteSteps, FakeQuantizedConv2d, FakeQuantizedLinear
from sparsenet.nn.graph import folded_graph, kind_of, module_of, readers_of
from sparsenet.passes.calibration import MOST_SAMPLES, Reservoir
from sparsenet.passes.search import REACHES
from sparsenet.passes.steps import Steps, steps_for

__all__ = ["quantize_aware", "without_rounding"]


def quantize_aware(module: nn.Module, calibration: torch.Tensor | Iterable[torch.Tensor]) -> fx.GraphModule:
    """Copy a network so that it rounds as :func:`sparsenet.quantize` will; train the copy some more.

    Batch norms are folded into the layers before them, and dropout is left out. Convolutions round their weights to
    int8, with one scale for all channels that makes requantising a shift, and their outputs to bytes; linear layers
    that follow them round their weights, with a scale for each output. Where only ReLU or k-winners among channels read
    a convolution, its outputs are clipped at zero, and k-winners see the ties that rounding makes. Gradients pass
    through rounding unchanged and stop where values are clipped. The steps of the bytes are chosen once, from what is
    observed on calibration data.

    Train it in float32, not under autocast: bfloat16 has no more bits than the bytes that are imitated. Then

        network = without_rounding(copy)

    is the float32 network to export, and to give to :func:`sparsenet.quantize` with the same calibration data. It has
    learned to be rounded and clipped, and may be worse without. Where plain rounding already costs nothing, so does
    this help nothing: look at the quantised network's accuracy first.

    Parameters
    ----------
    module : nn.Module
        A trained network whose forward pass does the same for every input; it stays as it is.
    calibration : Tensor (B, ...), or iterable of such
        Real inputs; a hundred or more.

    Returns
    -------
    GraphModule
        In the module's mode. Masked layers stay masked layers.

    Raises
    ------
    SparsenetError
        When there are no calibration data, or the forward pass cannot be traced, or uses a layer twice.

    Notes
    -----
    Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
    arXiv 1712.05877, section 3.

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    >>> rounding = quantize_aware(network, torch.randn(100, 1, 4, 4))
    >>> rounding(torch.randn(3, 1, 4, 4)).shape
    torch.Size([3, 2])
    """
    graph = folded_graph(module)
    observed = _observe(graph, calibration)
    draft = _Draft(graph, observed, fx.Interpreter(graph.eval()))
    with torch.no_grad():
        for node in list(graph.graph.nodes):
            _round(draft, node)
            _run(draft, node)
    graph.recompile()
    return graph.train(module.training)


def without_rounding(module: fx.GraphModule) -> fx.GraphModule:
    """Copy a network made by :func:`quantize_aware` without its rounding: plain layers again, as trained.

    Examples
    --------
    >>> rounding = quantize_aware(nn.Sequential(nn.Conv2d(1, 4, 3)), torch.randn(10, 1, 4, 4))
    >>> [type(layer).__name__ for layer in without_rounding(rounding).children()]
    ['Conv2d']
    """
    graph = copy.deepcopy(module)
    for node in list(graph.graph.nodes):
        called = module_of(graph, node) if node.op == "call_module" else None
        if isinstance(called, ByteSteps):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
            graph.delete_submodule(node.target)
        elif isinstance(called, FakeQuantizedConv2d | FakeQuantizedLinear):
            graph.add_submodule(node.target, called.layer)
    graph.recompile()
    return graph


@dataclass
class _Observed:
    """What the float32 network did: ranges of what matters, and its values for a few samples."""

    samples: torch.Tensor
    ranges: dict[fx.Node, tuple[float, float]] = field(default_factory=dict)
    values: dict[fx.Node, torch.Tensor] = field(default_factory=dict)


@dataclass
class _Draft:
    """The graph as it begins to round, front to back, with its values for the samples and the steps of its bytes."""

    graph: fx.GraphModule
    observed: _Observed
    runner: fx.Interpreter
    steps: dict[fx.Node, Steps] = field(default_factory=dict)


def _round(draft: _Draft, node: fx.Node) -> None:
    """Have a call round, and note where its result is bytes."""
    graph, kind = draft.graph, kind_of(draft.graph, node)
    if kind == "conv2d":
        _round_conv2d(draft, node)
    elif node.args and isinstance(node.args[0], fx.Node) and node.args[0] in draft.steps:
        if kind == "linear":
            graph.add_submodule(node.target, FakeQuantizedLinear(module_of(graph, node)))
        elif _works_on_bytes(graph, node, kind, draft.steps[node.args[0]].zero):
            draft.steps[node] = draft.steps[node.args[0]]


def _run(draft: _Draft, node: fx.Node) -> None:
    if node.op == "placeholder":
        draft.runner.env[node] = draft.observed.samples
    elif node.op != "output":
        draft.runner.env[node] = draft.runner.run_node(node)


def _round_conv2d(draft: _Draft, node: fx.Node) -> None:
    """Have a convolution round: of a few reaches, the one with the least squared error after its tail."""
    if node.args[0] not in draft.steps:
        _round_input(draft, node.args[0])
    graph, before = draft.graph, draft.steps[node.args[0]]
    tail = _tail(graph, node)
    lowest, highest = draft.observed.ranges[tail[-1]]
    lowest = 0.0 if _loses_negatives(graph, node) else lowest
    layer = module_of(graph, node)
    tried = [FakeQuantizedConv2d(layer, before, steps_for(lowest, highest, reach)) for reach in REACHES]
    errors = [_error_after(draft, one, tail) for one in tried]
    chosen = tried[errors.index(min(errors))]
    graph.add_submodule(node.target, chosen)
    draft.steps[node] = chosen.steps_after()


def _round_input(draft: _Draft, source: fx.Node) -> None:
    """Round a value to bytes for the convolutions that read it."""
    graph, steps = draft.graph, steps_for(*draft.observed.ranges[source])
    name = f"quantize_{source.name}"
    graph.add_submodule(name, ByteSteps(steps))
    with graph.graph.inserting_after(source):
        made = graph.graph.call_module(name, (source,))
    for reader in [reader for reader in readers_of(graph, source) if kind_of(graph, reader) == "conv2d"]:
        reader.replace_input_with(source, made)
    draft.steps[made] = steps
    _run(draft, made)


def _error_after(draft: _Draft, convolution: FakeQuantizedConv2d, tail: list[fx.Node]) -> float:
    runner = draft.runner
    value = convolution(runner.env[tail[0].args[0]])
    for node in tail[1:]:
        value = getattr(runner, node.op)(node.target, (value, *node.args[1:]), node.kwargs)
    return float((value - draft.observed.values[tail[-1]]).square().sum())


def _observe(graph: fx.GraphModule, calibration: torch.Tensor | Iterable[torch.Tensor]) -> _Observed:
    """Observe, in evaluation mode, what convolutions are given and what comes out of their tails."""
    convolutions = [node for node in graph.graph.nodes if kind_of(graph, node) == "conv2d"]
    watched = {node.args[0] for node in convolutions} | {_tail(graph, node)[-1] for node in convolutions}
    watch = _Watch(graph.eval(), watched)
    kept = Reservoir(MOST_SAMPLES)  # of the same calibration data, those that sn.quantize keeps
    with torch.no_grad():
        for batch in [calibration] if isinstance(calibration, torch.Tensor) else calibration:
            watch.run(batch)
            for sample in batch:
                kept.offer(sample.cpu().numpy())
        if not kept.samples:
            raise SparsenetError("expected calibration data, got no samples; give some real inputs, a hundred or more")
        samples = torch.from_numpy(np.stack(kept.samples)).to(batch)
        watch.run(samples)
    return _Observed(samples, watch.ranges, watch.values)


class _Watch(fx.Interpreter):
    """Run a graph and note some of its values: the last ones, and their ranges, in which 0 always lies."""

    def __init__(self, graph: fx.GraphModule, watched: set[fx.Node]) -> None:
        super().__init__(graph)
        self.ranges = dict.fromkeys(watched, (0.0, 0.0))
        self.values: dict[fx.Node, torch.Tensor] = {}

    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        if node in self.ranges and value.numel():
            lowest, highest = self.ranges[node]
            self.ranges[node] = min(lowest, float(value.min())), max(highest, float(value.max()))
            self.values[node] = value
        return value


def _tail(graph: fx.GraphModule, node: fx.Node) -> list[fx.Node]:
    """Return a convolution and the pooling, ReLU and k-winners that follow, as far as each has one reader."""
    tail = [node]
    while len(readers := readers_of(graph, tail[-1])) == 1 and kind_of(graph, readers[0]) in TAIL:
        tail.append(readers[0])
    return tail


TAIL = ("maxpool", "relu", "winners")


def _loses_negatives(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Say whether, in the end, nothing but ReLU and k-winners among channels reads a value."""
    kinds = [(kind_of(graph, reader), reader) for reader in readers_of(graph, node)]
    return all(
        kind in ("relu", "winners") or (kind == "maxpool" and _loses_negatives(graph, reader)) for kind, reader in kinds
    )


def _works_on_bytes(graph: fx.GraphModule, node: fx.Node, kind: str, zero: int) -> bool:
    """Say whether a call is done on bytes of this zero point (see sparsenet.passes.byte_paths)."""
    if kind == "flatten":
        return all(kind_of(graph, reader) == "linear" for reader in readers_of(graph, node))
    return kind == "maxpool" or (kind in ("relu", "winners") and zero == 0)
