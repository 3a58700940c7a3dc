"""Pack any mask, or dense trained weights, into complementary sets."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.given import real_array
from sparsenet.packing.arguments import kept_units
from sparsenet.packing.grid import grid_of
from sparsenet.packing.magnitude import deal, free_energy, group
from sparsenet.packing.mask import Mask
from sparsenet.packing.packed import Packing
from sparsenet.packing.search import best_fit, colouring, first_fit
from sparsenet.packing.verify import set_of_each, verify
from sparsenet_kernels.indices import narrowed

__all__ = ["METHODS", "pack"]

BoolArray = npt.NDArray[np.bool_]

METHODS: Mapping[str, Callable[[BoolArray], npt.NDArray[np.int32]]] = {
    "first-fit": first_fit,
    "best-fit": best_fit,
    "colouring": colouring,
}
"""Searches for sets, fast to thorough; "magnitude" packs dense weights instead."""


def pack(
    mask_or_weight: Mask | npt.ArrayLike,
    density: float | None = None,
    *,
    method: str | None = None,
    sets: npt.ArrayLike | None = None,
) -> Packing:
    """Pack a mask, or weights, into sets of outputs that share no input.

    A mask is packed as it is; so are weights, by their zeros, when no density is given. With a density, dense weights
    are packed by their magnitude: each output keeps as many, the sets lose as little as can be, and the result says
    what share of the energy that is. Nothing is random.

    Parameters
    ----------
    mask_or_weight : Mask, or (N, D) or (N, C, kh, kw), bool or any float
        A mask or weights. Of a convolution in groups, outputs of different groups count as sharing inputs.
    density : float, optional
        What to keep of dense weights, in (0, 1].
    method : str, optional
        "first-fit": each output into the first set that has room, the default. "best-fit": into the fullest, most
        demanded inputs first. "colouring": one set after the other as large as can be; fewest sets, for up to 4,096
        outputs. "magnitude": the default, and the only one, with a density.
    sets : (N,) integers, optional
        The set of each output, where it is known: nothing is searched for.

    Returns
    -------
    Packing

    Raises
    ------
    SparsenetError
        If the shape, the density or the method cannot be, weights are not finite, or the sets that were given do not
        pack.
    TypeError
        If the array holds no numbers.

    Examples
    --------
    >>> from sparsenet import packing
    >>> packing.pack(packing.uniform((64, 1600), 0.05), method="colouring").count
    46
    >>> packed = packing.pack(np.random.default_rng(0).standard_normal((64, 1600)), density=0.12)
    >>> packed.count, round(packed.energy, 2), round(packed.free_energy, 2)
    (8, 0.43, 0.49)
    """
    given = real_array(mask_or_weight, "a mask or weights")
    grid = grid_of(given.shape)
    matrix = given.reshape(grid.N, grid.D)
    chosen = _checked_method(method, density, given.dtype)
    known = None if sets is None else narrowed(set_of_each(sets, grid.N), np.int32, "sets")
    begin = perf_counter()
    if density is not None:
        kept = kept_units(density, grid.D, "inputs")
        packing = _pack_magnitude(matrix, kept, known)
    else:
        packing = _pack_mask(matrix != 0, chosen, known)
    keep, found, details = packing
    time_s = perf_counter() - begin
    return Packing(keep.reshape(given.shape), found, details.pop("method", chosen), time_s, **details)


Found = tuple[BoolArray, npt.NDArray[np.int32], dict[str, Any]]
"""What is kept, (N, D); the set of each output; and what else there is to say."""


def _checked_method(method: str | None, density: float | None, dtype: np.dtype[Any]) -> str:
    if method is None:
        method = "first-fit" if density is None else "magnitude"
    if method not in (*METHODS, "magnitude"):
        raise SparsenetError(f"expected a method of {', '.join(METHODS)}, magnitude, got {method!r}")
    if (method == "magnitude") != (density is not None):
        got = "none" if density is None else f"a density and {method!r}"
        raise SparsenetError(f"expected a density with the method magnitude, and only there, got {got}")
    if density is not None and dtype.kind == "b":
        raise SparsenetError("expected dense weights with a density, got a mask; leave the density out to pack it")
    return method


def _pack_mask(keep: BoolArray, method: str, sets: npt.NDArray[np.int32] | None) -> Found:
    if sets is None:
        return keep, METHODS[method](keep), {}
    verify(keep, sets=sets)
    return keep, sets, {"method": "given"}


def _pack_magnitude(weight: npt.NDArray[Any], kept: int, sets: npt.NDArray[np.int32] | None) -> Found:
    if not np.isfinite(weight).all():
        raise SparsenetError(f"expected finite weights, got {(~np.isfinite(weight)).sum()} NaN or infinite")
    wide = weight.astype(np.float64)
    wide /= np.abs(wide).max() or 1.0  # so that no square overflows, and not all vanish
    energy = np.square(wide.astype(np.float32))
    found = group(energy, kept) if sets is None else sets
    keep = deal(energy, found, kept)
    total = float(energy.sum(dtype=np.float64))
    share = float(energy[keep].sum(dtype=np.float64)) / total if total else 1.0
    return keep, found, {"energy": share, "free_energy": free_energy(energy, kept)}
