"""Quantization-aware training: a copy of a network that computes, in float32, nearly what its 8-bit form will."""

import copy
import itertools
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import fx, nn

from sparsenet.errors import QuantizationWarning
from sparsenet.nn.byte_paths import loses_negatives, tail_of, works_on_bytes
from sparsenet.nn.calls import kind_of, module_of, readers_of
from sparsenet.nn.fake_quantize import ByteSteps, FakeQuantizedConv2d, FakeQuantizedLinear
from sparsenet.nn.folding import fold_norms
from sparsenet.nn.observing import ObservedActivity, batches_of, observe, ranks_of
from sparsenet.nn.tracing import traced
from sparsenet.passes.extents import told_of
from sparsenet.passes.quant_params import QuantParams, steps_for
from sparsenet.passes.search import REACHES

__all__ = ["quantize_aware", "without_rounding"]


def quantize_aware(module: nn.Module, calibration: torch.Tensor | Iterable[torch.Tensor]) -> fx.GraphModule:
    """Copy a network so that it rounds as :func:`sparsenet.quantize` will; train the copy some more.

    Batch norms are folded into the layers before them where that computes the same, and dropout is left out. The
    forward pass is followed as it is in evaluation mode. Convolutions round their weights to int8, with one scale for
    all channels that makes requantising a shift, and their outputs to bytes; linear layers round their weights, with a
    scale for each output; what both are given is rounded to bytes. Where only ReLU or k-winners among channels read a
    convolution, its outputs are clipped at zero, and k-winners see the ties that rounding makes. Everything else is
    computed as before. Gradients pass through rounding unchanged and stop where values are clipped. The steps of the
    bytes are chosen once, from what is observed on calibration data, as :func:`sparsenet.quantize` does.

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
        Real inputs; a hundred or more. Labels are to be left out: ``(x for x, label in loader)``.

    Returns
    -------
    GraphModule
        In the module's mode. Masked layers stay masked layers.

    Raises
    ------
    SparsenetError
        When there are no calibration data, the module does not take them, its forward pass cannot be traced, or parts
        of it cannot be rounded, such as layers that are used twice, have hooks or pad with anything but zeros; the
        message names all of these parts.
    TypeError
        When the calibration data are not tensors.

    Warns
    -----
    QuantizationWarning
        When a few samples were left out of a range, as by :func:`sparsenet.quantize`.

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
    graph = traced(module)
    batches = batches_of(calibration)
    first = next(batches)
    fold_norms(graph, ranks_of(graph, first))
    graph.delete_all_unused_submodules()
    graph.recompile()
    observed = observe(graph, itertools.chain([first], batches), _watched(graph))
    draft = _RoundingDraft(graph, observed, fx.Interpreter(graph.eval()))
    with torch.no_grad():
        for node in list(graph.graph.nodes):
            _round(draft, node)
            _run(draft, node)
    graph.recompile()
    _warn(draft)
    return _in_modes_of(module, graph)


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
class _RoundingDraft:
    """The graph as it begins to round, front to back, with its values for the samples and the steps of its bytes."""

    graph: fx.GraphModule
    observed: ObservedActivity
    runner: fx.Interpreter
    steps: dict[fx.Node, QuantParams] = field(default_factory=dict)
    odd: dict[fx.Node, None] = field(default_factory=dict)

    def range_of(self, node: fx.Node) -> tuple[float, float]:
        """Return the range that a value's bytes must cover, and note it if it is unusual."""
        extent = self.observed.extents[node]
        if extent.is_odd:
            self.odd[node] = None
        return extent.lowest, extent.highest


def _in_modes_of(module: nn.Module, graph: fx.GraphModule) -> fx.GraphModule:
    """Set each part to training or evaluation as it was in the module."""
    graph.train(module.training)
    modes = {path: part.training for path, part in module.named_modules()}
    for path, part in graph.named_modules():
        part.training = modes.get(path, module.training)
    return graph


def _watched(graph: fx.GraphModule) -> set[fx.Node]:
    """List what may become bytes: what layers with weights are given, and what comes out of convolutions' tails."""
    weighted = [node for node in graph.graph.nodes if kind_of(graph, node) in ROUNDED]
    convolutions = [node for node in weighted if kind_of(graph, node) == "conv2d"]
    return {node.args[0] for node in weighted} | {tail_of(graph, node)[-1] for node in convolutions}


ROUNDED = ("conv2d", "linear")


def _round(draft: _RoundingDraft, node: fx.Node) -> None:
    """Have a call round, and note where its result is bytes."""
    graph, kind = draft.graph, kind_of(draft.graph, node)
    if kind in ROUNDED and node.args[0] not in draft.steps:
        _round_input(draft, node)
    if kind == "conv2d":
        _round_conv2d(draft, node)
    elif kind == "linear":
        graph.add_submodule(node.target, FakeQuantizedLinear(module_of(graph, node)))
    else:
        before = draft.steps.get(node.args[0]) if node.args and isinstance(node.args[0], fx.Node) else None
        if before is not None and works_on_bytes(graph, node, kind, before.zero):
            draft.steps[node] = before


def _run(draft: _RoundingDraft, node: fx.Node) -> None:
    if node.op == "placeholder":  # those behind the first have defaults
        draft.runner.env[node] = draft.observed.samples.clone() if node is _first(draft.graph) else node.args[0]
    elif node.op != "output":
        draft.runner.env[node] = draft.runner.run_node(node)


def _first(graph: fx.GraphModule) -> fx.Node:
    first: fx.Node = next(iter(graph.graph.nodes))
    return first


def _round_conv2d(draft: _RoundingDraft, node: fx.Node) -> None:
    """Have a convolution round: of a few reaches, the one with the least squared error after its tail."""
    graph, before = draft.graph, draft.steps[node.args[0]]
    tail = tail_of(graph, node)
    lowest, highest = draft.range_of(tail[-1])
    lowest = 0.0 if loses_negatives(graph, node) else lowest
    layer = module_of(graph, node)
    tried = [FakeQuantizedConv2d(layer, before, steps_for(lowest, highest, reach)) for reach in REACHES]
    errors = [_error_after(draft, one, tail) for one in tried]
    chosen = tried[errors.index(min(errors))]
    graph.add_submodule(node.target, chosen)
    draft.steps[node] = chosen.steps_after()


def _round_input(draft: _RoundingDraft, reader: fx.Node) -> None:
    """Round what a layer is given to bytes, for it and all later ones that read the same."""
    graph, source = draft.graph, reader.args[0]
    steps = steps_for(*draft.range_of(source))
    taken = (
        {name for name, _ in graph.named_modules()} | {name for name, _ in graph.named_parameters()} | {*vars(graph)}
    )
    name = next(
        name for n in itertools.count() if (name := f"quantize_{source.name}{f'_{n}' if n else ''}") not in taken
    )
    graph.add_submodule(name, ByteSteps(steps).to(draft.observed.samples.device))
    with graph.graph.inserting_before(reader):
        made = graph.graph.call_module(name, (source,))
    for one in readers_of(graph, source):
        if kind_of(graph, one) in ROUNDED:
            one.replace_input_with(source, made)
    draft.steps[made] = steps
    _run(draft, made)


def _error_after(draft: _RoundingDraft, convolution: FakeQuantizedConv2d, tail: list[fx.Node]) -> float:
    runner = draft.runner
    value = convolution(runner.env[tail[0].args[0]])
    for node in tail[1:]:
        args, kwargs = runner.map_nodes_to_values((node.args[1:], node.kwargs), node)
        value = getattr(runner, node.op)(node.target, (value, *args), kwargs)
    return float((value - draft.observed.values[tail[-1]]).square().sum())


def _warn(draft: _RoundingDraft) -> None:
    told = told_of({node.name: draft.observed.extents[node] for node in draft.odd}, draft.observed.count)
    if told:
        warnings.warn("; ".join(told), QuantizationWarning, stacklevel=3)
