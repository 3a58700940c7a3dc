"""Masks in which every output keeps inputs of its own: complementary, balanced, uniform."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.packing.arguments import kept_units, whole
from sparsenet.packing.draws import Bits, bits_of, chosen, orders, shuffled
from sparsenet.packing.grid import Grid, grid_of
from sparsenet.packing.mask import Mask
from sparsenet.packing.shared import BoolArray

__all__ = ["GRANULARITIES", "balanced", "complementary", "uniform", "units_of"]

GRANULARITIES = {"element": "inputs", "channel": "channels", "block": "blocks of 4 channels"}
"""What the outputs of a complementary set divide among themselves."""

BLOCK = 4
"""Neighbouring channels at one position that a set hands out together, with blocks."""

MIXING = 6
"""How often `balanced` mixes each output with another, of which each reaches 2 ** 6 outputs: pairs of outputs then
share as many inputs as pairs of a random mask do."""


def complementary(
    shape: tuple[int, ...], density: float, *, seed: int = 0, granularity: str = "element", channels: int | None = None
) -> Mask:
    """Let neighbouring outputs make sets that share no input, so that a set packs into one dense kernel.

    Each set deals all inputs, shuffled, out to its outputs: no search, and no overlap by construction. A density of 1/n
    makes sets of n outputs that use every input; of 12 %, sets of 8 that use 96 %.

    Parameters
    ----------
    shape : (N, D) or (N, C, kh, kw)
        The weight's shape.
    density : float
        Fraction to keep, in (0, 1]; the nearest that there is.
    seed : int
        The same seed gives the same mask everywhere.
    granularity : str
        What is dealt out: an "element" is one input, a "channel" has all its positions, a "block" is 4 neighbouring
        channels at one position.
    channels : int, optional
        Of the image that a linear layer's inputs are the flattened form of; blocks and channels mean these.

    Returns
    -------
    Mask
        Its ``sets`` are the set of each output.

    Raises
    ------
    SparsenetError
        If the shape, the density or the granularity cannot be.
    TypeError
        If an argument has the wrong type.

    Source: Hunter, Spracklen and Ahmad, Two Sparsities Are Better Than One, arXiv 2112.13896.

    Examples
    --------
    >>> mask = complementary((1500, 1600), 0.04)
    >>> mask.kept, mask.sets.max().item() + 1
    (96000, 60)
    """
    grid = grid_of(shape, channels)
    unit_of = units_of(grid, granularity)
    units = int(unit_of.max()) + 1
    kept = kept_units(density, units, GRANULARITIES[granularity])
    per_set = units // kept
    dealt = orders(bits_of(whole("seed", seed, least=0)), -(-grid.N // per_set), units)[:, : per_set * kept]
    hands = dealt.reshape(-1, kept)[: grid.N]
    keep = np.zeros((grid.N, units), bool)
    keep[np.arange(grid.N)[:, None], hands] = True
    asked: dict[str, Any] = {"density": float(density), "seed": seed, "granularity": granularity, "channels": channels}
    return Mask(keep[:, unit_of].reshape(shape), "complementary", "complementary", {**asked, "per_set": per_set})


def units_of(grid: Grid, granularity: str) -> npt.NDArray[np.int64]:
    """Give the unit of each input that the outputs of a complementary set divide among themselves: (D,) int64."""
    if granularity not in GRANULARITIES:
        raise SparsenetError(f"expected a granularity of {', '.join(GRANULARITIES)}, got {granularity!r}")
    if granularity == "channel":
        return grid.channels()
    if granularity == "block":
        if grid.C % BLOCK:
            raise SparsenetError(f"expected channels in blocks of {BLOCK}, got {grid.C}; use another granularity")
        return grid.units(BLOCK)
    return np.arange(grid.D)


def balanced(shape: tuple[int, ...], density: float, *, seed: int = 0, channels: int | None = None) -> Mask:
    """Keep the same count for every output, and for every input, give or take one where it cannot come out even.

    Parameters
    ----------
    shape : (N, D) or (N, C, kh, kw)
        The weight's shape.
    density : float
        Fraction to keep, in (0, 1]; the nearest that there is, in steps of one input.
    seed : int
        The same seed gives the same mask everywhere.
    channels : int, optional
        Only noted.

    Returns
    -------
    Mask

    Raises
    ------
    SparsenetError
        If the shape or the density cannot be.
    TypeError
        If an argument has the wrong type.

    Source: Strona, Nappo, Boccacci, Fattorini and San-Miguel-Ayanz, A fast and unbiased procedure to randomize
    ecological binary matrices with fixed row and column totals, Nature Communications 5, 2014 (the mixing).

    Examples
    --------
    >>> mask = balanced((10, 8), 0.25)
    >>> mask.keep.sum(axis=1).tolist(), sorted(mask.keep.sum(axis=0).tolist())
    ([2, 2, 2, 2, 2, 2, 2, 2, 2, 2], [2, 2, 2, 2, 3, 3, 3, 3])
    """
    grid = grid_of(shape, channels)
    kept = kept_units(density, grid.D, "inputs")
    bits = bits_of(whole("seed", seed, least=0))
    hands = _dealt(bits, grid, kept)
    for _ in range(MIXING):
        hands = _mixed(bits, hands, grid.D)
    keep = np.zeros((grid.N, grid.D), bool)
    keep[np.arange(grid.N)[:, None], hands] = True
    return Mask(keep.reshape(shape), "balanced", "csc", {"density": float(density), "seed": seed, "channels": channels})


def _dealt(bits: Bits, grid: Grid, kept: int) -> npt.NDArray[np.int64]:
    """Give shuffled inputs to one output after the other, and shuffle anew where they end: (N, kept) inputs."""
    decks = orders(bits, -(-grid.N * kept // grid.D), grid.D)
    for number in range(1, len(decks)):
        begun = number * grid.D % kept  # inputs that the output at the seam has from the deck before
        if begun:
            held = np.isin(decks[number], decks[number - 1, -begun:])
            decks[number] = decks[number, np.argsort(held, kind="stable")]  # what it has goes to the bottom
    return decks.reshape(-1)[: grid.N * kept].reshape(grid.N, kept)


def _mixed(bits: Bits, hands: npt.NDArray[np.int64], D: int) -> npt.NDArray[np.int64]:
    """Pair outputs at random; each pair shuffles and divides anew the inputs that only one of the two has.

    Inputs of both stay with both, and every count stays as it is.
    """
    N, kept = hands.shape
    order = orders(bits, 1, N)[0]
    pairs = order[: N // 2 * 2].reshape(-1, 2)
    both = np.sort(hands[pairs].reshape(len(pairs), 2 * kept).astype(np.uint64), axis=1)
    same = both[:, 1:] == both[:, :-1]
    keys = shuffled(bits, both, D - 1)
    high = ~np.uint64((1 << (D - 1).bit_length()) - 1)
    keys[:, :-1][same] &= ~high  # the first of two goes to one output
    keys[:, 1:][same] |= high  # the second to the other
    mixed = hands.copy()
    mixed[pairs] = (np.sort(keys, axis=1) & ~high).astype(np.int64).reshape(len(pairs), 2, kept)
    return mixed


def uniform(shape: tuple[int, ...], density: float, *, seed: int = 0, channels: int | None = None) -> Mask:
    """Keep the same count for every output, anywhere: the plain random mask.

    Parameters
    ----------
    shape : (N, D) or (N, C, kh, kw)
        The weight's shape.
    density : float
        Fraction to keep, in (0, 1]; the nearest that there is, in steps of one input.
    seed : int
        The same seed gives the same mask everywhere.
    channels : int, optional
        Only noted.

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
    >>> uniform((1500, 1600), 0.04).keep.sum(axis=1).tolist()[:3]
    [64, 64, 64]
    """
    grid = grid_of(shape, channels)
    kept = kept_units(density, grid.D, "inputs")
    keep: BoolArray = chosen(bits_of(whole("seed", seed, least=0)), grid.N, grid.D, kept)
    return Mask(keep.reshape(shape), "uniform", "csc", {"density": float(density), "seed": seed, "channels": channels})
