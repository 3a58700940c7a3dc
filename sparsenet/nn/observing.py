"""Observe the values of a graph on real inputs: ranges over all samples, and all values of a few samples."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx

from sparsenet.errors import SparsenetError
from sparsenet.nn.calls import kind_of
from sparsenet.passes.batches import no_samples
from sparsenet.passes.calibration import MOST_SAMPLES, Reservoir
from sparsenet.passes.extents import Extent, Extremes

__all__ = ["ObservedActivity", "batches_of", "observe", "ranks_of"]


@dataclass
class ObservedActivity:
    """What was observed of a float32 network.

    Attributes
    ----------
    count : int
        Samples looked at.
    samples : Tensor (S, ...)
        The inputs that were kept.
    extents : dict of Node to Extent
        The ranges of the values that were asked for, and of the input.
    values : dict of Node to Tensor
        The same values for the inputs that were kept.
    """

    count: int
    samples: torch.Tensor
    extents: dict[fx.Node, Extent]
    values: dict[fx.Node, torch.Tensor]


def batches_of(calibration: Any) -> Iterator[torch.Tensor]:
    """Yield the batches of calibration data that hold any sample, or say what is wrong with them.

    Raises
    ------
    SparsenetError
        When there are none, or batches come with labels.
    TypeError
        When they are neither tensors nor arrays.
    """
    single = isinstance(calibration, torch.Tensor | np.ndarray)
    if isinstance(calibration, str | bytes | dict) or not (single or isinstance(calibration, Iterable)):
        raise TypeError(f"expected a tensor or an iterable of tensors, got {type(calibration).__name__}")
    found = (_as_tensor(batch) for batch in ([calibration] if single else calibration))
    filled = (batch for batch in found if len(batch))
    first = next(filled, None)
    if first is None:
        raise no_samples(calibration)
    return itertools.chain([first], filled)


def _as_tensor(batch: Any) -> torch.Tensor:
    if isinstance(batch, tuple | list) and batch and isinstance(batch[0], torch.Tensor | np.ndarray):
        raise SparsenetError(
            f"expected batches that are tensors, got a {type(batch).__name__} of {len(batch)}; are these inputs and "
            f"labels? Give the inputs: (batch[0] for batch in data)"
        )
    if isinstance(batch, np.ndarray) and batch.dtype.kind in "fiub":
        batch = torch.from_numpy(np.array(batch, np.float32))
    if not isinstance(batch, torch.Tensor):
        raise TypeError(f"expected batches that are tensors, got {type(batch).__name__}")
    if batch.dim() < 2:
        raise SparsenetError(f"expected batches of shape (B, ...), got {tuple(batch.shape)}")
    return batch.detach()


def ranks_of(graph: fx.GraphModule, batch: torch.Tensor) -> dict[str, int]:
    """Count the axes of every value of a graph, by node name."""
    ranks: dict[str, int] = {}

    class Ranks(fx.Interpreter):
        def run_node(self, node: fx.Node) -> Any:
            value = super().run_node(node)
            if isinstance(value, torch.Tensor):
                ranks[node.name] = value.dim()
            return value

    _run(Ranks(graph.eval()), batch)
    for node in graph.graph.nodes:
        if kind_of(graph, node) == "conv2d" and ranks[node.name] != 4:
            raise SparsenetError(
                f"expected batches of images (B, C, H, W), got shape {tuple(batch.shape)}, of which {node.target!r} "
                f"makes {ranks[node.name]} axes"
            )
    return ranks


def observe(graph: fx.GraphModule, batches: Iterable[torch.Tensor], watched: set[fx.Node]) -> ObservedActivity:
    """Observe, in evaluation mode, some values of a graph, and its input."""
    source = next(node for node in graph.graph.nodes if node.op == "placeholder")
    watch = _Watch(graph.eval(), {*watched, source})
    kept = Reservoir(MOST_SAMPLES)  # of the same calibration data, those that sn.quantize keeps
    shape: tuple[int, ...] | None = None
    for batch in batches:
        shape = shape or tuple(batch.shape[1:])
        if tuple(batch.shape[1:]) != shape:
            raise SparsenetError(f"expected batches of samples of one shape, got {shape} and {tuple(batch.shape[1:])}")
        _run(watch, batch)
        for name, value in watch.values.items():
            watch.extremes[name].add(_finite(name, value).cpu().double().numpy())
        for sample in batch:
            kept.offer(sample.cpu().double().numpy())
    samples = torch.from_numpy(np.stack(kept.samples)).to(batch)
    odd = watch.extremes[source].extent().samples
    extents = {node: one.extent(odd) for node, one in watch.extremes.items()}
    _run(watch, samples)
    ordinary = _ordinary(extents, watch.values)
    if not ordinary.all():
        samples = samples[torch.from_numpy(ordinary)]
        _run(watch, samples)
    return ObservedActivity(kept.seen, samples, extents, dict(watch.values))


def _ordinary(extents: dict[fx.Node, Extent], values: dict[fx.Node, torch.Tensor]) -> Any:
    """Say which samples no range leaves out; all of them, if that would be none."""
    held = [extent.holds(values[node].cpu().double().numpy()) for node, extent in extents.items() if extent.left_out]
    ordinary = np.logical_and.reduce(held) if held else np.ones(1, bool)
    return ordinary if ordinary.any() else np.ones(1, bool)


def _finite(node: fx.Node, value: torch.Tensor) -> torch.Tensor:
    if not bool(value.isfinite().all()):
        raise SparsenetError(f"expected finite values on the calibration data, got NaN or infinity at {node.name!r}")
    return value


def _run(interpreter: fx.Interpreter, batch: torch.Tensor) -> None:
    """Run a copy of a batch, which a module may change in place."""
    try:
        with torch.no_grad():
            interpreter.run(batch.clone())
    except Exception as error:  # whatever the module raises
        raise SparsenetError(
            f"expected calibration batches that the module takes, got {type(error).__name__} for one of {batch.dtype} "
            f"and shape {tuple(batch.shape)}: {str(error).splitlines()[0] if str(error) else ''}"
        ) from error


class _Watch(fx.Interpreter):
    """Run a graph and keep some of its values."""

    def __init__(self, graph: fx.GraphModule, watched: set[fx.Node]) -> None:
        super().__init__(graph)
        self.extremes = {node: Extremes() for node in watched}
        self.values: dict[fx.Node, torch.Tensor] = {}

    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        if node in self.extremes:
            self.values[node] = value.clone()  # a later call may change it in place
        return value
