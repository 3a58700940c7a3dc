"""Masks whose neighbouring outputs share what they keep: partitioned, subsets, taps, blocks.

Kernels compute 16 outputs at a time; what a tile of 16 outputs leaves out altogether costs nothing.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.packing.arguments import checked_density, kept_units, whole
from sparsenet.packing.draws import Bits, bits_of, chosen
from sparsenet.packing.grid import Grid, grid_of
from sparsenet.packing.mask import Mask

__all__ = ["TABLE", "TILE", "blocks", "partitioned", "subsets", "taps"]

TABLE = 64
"""Inputs that one lookup chooses from."""

TILE = 16
"""Outputs that kernels compute at a time."""

BoolArray = npt.NDArray[np.bool_]


def partitioned(
    shape: tuple[int, ...], density: float, *, seed: int = 0, per_group: int = 4, channels: int | None = None
) -> Mask:
    """Keep as many of every 64 inputs for each output, each its own, at places that a tile of 16 outputs shares.

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
    """Return how often an output keeps so many inputs of a place."""
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
    """Choose for each output as many inputs of each place as ``depth`` (N, places) says: (N, D) bool."""
    groups = -(-grid.C // TABLE)
    keep = np.zeros((grid.N, grid.P, groups * TABLE), bool)
    by_place = keep.reshape(grid.N, grid.P * groups, TABLE)
    widths = np.minimum(grid.C - np.arange(groups) * TABLE, TABLE)[np.arange(grid.P * groups) % groups]
    for count in np.unique(depth[depth > 0]).tolist():
        for width in np.unique(widths).tolist():
            n, place = np.nonzero((depth == count) & (widths == width))
            by_place[n, place, :width] = chosen(bits, len(n), width, count)
    return keep[:, :, : grid.C].transpose(0, 2, 1).reshape(grid.N, grid.D)


def subsets(
    shape: tuple[int, ...],
    density: float,
    *,
    seed: int = 0,
    size: int = 8,
    outputs: int = TILE,
    channels: int | None = None,
) -> Mask:
    """Keep groups of neighbouring channels, the same at every position and for every tile of 16 outputs.

    This fills tiles of four inputs, and lookups too.

    Parameters
    ----------
    shape : (N, D) or (N, C, kh, kw)
        The weight's shape.
    density : float
        Fraction to keep, in (0, 1]; the nearest that there is, in steps of ``size / C``.
    seed : int
        The same seed gives the same mask everywhere.
    size : int
        Channels of a group; divides C. Tiles are full when it is a multiple of 4.
    outputs : int
        Neighbouring outputs that keep the same groups.
    channels : int, optional
        Of the image that a linear layer's inputs are the flattened form of.

    Returns
    -------
    Mask

    Raises
    ------
    SparsenetError
        If the shape, the density or the size cannot be.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> subsets((64, 64, 5, 5), 0.25).density
    0.25
    """
    grid = grid_of(shape, channels)
    size, outputs = _divisor("size", size, grid), whole("outputs", outputs)
    kept = kept_units(density, grid.C // size, f"groups of {size} channels")
    keep = _kept_for_tiles(grid, grid.channels(size), kept, outputs, seed)
    asked = {"density": float(density), "seed": seed, "size": size, "outputs": outputs, "channels": channels}
    return Mask(keep.reshape(shape), "subsets", _filled_by_fours(shape, size, outputs), asked)


def taps(
    shape: tuple[int, ...], density: float, *, seed: int = 0, outputs: int = TILE, channels: int | None = None
) -> Mask:
    """Keep some positions with all their channels, the same for every tile of 16 outputs.

    For a convolution this fills tiles of any depth, also those of matrix units (AMX).

    Parameters
    ----------
    shape : (N, D) or (N, C, kh, kw)
        The weight's shape; a linear layer's inputs have positions only where ``channels`` says so.
    density : float
        Fraction to keep, in (0, 1]; the nearest that there is, in steps of one tap.
    seed : int
        The same seed gives the same mask everywhere.
    outputs : int
        Neighbouring outputs that keep the same taps.
    channels : int, optional
        Of the image that a linear layer's inputs are the flattened form of.

    Returns
    -------
    Mask

    Raises
    ------
    SparsenetError
        If the shape or the density cannot be.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> mask = taps((64, 64, 5, 5), 0.24)
    >>> mask.density, mask.keep[0].any(axis=0).sum().item()
    (0.24, 6)
    """
    grid = grid_of(shape, channels)
    single = " (channels= gives a linear layer's inputs positions)" * (grid.P == 1)
    kept = kept_units(density, grid.P, f"taps{single}")
    outputs = whole("outputs", outputs)
    keep = _kept_for_tiles(grid, grid.units(grid.C), kept, outputs, seed)
    asked = {"density": float(density), "seed": seed, "outputs": outputs, "channels": channels}
    return Mask(keep.reshape(shape), "taps", _filled_by_fours(shape, grid.C, outputs), asked)


def blocks(
    shape: tuple[int, ...],
    density: float,
    *,
    seed: int = 0,
    inputs: int = 4,
    outputs: int = TILE,
    channels: int | None = None,
) -> Mask:
    """Keep blocks: some neighbouring channels at one position, the same for every tile of 16 outputs.

    Blocks of one input fill float32 vectors; blocks of four fill those of byte products.

    Parameters
    ----------
    shape : (N, D) or (N, C, kh, kw)
        The weight's shape.
    density : float
        Fraction to keep, in (0, 1]; the nearest that there is, in steps of ``inputs / D``.
    seed : int
        The same seed gives the same mask everywhere.
    inputs : int
        Neighbouring channels of a block; divides C.
    outputs : int
        Neighbouring outputs of a block.
    channels : int, optional
        Of the image that a linear layer's inputs are the flattened form of.

    Returns
    -------
    Mask

    Raises
    ------
    SparsenetError
        If the shape, the density or the inputs cannot be.
    TypeError
        If an argument has the wrong type.

    Examples
    --------
    >>> mask = blocks((1500, 1600), 0.0325, channels=64)
    >>> mask.density, mask.fills
    (0.0325, 'blocks4x16')
    """
    grid = grid_of(shape, channels)
    inputs, outputs = _divisor("inputs", inputs, grid), whole("outputs", outputs)
    kept = kept_units(density, grid.D // inputs, f"blocks of {inputs} inputs")
    keep = _kept_for_tiles(grid, grid.units(inputs), kept, outputs, seed)
    asked = {"density": float(density), "seed": seed, "inputs": inputs, "outputs": outputs, "channels": channels}
    fills = _filled_by_fours(shape, inputs, outputs)
    if not fills and outputs % TILE == 0:
        fills = "blocks"
    return Mask(keep.reshape(shape), "blocks", fills, asked)


def _divisor(name: str, value: Any, grid: Grid) -> int:
    """Return a number of neighbouring channels, which must divide all of them."""
    size = whole(name, value)
    if grid.C % size:
        raise SparsenetError(
            f"expected {name} to divide {grid.C} channels, got {size}; for a linear layer behind the "
            "flattening of an image, give the image's channels"
        )
    return size


def _filled_by_fours(shape: tuple[int, ...], inputs: int, outputs: int) -> str:
    """Name the format of weights in fours for this kind of layer, where blocks of this size fill it."""
    if inputs % 4 or outputs % TILE:
        return ""
    return "blocks4x16" if len(shape) == 2 else "tiles"


def _kept_for_tiles(grid: Grid, unit_of: npt.NDArray[np.int64], kept: int, outputs: int, seed: int) -> BoolArray:
    """Keep so many whole units, chosen anew for each tile of outputs: (N, D) bool."""
    bits = bits_of(whole("seed", seed, least=0))
    units = chosen(bits, -(-grid.N // outputs), int(unit_of.max()) + 1, kept)
    return np.repeat(units[:, unit_of], outputs, axis=0)[: grid.N]
