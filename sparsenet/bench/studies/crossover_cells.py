"""One place of the map after the other: its layer is planned, and its kernels are timed in turn with the dense one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparsenet.errors import SparsenetError
from sparsenet.explain.predictions import DensePlan, dense_plan, predicted_choices
from sparsenet.explain.step_timing import time_layers
from sparsenet.explain.variants import mask_for, masked
from sparsenet.graph.network import INPUT, Network, Node
from sparsenet.layers import KWinners, Layer, Linear, Quantize, QuantizedLinear, Weighted
from sparsenet.lowering.cost import CALL_NS
from sparsenet.lowering.measure import worth_trying
from sparsenet_kernels.queries import find_kernel

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["DENSE", "PlannedCell", "cell_times"]

DENSE = "dense"
LAYER = "layer"
ROUNDS = 30
"""How often every step is timed each time that its engine has its turn."""

INPUTS = 256
"""That take turns, at least."""

Times = dict[str, float]


@dataclass(frozen=True)
class PlannedCell:
    """A place of the map; see :class:`sparsenet.bench.studies.crossover.CrossoverCell`."""

    size: int
    batch: int
    density: float
    active: float
    family: str
    dtype: str


def cell_times(cells: Iterable[PlannedCell], measure: bool) -> Iterator[Times]:
    """Give each place's times by kernel, for one sample; places of one size and batch should be neighbours.

    The dense kernel runs in a network of its own, without k-winners: it need not expand lists, nor skip anything.
    """
    size, dense, dense_engine = (0, 0), None, None
    for cell in cells:
        if dense is None or (cell.size, cell.batch) != size:
            size, dense = (cell.size, cell.batch), dense_plan(_network(cell, full=True), cell.batch)
            dense_engine = _compiled(dense.network, cell.batch, dense.kernels) if measure else None
        yield _predicted(cell, dense) if dense_engine is None else _measured(cell, dense_engine)


def _predicted(cell: PlannedCell, dense: DensePlan) -> Times:
    times = predicted_choices(_network(cell), cell.batch)[LAYER].predicted_us
    return {DENSE: dense.forecast.choices[LAYER].cost.us} | {name: times[name] for name in times if not _is_dense(name)}


def _is_dense(kernel: str) -> bool:
    """Tell whether a kernel skips nothing whatever the weights: the dense one stands for it."""
    record = find_kernel(kernel)
    return record.weights == record.inputs == "dense"


def _measured(cell: PlannedCell, dense: "Engine") -> Times:
    net = _network(cell)
    names = [name for name in worth_trying(predicted_choices(net, cell.batch)[LAYER]) if not _is_dense(name)]
    engines = [_compiled(net, cell.batch, {LAYER: name}) for name in names]
    # zeros and negative numbers would make inputs inactive where all should be active
    x = np.random.default_rng(0).uniform(0.1, 1, (max(INPUTS, 2 * cell.batch), cell.size)).astype(np.float32)
    times = time_layers([dense, *engines], x, rounds=ROUNDS, progress=False)
    # what calls from Python take was taken off; in a program, too, a step has to be called
    called_us = CALL_NS / 1000 / min(cell.batch, dense._chunk)
    named = zip((DENSE, *names), times, strict=True)
    return {name: called_us + max(found.layers[LAYER], 0.0) for name, found in named}


def _compiled(net: Network, batch: int, kernels: dict[str, str]) -> "Engine":
    from sparsenet.engine import compiling

    return compiling.compile(net, batch, 1, planner="predict", kernels=kernels, progress=False)


def _network(cell: PlannedCell, full: bool = False) -> Network:
    """Make k-winners and a linear layer, or (full) a dense one alone."""
    layer: Layer = _layer(cell, full)
    before: list[tuple[str, Layer]] = [("bytes", Quantize(1 / 127))] if cell.dtype == "int8" else []
    if cell.active < 1 and not full:
        before.append(("winners", KWinners(max(1, round(cell.active * cell.size)))))
    nodes, source = [], INPUT
    for name, one in [*before, (LAYER, layer)]:
        nodes.append(Node(name, one, (source,)))
        source = name
    return Network((cell.size,), nodes, LAYER)


def _layer(cell: PlannedCell, full: bool) -> Weighted:
    layer = _dense_layer(cell)
    if full:
        return layer
    try:
        return masked(layer, mask_for(layer, cell.family, cell.density, None).keep)
    except SparsenetError as error:
        raise SparsenetError(f"{cell.size} x {cell.size} weights: {error}") from None


def _dense_layer(cell: PlannedCell) -> Weighted:
    shape, random = (cell.size, cell.size), np.random.default_rng(0)
    if cell.dtype == "float32":
        return Linear(random.standard_normal(shape, np.float32))
    weight = (random.integers(1, 128, shape) * random.choice([-1, 1], shape)).astype(np.int8)
    return QuantizedLinear(weight, np.zeros(cell.size, np.float32), np.ones(cell.size, np.float32))
