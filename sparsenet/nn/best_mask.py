"""Find the mask of a family that keeps the most of a weight; pruning and regrowth use it.

A family keeps whole units (taps, blocks, groups of channels) or divides them among outputs (complementary sets,
lookups). Among all masks with the same counts, the one with the most energy is wanted: the sum of the squared kept
weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError, did_you_mean
from sparsenet.packing.grid import Grid
from sparsenet.packing.masks import FAMILIES, Mask
from sparsenet.packing.partition import TABLE
from sparsenet.packing.scattered import units_of
from sparsenet.packing.shared import TILE
from sparsenet_kernels.jit import compiled

__all__ = ["best_mask", "keeping_most", "kept_energy"]

Energies = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def best_mask(weight: Any, family: str, density: float, **parameters: Any) -> Mask:
    """Make the mask of a family that keeps the most energy of a weight, such as a trained dense layer's.

    It is the best there is for "taps", "subsets", "blocks", "partitioned" and "uniform"; for "complementary" inputs are
    dealt out greedily, the largest weight first, which keeps at least half as much as the best.

    Parameters
    ----------
    weight : Tensor or array (N, D) or (N, C, kh, kw)
    family : str
        "taps", "subsets", "blocks", "partitioned", "complementary" or "uniform".
    density : float
        Fraction to keep, in (0, 1].
    **parameters
        The family's, such as ``channels``, ``outputs``, ``inputs``, ``size``, ``per_group``.

    Returns
    -------
    Mask
        With as many kept, and as full, as the family's random mask of this density.

    Raises
    ------
    SparsenetError
        When the family is another, or it cannot have this shape and density.

    Notes
    -----
    Magnitude as the measure of what may go: Han et al., arXiv 1506.02626, section 3.

    Examples
    --------
    >>> best_mask(np.array([[1.0, -5.0, 3.0], [4.0, 0.0, 2.0]]), "uniform", 1 / 3).keep.tolist()
    [[False, True, False], [True, False, False]]
    """
    _check_family(family)
    weight = _array(weight)
    return keeping_most(np.square(weight), FAMILIES[family](weight.shape, density, **parameters))


def keeping_most(energy: npt.ArrayLike, like: Mask, share: float = 1.0) -> Mask:
    """Make the mask with the counts of another that keeps the most energy.

    Parameters
    ----------
    energy : array of the mask's shape
        What keeping each weight is worth, 0 or more.
    like : Mask
        Of a family that :func:`best_mask` knows.
    share : float
        Keep only this share of its units, at least one for each output.
    """
    _check_family(like.family)
    grid = like.grid
    energies = np.asarray(energy, np.float64).reshape(grid.N, grid.D)
    keep = CHOICES[like.family](energies, grid, like, share)
    parameters = {name: value for name, value in like.parameters.items() if name != "seed"}
    return replace(like, keep=keep.reshape(like.shape), parameters=parameters)


def kept_energy(weight: Any, mask: Mask | npt.ArrayLike) -> float:
    """Return the share of a weight's energy that a mask keeps.

    Examples
    --------
    >>> kept_energy(np.array([[3.0, 4.0]]), [[True, False]])
    0.36
    """
    squares = np.square(_array(weight))
    return float(squares[np.asarray(mask, bool)].sum() / max(float(squares.sum()), np.finfo(float).tiny))


def _array(weight: Any) -> Energies:
    given = weight.detach().cpu().double().numpy() if hasattr(weight, "detach") else weight
    return np.asarray(given, np.float64)


def _check_family(family: str) -> None:
    if family not in CHOICES:
        known = ", ".join(CHOICES)
        close = did_you_mean(family, CHOICES)
        raise SparsenetError(f"expected a family whose best mask can be found ({known}), got {family!r}{close}")


def _count(like: Mask, size: int, share: float) -> int:
    """Return how many units of so many inputs each output is to keep."""
    return max(1, round(int(like.keep[0].sum()) // size * share))


def _best_units(
    energies: Energies, unit_of: npt.NDArray[np.int64], outputs: int, like: Mask, share: float
) -> BoolArray:
    """Keep the units with the most energy for each tile of outputs; all units have one size."""
    size = len(unit_of) // (int(unit_of.max()) + 1)
    tiles = np.add.reduceat(energies, np.arange(0, len(energies), outputs), axis=0)
    units = tiles[:, np.argsort(unit_of, kind="stable")].reshape(len(tiles), -1, size).sum(2)
    chosen = _largest(units, _count(like, size, share))
    return np.repeat(chosen[:, unit_of], outputs, axis=0)[: len(energies)]


def _largest(values: Energies, count: int) -> BoolArray:
    """Mark the largest elements of each row; the first of equal ones wins."""
    marks = np.zeros(values.shape, bool)
    np.put_along_axis(marks, np.argsort(-values, axis=1, kind="stable")[:, :count], True, axis=1)
    return marks


def _taps(energies: Energies, grid: Grid, like: Mask, share: float) -> BoolArray:
    return _best_units(energies, grid.units(grid.C), like.parameters.get("outputs", TILE), like, share)


def _subsets(energies: Energies, grid: Grid, like: Mask, share: float) -> BoolArray:
    parameters = like.parameters
    return _best_units(energies, grid.channels(parameters["size"]), parameters["outputs"], like, share)


def _blocks(energies: Energies, grid: Grid, like: Mask, share: float) -> BoolArray:
    parameters = like.parameters
    return _best_units(energies, grid.units(parameters["inputs"]), parameters["outputs"], like, share)


def _uniform(energies: Energies, grid: Grid, like: Mask, share: float) -> BoolArray:
    return _largest(energies, _count(like, 1, share))


def _partitioned(energies: Energies, grid: Grid, like: Mask, share: float) -> BoolArray:
    """Take lookups one after the other, the one next that adds most: each gives an output its next best inputs.

    Of one place the second adds no more than the first, so that the greedy choice is the best one.
    """
    per_group = int(like.parameters["per_group"])
    places = _by_place(energies, grid)
    order = np.argsort(-places, axis=2, kind="stable")
    ranked = np.take_along_axis(places, order, axis=2)[:, :, : TABLE // per_group * per_group]
    gains = ranked.reshape(*ranked.shape[:2], -1, per_group).sum(3)
    tiles = np.add.reduceat(gains, np.arange(0, grid.N, TILE), axis=0)
    by_depth = tiles.transpose(0, 2, 1)  # of equal gains the shallower first: a place's lookups come in order
    taken = _largest(by_depth.reshape(len(tiles), -1), _count(like, per_group, share)).reshape(by_depth.shape)
    depth = np.repeat(taken.sum(1), TILE, axis=0)[: grid.N] * per_group
    ranks = np.argsort(order, axis=2)
    return _from_places(ranks < depth[:, :, None], grid)


def _by_place(energies: Energies, grid: Grid) -> Energies:
    """Lay energies out as the tables of lookups have them: (N, places, 64), what no channel fills worth less than 0."""
    groups = -(-grid.C // TABLE)
    places = np.full((grid.N, grid.P, groups * TABLE), -np.inf)
    places[:, :, : grid.C] = energies.reshape(grid.N, grid.C, grid.P).transpose(0, 2, 1)
    return places.reshape(grid.N, grid.P * groups, TABLE)


def _from_places(keep: BoolArray, grid: Grid) -> BoolArray:
    by_position = keep.reshape(grid.N, grid.P, -1)[:, :, : grid.C]
    return by_position.transpose(0, 2, 1).reshape(grid.N, grid.D)


def _complementary(energies: Energies, grid: Grid, like: Mask, share: float) -> BoolArray:
    """Give each set's units to its outputs, those with the most energy first, until every output has its share."""
    unit_of = units_of(grid, like.parameters["granularity"])
    units, size = int(unit_of.max()) + 1, len(unit_of) // (int(unit_of.max()) + 1)
    worth = energies[:, np.argsort(unit_of, kind="stable")].reshape(grid.N, units, size).sum(2)
    chosen = np.zeros((grid.N, units), bool)
    per_set = int(like.parameters["per_set"])
    for first in range(0, grid.N, per_set):
        hands = chosen[first : first + per_set]
        order = np.argsort(-worth[first : first + per_set].ravel(), kind="stable")
        _deal(order, hands, np.zeros(len(hands), np.int64), np.zeros(units, np.bool_), _count(like, size, share))
    return chosen[:, unit_of]


@compiled
def _deal(order: Any, hands: Any, held: Any, dealt: Any, most: int) -> None:
    """Give each unit, in the order of (output, unit) pairs, to the first output that wants it and has room.

    order  (n * U,)  i64   pairs ``output * U + unit``
    hands  (n, U)    bool  overwritten where a unit is given
    held   (n,)      i64   what each output holds: 0 at first
    dealt  (U,)      bool  False at first
    """
    for pair in order:
        output, unit = pair // len(dealt), pair % len(dealt)
        if held[output] < most and not dealt[unit]:
            hands[output, unit] = True
            dealt[unit] = True
            held[output] += 1


CHOICES: Mapping[str, Callable[[Energies, Grid, Mask, float], BoolArray]] = {
    "taps": _taps,
    "subsets": _subsets,
    "blocks": _blocks,
    "partitioned": _partitioned,
    "complementary": _complementary,
    "uniform": _uniform,
}
