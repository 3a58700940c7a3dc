"""Masks for kernels that look inputs up: each output keeps the same number of inputs from groups of 64."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.packing.arguments import checked_density, whole
from sparsenet.packing.draws import Bits, bits_of, chosen
from sparsenet.packing.grid import Grid, grid_of
from sparsenet.packing.mask import Mask
from sparsenet.packing.shared import TILE, BoolArray

__all__ = ["TABLE", "partitioned"]

TABLE = 64
"""Inputs that one lookup chooses from."""


def partitioned(
    shape: tuple[int, ...], density: float, *, seed: int = 0, per_group: int = 4, channels: int | None = None
) -> Mask:
    """Keep the same number of every 64 inputs for each output, at places that a tile of 16 outputs shares.

    A place is 64 neighbouring channels (or all, where there are fewer) at one position. Where the density asks for more
    than ``per_group`` at every place, some places keep twice as many, and so on. This fills the lookup format.

    Parameters
    ----------
    shape : (N, D) or (N, C, kh, kw)
        The weight's shape.
    density : float
        Fraction to keep, in (0, 1]; the nearest that there is, in steps of ``per_group / D``.
    seed : int
        The same seed gives the same mask everywhere.
    per_group : int
        Inputs that an output keeps at a place; lookups are full when it is a multiple of 4.
    channels : int, optional
        Of the image that a linear layer's inputs are the flattened form of; see :func:`sparsenet.packing.grid_of`.

    Returns
    -------
    Mask

    Raises
    ------
    SparsenetError
        If the shape or the density cannot be, or a place has too few inputs.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> mask = partitioned((64, 64, 5, 5), 0.05)
    >>> mask.density, mask.keep[0].sum(axis=0).max().item()
    (0.05, 4)
    """
    grid = grid_of(shape, channels)
    per_group = whole("per_group", per_group)
    places = grid.P * -(-grid.C // TABLE)
    turns, rest = divmod(_picks(density, grid, per_group), places)
    bits = bits_of(whole("seed", seed, least=0))
    tiles = -(-grid.N // TILE)
    depth = per_group * (turns + chosen(bits, tiles, places, rest).astype(np.int64))
    _check_places(grid, int(depth.max()), per_group)
    keep = _choose_inputs(bits, grid, np.repeat(depth, TILE, axis=0)[: grid.N])
    asked = {"density": float(density), "seed": seed, "per_group": per_group, "channels": channels}
    return Mask(keep.reshape(shape), "partitioned", "" if per_group % 4 else "lookup", asked)


def _picks(density: Any, grid: Grid, per_group: int) -> int:
    """Return how many times an output keeps ``per_group`` inputs of a place."""
    picks = round(checked_density(density) * grid.D / per_group)
    if not picks:
        step = per_group / grid.D
        raise SparsenetError(
            f"expected a density that keeps {per_group} of {grid.D} inputs, {step:.4g}, got {density:.4g}; "
            "ask for more, or for fewer per group"
        )
    return picks


def _check_places(grid: Grid, deepest: int, per_group: int) -> None:
    smallest = (grid.C - 1) % TABLE + 1
    if deepest > smallest:
        raise SparsenetError(
            f"expected places of {deepest} inputs or more, got one of {smallest} ({grid.C} channels in groups of up to "
            f"{TABLE}); ask for a lower density or fewer per group than {per_group}, or give the image's channels"
        )


def _choose_inputs(bits: Bits, grid: Grid, depth: npt.NDArray[np.int64]) -> BoolArray:
    """Choose inputs for each output: ``depth`` (N, places) of them at each place. Returns (N, D) bool."""
    groups = -(-grid.C // TABLE)
    keep = np.zeros((grid.N, grid.P, groups * TABLE), bool)
    by_place = keep.reshape(grid.N, grid.P * groups, TABLE)
    widths = np.minimum(grid.C - np.arange(groups) * TABLE, TABLE)[np.arange(grid.P * groups) % groups]
    for count in np.unique(depth[depth > 0]).tolist():
        for width in np.unique(widths).tolist():
            n, place = np.nonzero((depth == count) & (widths == width))
            by_place[n, place, :width] = chosen(bits, len(n), width, count)
    return keep[:, :, : grid.C].transpose(0, 2, 1).reshape(grid.N, grid.D)
