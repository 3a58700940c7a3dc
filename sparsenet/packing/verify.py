"""Check that a mask is what its family promises, without comparing outputs with each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.packing.grid import Grid
from sparsenet.packing.mask import Mask
from sparsenet.packing.partition import TABLE
from sparsenet.packing.scattered import units_of
from sparsenet.packing.shared import TILE

__all__ = ["set_of_each", "verify"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class KeptWeights:
    """The kept weights of a mask as a list.

    rows, columns  (nnz,)  int64  output and input of each, inputs numbered as the weight has them
    """

    grid: Grid
    rows: IntArray
    columns: IntArray

    def place(self, output: int, column: int) -> str:
        """Name a place of the weight."""
        channel, position = divmod(column, self.grid.P)
        return (
            f"output {output}, channel {channel}, position {position}"
            if self.grid.P > 1
            else (f"output {output}, input {column}")
        )


def verify(
    mask: Mask | npt.ArrayLike, *, family: str | None = None, sets: npt.ArrayLike | None = None, **parameters: Any
) -> None:
    """Check that a mask keeps its family's promise; look at each kept weight once.

    Parameters
    ----------
    mask : Mask, or (N, D) or (N, C, kh, kw) bool
    family : str, optional
        A key of :data:`sparsenet.packing.FAMILIES`, for arrays; a :class:`Mask` knows its own.
    sets : (N,) integers, optional
        The set of each output: check that no two outputs of one set share an input, instead of the family.
    **parameters
        The family's, for arrays: ``channels``, ``per_group``, ``size``, ``outputs``, ``inputs``, ``granularity``; the
        family's own defaults where left out.

    Raises
    ------
    SparsenetError
        At the first place where the promise is broken; the message names it.
    TypeError
        If the array is not bool.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet import packing
    >>> packing.verify(packing.taps((32, 8, 3, 3), 0.3))
    >>> packing.verify(np.array([[True, False], [True, True]]), sets=[0, 0])
    Traceback (most recent call last):
        ...
    sparsenet.errors.SparsenetError: expected no input shared within a set, got outputs 0 and 1 of set 0 at input 0
    """
    if not isinstance(mask, Mask):
        mask = Mask(np.asarray(mask), family or "", "", parameters)
    elif family is not None or parameters:
        raise SparsenetError("expected a Mask alone, it knows its family and parameters; give `mask.keep` for others")
    grid = mask.grid
    flat = np.flatnonzero(mask.keep)
    rows, columns = np.divmod(flat, grid.D)
    kept = KeptWeights(grid, rows, columns)
    if sets is not None:
        _check_sets(kept, set_of_each(sets, grid.N))
        return
    if mask.family not in CHECKS:
        known = ", ".join(CHECKS)
        raise SparsenetError(f"expected a family of {known}, or sets, got {mask.family!r}; say which to check for")
    CHECKS[mask.family](kept, mask.parameters)


def set_of_each(sets: npt.ArrayLike, N: int) -> IntArray:
    """Return the set of each output as an array, checked."""
    given = np.asarray(sets)
    if given.shape != (N,) or given.dtype.kind not in "iu":
        raise SparsenetError(f"expected one integer set for each of {N} outputs, got {given.dtype} {given.shape}")
    if given.min() < 0 or given.max() >= N:
        raise SparsenetError(f"expected sets from 0 to {N - 1}, got {given.min()} to {given.max()}")
    return given.astype(np.int64)


def _check_sets(kept: KeptWeights, sets: IntArray) -> None:
    """Raise where two outputs of a set share an input: one pass to count, and one to say where."""
    D = kept.grid.D
    places = sets[kept.rows] * D + kept.columns
    uses = np.bincount(places)
    if uses.size and uses.max() > 1:
        place = int((uses > 1).argmax())
        first, second = kept.rows[places == place][:2].tolist()
        where = kept.place(first, place % D).partition(", ")[2]
        raise SparsenetError(
            f"expected no input shared within a set, got outputs {first} and {second} of set {place // D} at {where}"
        )


def _check_complementary(kept: KeptWeights, parameters: Mapping[str, Any]) -> None:
    unit_of = units_of(kept.grid, parameters.get("granularity", "element"))
    counts = _unit_counts(kept, unit_of)
    _check_all_or_nothing(kept, counts, np.bincount(unit_of))
    per_output = _check_same_for_outputs(kept)
    per_set = parameters.get("per_set", max(1, kept.grid.D // max(1, per_output)))
    _check_sets(kept, np.arange(kept.grid.N) // per_set)


def _check_partitioned(kept: KeptWeights, parameters: Mapping[str, Any]) -> None:
    per_group = parameters.get("per_group", 4)
    counts = _unit_counts(kept, kept.grid.units(TABLE))
    odd = counts % per_group != 0
    if odd.any():
        output, place = np.argwhere(odd)[0].tolist()
        where = _group(kept, place, TABLE)
        got = f"{counts[output, place]} at output {output}, {where}"
        raise SparsenetError(f"expected each output to keep a multiple of {per_group} inputs at each place, got {got}")
    _check_shared(kept, counts, TILE, lambda place: _group(kept, place, TABLE))
    _check_same_for_outputs(kept)


def _check_subsets(kept: KeptWeights, parameters: Mapping[str, Any]) -> None:
    size = parameters.get("size", 8)
    unit_of = kept.grid.channels(size)
    _check_units(kept, unit_of, parameters, lambda unit: f"channels {unit * size} to {unit * size + size - 1}")


def _check_taps(kept: KeptWeights, parameters: Mapping[str, Any]) -> None:
    _check_units(kept, kept.grid.units(kept.grid.C), parameters, lambda unit: f"position {unit}")


def _check_blocks(kept: KeptWeights, parameters: Mapping[str, Any]) -> None:
    inputs = parameters.get("inputs", 4)
    _check_units(kept, kept.grid.units(inputs), parameters, lambda unit: _group(kept, unit, inputs))


def _check_balanced(kept: KeptWeights, parameters: Mapping[str, Any]) -> None:
    _check_same_for_outputs(kept)
    counts = np.bincount(kept.columns, minlength=kept.grid.D)
    if counts.max() - counts.min() > 1:
        most, least = int(counts.argmax()), int(counts.argmin())
        got = f"{counts[most]} at input {most} and {counts[least]} at input {least}"
        raise SparsenetError(f"expected every input to reach as many outputs, give or take one, got {got}")


def _check_uniform(kept: KeptWeights, parameters: Mapping[str, Any]) -> None:
    _check_same_for_outputs(kept)


CHECKS: Mapping[str, Callable[[KeptWeights, Mapping[str, Any]], object]] = {
    "complementary": _check_complementary,
    "partitioned": _check_partitioned,
    "subsets": _check_subsets,
    "taps": _check_taps,
    "blocks": _check_blocks,
    "balanced": _check_balanced,
    "uniform": _check_uniform,
}


def _check_units(
    kept: KeptWeights, unit_of: IntArray, parameters: Mapping[str, Any], name: Callable[[int], str]
) -> None:
    """Check that tiles of outputs keep whole units, the same, and as many in each tile."""
    counts = _unit_counts(kept, unit_of)
    _check_all_or_nothing(kept, counts, np.bincount(unit_of))
    _check_shared(kept, counts, parameters.get("outputs", TILE), name)
    _check_same_for_outputs(kept)


def _unit_counts(kept: KeptWeights, unit_of: IntArray) -> IntArray:
    """Count what each output keeps of each unit: (N, units)."""
    units = int(unit_of.max()) + 1
    counts = np.bincount(kept.rows * units + unit_of[kept.columns], minlength=kept.grid.N * units)
    return counts.reshape(kept.grid.N, units)


def _check_all_or_nothing(kept: KeptWeights, counts: IntArray, sizes: IntArray) -> None:
    """Raise where an output keeps only a part of a unit."""
    torn = (counts != 0) & (counts != sizes)
    if torn.any():
        output, unit = np.argwhere(torn)[0].tolist()
        got = f"{counts[output, unit]} of {sizes[unit]} inputs of unit {unit} at output {output}"
        raise SparsenetError(f"expected units kept whole or not at all, got {got}")


def _check_shared(kept: KeptWeights, counts: IntArray, outputs: int, name: Callable[[int], str]) -> None:
    """Raise where an output keeps another number of a unit than the first output of its tile."""
    other = counts != counts[np.arange(kept.grid.N) // outputs * outputs]
    if other.any():
        output, unit = np.argwhere(other)[0].tolist()
        first = output // outputs * outputs
        got = f"{counts[first, unit]} at output {first} and {counts[output, unit]} at output {output}, {name(unit)}"
        raise SparsenetError(
            f"expected tiles of {outputs} outputs to keep as many inputs at the same places, got {got}"
        )


def _check_same_for_outputs(kept: KeptWeights) -> int:
    """Raise where an output keeps more or less than the first; return how many all keep."""
    counts = np.bincount(kept.rows, minlength=kept.grid.N)
    if (counts != counts[0]).any():
        output = int((counts != counts[0]).argmax())
        raise SparsenetError(
            f"expected every output to keep as many inputs, got {counts[0]} at output 0 and {counts[output]} at "
            f"output {output}"
        )
    return int(counts[0])


def _group(kept: KeptWeights, unit: int, size: int) -> str:
    """Name a group of neighbouring channels at one position."""
    position, group = divmod(unit, -(-kept.grid.C // size))
    last = min(group * size + size, kept.grid.C) - 1
    return f"channels {group * size} to {last}, position {position}"
