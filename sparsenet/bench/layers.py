"""Single layers, four ways: dense, without zero weights, without inactive inputs, without either.

Every kernel of the registry that can run a case is timed in turn with NumPy (dense, one thread of its BLAS), ONNX
Runtime (dense, one thread) and SciPy (CSR). Which weights are kept is random, but every output keeps as many, and sets
of outputs share out the inputs, so that every format can pack them.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from sparsenet.bench.compare import LeftOut
from sparsenet.bench.interleave import interleave
from sparsenet.bench.layer_masks import MASKS
from sparsenet.bench.layer_shapes import LayerShape
from sparsenet.bench.layer_ways import LIBRARIES, LayerCase, Tell, Way, ways_to_compute
from sparsenet.bench.surroundings import Surroundings, surroundings
from sparsenet.errors import SparsenetError
from sparsenet.progress import telling
from sparsenet.renderer import as_record
from sparsenet.timing import Timing

__all__ = ["LayerRow", "Sweep", "best_row", "cells_of", "sweep_layers"]


@dataclass(frozen=True)
class LayerRow:
    """What was measured of one kernel, or of a library, on one layer.

    Attributes
    ----------
    shape : str
    mask : str
        Where the kept weights lie, as in :data:`~sparsenet.bench.layer_masks.MASKS`.
    density, active : float
        Of the weights, and of the inputs, where the case uses their zeros; both of the cell that was measured together.
    batch : int
        Samples of one call.
    case : str
        One of :data:`~sparsenet.bench.layer_ways.CASES`: which zeros are skipped.
    kernel : str
        A kernel's name, or the library.
    timing : Timing
        Of one sample.
    largest_error : float
        The largest difference from the float64 reference, over the reference's largest size; of one sample.
    """

    shape: str
    mask: str
    density: float
    active: float
    batch: int
    case: str
    kernel: str
    timing: Timing
    largest_error: float


@dataclass(frozen=True)
class Sweep:
    """All rows, and what a fair reader must know about them."""

    rows: tuple[LayerRow, ...]
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    info: Surroundings

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return as_record(self)


def sweep_layers(
    shapes: Sequence[LayerShape],
    densities: Sequence[float] = (0.05,),
    actives: Sequence[float] = (0.1,),
    batches: Sequence[int] = (1,),
    masks: Sequence[str] = ("scattered",),
    seconds: float = 10.0,
    tell: Tell | None = None,
    done: Callable[[int, int], object] = lambda done, total: None,
    clock: Callable[[], float] = time.monotonic,
) -> Sweep:
    """Time every kernel on every shape, at every combination of the other arguments.

    Parameters
    ----------
    shapes : sequence of LayerShape
    densities, actives : sequence of float
        Fractions in (0, 1].
    batches : sequence of int
        Samples of one call.
    masks : sequence of {"blocks", "scattered"}
        Where the kept weights lie: in blocks of 16 outputs by one input, or each by itself.
    seconds : float
        For each combination; no further kernel is prepared once half of them are gone. The first of every case always
        is.
    tell : callable
        Is told in a few words what is done next; when left out, people in terminals and notebooks are.
    done : callable
        Is told how many combinations are done, and how many there are.
    clock : callable
        Gives seconds; decides when there is no time left to prepare a kernel.

    Returns
    -------
    Sweep

    Raises
    ------
    SparsenetError
        When a fraction is none, a batch is empty, or a mask is not known.
    """
    for name, values in (("density", densities), ("active", actives)):
        if not values or not all(0 < value <= 1 for value in values):
            hint = "; did you pass a percentage?" if any(value > 1 for value in values) else ""
            raise SparsenetError(f"expected {name} in (0, 1], got {list(values)}{hint}")
    if not batches or min(batches) < 1:
        raise SparsenetError(f"expected batches of at least 1, got {list(batches)}")
    if not masks or not set(masks) <= set(MASKS):
        raise SparsenetError(f"expected masks among {', '.join(MASKS)}, got {list(masks)}")
    cells = [LayerCase(*values) for values in itertools.product(shapes, masks, densities, actives, batches)]
    rows: list[LayerRow] = []
    left_out: dict[str, LeftOut] = {}
    steps = itertools.count()
    with telling(None if tell is None else False) as show:
        told = tell or (lambda step: show(next(steps), step))
        for number, cell in enumerate(cells):
            with _one_blas_thread():
                rows += _measured(cell, seconds, left_out, told, clock)
            done(number + 1, len(cells))
    return Sweep(tuple(rows), _notes(), tuple(left_out.values()), surroundings())


def _notes() -> tuple[str, ...]:
    blas = (
        "NumPy's BLAS was held to one thread"
        if find_spec("threadpoolctl")
        else "NumPy's BLAS may have used all cores: pip install threadpoolctl to hold it to one"
    )
    return (
        f"{blas}; ONNX Runtime, SciPy's CSR product and all kernels use one",
        "a kernel's times hold about a microsecond in which Python calls it, a library's its own overhead",
        "finding the winners is not part of the times; sparsenet profile shows what that takes",
        "a convolution in NumPy and SciPy copies its windows out first, which is part of the time",
        "zero weights are random, but every output keeps as many weights as every other, and sets of outputs share out "
        "the inputs, so that all formats can pack them well; in masks of blocks, each 16 outputs keep the same inputs",
    )


def _one_blas_thread() -> AbstractContextManager[object]:
    if find_spec("threadpoolctl") is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limited


def _measured(
    cell: LayerCase, seconds: float, left_out: dict[str, LeftOut], tell: Tell, clock: Callable[[], float]
) -> list[LayerRow]:
    tell(f"preparing {cell.shape}")
    until_s = clock() + seconds / 2
    ways = list(ways_to_compute(cell, lambda: clock() > until_s, left_out, tell))
    tell(f"timing {cell.shape}, {len(ways)} ways in turn")
    timings = interleave({str(i): way.call for i, way in enumerate(ways)}, 1_000, 1_000.0, longest_s=seconds / 2)
    return [_row(cell, way, timing) for way, timing in zip(ways, timings.values(), strict=True)]


def _row(cell: LayerCase, way: Way, timing: Timing) -> LayerRow:
    largest = max(float(np.abs(way.wanted).max()), 1e-30)
    return LayerRow(
        shape=str(cell.shape),
        mask=cell.mask,
        density=cell.density,
        active=cell.active,
        batch=cell.batch,
        case=way.case,
        kernel=way.kernel,
        timing=timing.divided_by(way.samples),
        largest_error=float(np.abs(way.given - way.wanted).max() / largest),
    )


def cells_of(found: Sweep) -> dict[tuple[str, str, float, float, int], list[LayerRow]]:
    """Gather the rows that were measured together: by shape, mask, density, active share and batch."""
    cells: dict[tuple[str, str, float, float, int], list[LayerRow]] = {}
    for row in found.rows:
        cells.setdefault((row.shape, row.mask, row.density, row.active, row.batch), []).append(row)
    return cells


def best_row(rows: Sequence[LayerRow], name: str) -> LayerRow | None:
    """Find the fastest kernel of a case, or the row of a library; None where there is none."""
    if name in LIBRARIES:
        wanted = [row for row in rows if row.kernel == name]
    else:
        wanted = [row for row in rows if row.case == name and row.kernel not in LIBRARIES]
    return min(wanted, key=lambda row: row.timing.median_us, default=None)
