"""Masks whose neighbouring outputs keep the same inputs: subsets, taps, blocks.

Kernels compute 16 outputs at a time; inputs that a whole tile of 16 outputs leaves out cost nothing.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.packing.arguments import kept_units, whole
from sparsenet.packing.draws import bits_of, chosen
from sparsenet.packing.grid import Grid, grid_of
from sparsenet.packing.mask import Mask

__all__ = ["TILE", "blocks", "subsets", "taps"]

TILE = 16
"""Outputs that kernels compute at a time."""

BoolArray = npt.NDArray[np.bool_]


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
