"""Map where each kernel beats the dense one on this machine, over density, active inputs, size and batch."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from sparsenet.bench.studies.crossover_cells import DENSE, PlannedCell, cell_times
from sparsenet.bench.studies.crossover_store import keep_map, kept_map
from sparsenet.bench.studies.crossover_table import crossover_parts
from sparsenet.errors import SparsenetError, did_you_mean
from sparsenet.machine.facts import machine
from sparsenet.packing import FAMILIES
from sparsenet.progress import tracked
from sparsenet.renderer import as_record, printing
from sparsenet.whole_files import write_whole

__all__ = ["Crossover", "CrossoverCell", "crossover"]

SIZES, SHARES, BATCHES = (256, 1024), (0.02, 0.05, 0.1, 0.2, 0.5, 1.0), (1, 16)
DTYPES = "float32", "int8"
LARGEST_SIZE, LARGEST_BATCH = 2**14, 2**10


@dataclass(frozen=True)
class CrossoverCell:
    """One layer at one place of the map.

    Attributes
    ----------
    size : int
        Inputs, and outputs, of a linear layer.
    batch : int
        Samples of one call.
    density : float
        Fraction of weights asked for.
    active : float
        Fraction of inputs that are not zero.
    times_us : mapping of str to float
        By kernel, for one sample; ``dense`` is the fastest kernel that skips nothing, on a layer without zeros.
    """

    size: int
    batch: int
    density: float
    active: float
    times_us: Mapping[str, float]

    @property
    def winner(self) -> str:
        """The fastest kernel, or "dense"."""
        return min(self.times_us, key=self.times_us.__getitem__)

    @property
    def speedup(self) -> float:
        """How many times as long the dense kernel takes as the winner."""
        return self.times_us[DENSE] / max(self.times_us[self.winner], 1e-3)


@dataclass(frozen=True)
class Crossover:
    """Where each kernel wins on a machine.

    Attributes
    ----------
    cells : tuple of CrossoverCell
    family, dtype : str
        Masks, and arithmetic.
    measured : bool
        Whether kernels were timed; else times are predicted.
    machine : str
        The processor's name.
    """

    cells: tuple[CrossoverCell, ...]
    family: str
    dtype: str
    measured: bool
    machine: str

    @property
    def winners(self) -> tuple[str, ...]:
        """The kernels that win somewhere, the one that wins in most places first."""
        names = [cell.winner for cell in self.cells]
        return tuple(sorted(set(names), key=lambda name: (-names.count(name), name)))

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return as_record(self) | {"cells": [as_record(cell, "winner", "speedup") for cell in self.cells]}

    def save(self, path: str | PathLike[str]) -> None:
        """Write the map as JSON."""
        write_whole(path, json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Crossover":
        """Read a map that was saved.

        Raises
        ------
        SparsenetError
            When the file holds no such map.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SparsenetError(f"expected a map written by Crossover.save, got something else in {path}") from None

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Crossover":
        """Make a map from what ``to_dict`` gave."""
        cells = tuple(
            CrossoverCell(
                int(cell["size"]),
                int(cell["batch"]),
                float(cell["density"]),
                float(cell["active"]),
                {str(name): float(time_us) for name, time_us in cell["times_us"].items()},
            )
            for cell in record["cells"]
        )
        if not cells or any(DENSE not in cell.times_us for cell in cells):
            raise ValueError("expected cells with the dense kernel's time")
        family, dtype, here = (str(record[name]) for name in ("family", "dtype", "machine"))
        return cls(cells, family, dtype, bool(record["measured"]), here)

    def plot(self, path: str | PathLike[str] | None = None) -> Any:
        """Draw the map by matplotlib; see :func:`sparsenet.bench.studies.crossover_plot.plot_crossover`."""
        from sparsenet.bench.studies.crossover_plot import plot_crossover

        return plot_crossover(self, path)

    def __repr__(self) -> str:
        how = "measured" if self.measured else "predicted"
        return f"<Crossover of {len(self.cells)} cells: {self.dtype}, {self.family} masks, {how}>"

    __rich_console__, _repr_html_ = printing(crossover_parts)


def crossover(
    sizes: Sequence[int] = SIZES,
    densities: Sequence[float] = SHARES,
    active: Sequence[float] = SHARES,
    batches: Sequence[int] = BATCHES,
    *,
    family: str = "uniform",
    dtype: str = "float32",
    measure: bool = True,
    again: bool = False,
    progress: bool | None = None,
) -> Crossover:
    """Map where each kernel, and the dense one, wins on this machine.

    Each place of the map is a linear layer behind k-winners, with random weights under a mask of one family. The
    planner says which kernels might be fastest there; with ``measure`` they are timed, in turn with the dense one. A
    map that was measured is kept in the cache folder, and given again when the same map is asked for.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, and outputs, of the layer.
    densities, active : sequence of float
        Fractions of weights kept and of inputs active, in (0, 1].
    batches : sequence of int
        Samples of one call.
    family : str
        A key of :data:`sparsenet.packing.FAMILIES`.
    dtype : {"float32", "int8"}
    measure : bool
        Whether kernels are timed, which takes some tenths of a second for each place (more for large layers); else
        times are predicted.
    again : bool
        Measure the map even where it was kept.
    progress : bool or None
        Whether to show progress where it takes over a second: always, never, or (None) in terminals and notebooks.

    Returns
    -------
    Crossover
        Prints as tables in a terminal and in a notebook; ``plot()`` draws it, ``save(path)`` writes it.

    Raises
    ------
    SparsenetError
        When a setting cannot be right, or the family has no such mask.

    Examples
    --------
    >>> found = crossover([256], [0.02, 1.0], [0.1], [1], measure=False)
    >>> [cell.density for cell in found.cells]
    [0.02, 1.0]
    """
    counts = _counts("sizes", sizes, LARGEST_SIZE), _counts("batches", batches, LARGEST_BATCH)
    shares = _shares("densities", densities), _shares("active", active)
    if family not in FAMILIES:
        close = did_you_mean(family, FAMILIES)
        raise SparsenetError(f"expected a family of masks ({', '.join(FAMILIES)}), got {family!r}{close}")
    if dtype not in DTYPES:
        raise SparsenetError(f"expected dtype {' or '.join(DTYPES)}, got {dtype!r}")
    question = {"counts": counts, "shares": shares, "family": family, "dtype": dtype}
    if measure and not again and (kept := _kept(question)) is not None:
        return kept
    places = [PlannedCell(*place, family, dtype) for place in product(*counts, *shares)]
    cells = tuple(_cells(places, measure, progress))
    found = Crossover(cells, family, dtype, measure, machine().model or "an unknown processor")
    if measure:
        keep_map(question, found.to_dict())
    return found


def _kept(question: Mapping[str, Any]) -> Crossover | None:
    record = kept_map(question)
    try:
        return None if record is None else Crossover.from_dict(record)
    except (ValueError, KeyError, TypeError, AttributeError):  # nothing that can be true: measured anew
        return None


def _cells(places: Sequence[PlannedCell], measure: bool, progress: bool | None) -> Iterator[CrossoverCell]:
    for cell, times_us in zip(places, cell_times(_shown(places, measure, progress), measure), strict=True):
        yield CrossoverCell(cell.size, cell.batch, cell.density, cell.active, times_us)


def _shown(places: Sequence[PlannedCell], measure: bool, progress: bool | None) -> Iterable[PlannedCell]:
    doing = "timing" if measure else "predicting"
    return tracked(places, lambda cell: f"{doing} {cell.size} x {cell.size}", progress, len(places))


def _counts(name: str, values: Sequence[int], most: int) -> tuple[int, ...]:
    counts = tuple(values)
    whole = all(isinstance(value, int | np.integer) and not isinstance(value, bool) for value in counts)
    if not counts or not whole or not all(1 <= value <= most for value in counts):
        raise SparsenetError(f"expected {name} as whole numbers from 1 to {most}, got {values!r}")
    return tuple(dict.fromkeys(int(value) for value in counts))


def _shares(name: str, values: Sequence[float]) -> tuple[float, ...]:
    shares = tuple(values)
    numbers = all(isinstance(value, int | float | np.integer | np.floating) for value in shares)
    if not shares or not numbers or not all(0 < value <= 1 for value in shares):
        raise SparsenetError(f"expected {name} as fractions in (0, 1], got {values!r}")
    return tuple(dict.fromkeys(float(value) for value in shares))
