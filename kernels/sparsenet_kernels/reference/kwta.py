"""k winners take all: keep the k largest values, set the others to zero.

The rule that every kernel obeys: exactly min(k, n) winners, those of largest rank; the lowest index wins a tie, and
-0.0 ties with 0.0. Winners may be negative or zero. A NaN has no rank: it is refused before these functions.
"""

import math
from operator import index

import numpy as np
from numpy.typing import ArrayLike, NDArray


def k_winners(x: ArrayLike, k: int, factor: ArrayLike | None = None) -> NDArray[np.float64]:
    """Keep the k values of largest rank along the last axis, zero the others. This is the specification.

        rank[b, r, i] = x[b, r, i] * factor[i]
        out[b, r, i]  = x[b, r, i]   if fewer than k units j have  rank[j] > rank[i],  or  rank[j] == rank[i] and j < i
                        0            otherwise

    x       (B, R, n)  any float, no NaN; any number of leading axes
    k       integer    0 or more; k >= n keeps everything
    factor  (n,)       any float, or one number for all; boosts the rank, never the output; None is all ones
    out     (B, R, n)  float64

    The product of two float32 numbers is exact in float64: a kernel that ranks by float32 products, which may round,
    vanish or become infinite, must look at those that tie with the last winner's once more.

    Raises
    ------
    ValueError
        If k is negative, or `factor` is not one number per ranked unit.
    TypeError
        If k is not an integer.

    Examples
    --------
    >>> k_winners([[[3.0, -1.0, 3.0, 4.0]]], 2)
    array([[[3., 0., 0., 4.]]])
    """
    x = np.asarray(x, np.float64)
    rank = x if factor is None else x * np.broadcast_to(np.asarray(factor, np.float64), x.shape[-1:])
    if index(k) < 0:
        raise ValueError(f"expected k to be 0 or more, got {k}")
    best = np.argsort(-rank, axis=-1, kind="stable")[..., :k]  # a stable sort leaves the lower index first among equals
    wins = np.zeros(x.shape, dtype=bool)
    np.put_along_axis(wins, best, True, axis=-1)
    return np.where(wins, x, 0.0)


def k_winners_channels(x: ArrayLike, k: int, factor: ArrayLike | None = None) -> NDArray[np.float64]:
    """Keep the k winners among the channels at each position ("local"). This is the specification.

        out[b, :, i, j] = k_winners(x[b, :, i, j], k, factor)

    x       (B, C, H, W)  any float, no NaN
    factor  (C,)          any float, or None
    out     (B, C, H, W)  float64

    Raises
    ------
    ValueError
        If k is negative, or `factor` is not one number per ranked unit.
    TypeError
        If k is not an integer.

    Examples
    --------
    >>> k_winners_channels([[[[1.0, 5.0]], [[2.0, 4.0]]]], 1).tolist()
    [[[[0.0, 5.0]], [[2.0, 0.0]]]]
    """
    channels_last = np.moveaxis(np.asarray(x, np.float64), 1, -1)
    return np.moveaxis(k_winners(channels_last, k, factor), -1, 1)


def k_winners_all(x: ArrayLike, k: int, factor: ArrayLike | None = None) -> NDArray[np.float64]:
    """Keep the k winners among all elements of each sample ("global"). This is the specification.

        out[b] = k_winners(x[b] laid out flat in C order, k, factor)

    x       (B, ...)  any float, no NaN; n elements per sample
    factor  (n,)      any float, in C order, or None
    out     (B, ...)  float64, the shape of x

    Raises
    ------
    ValueError
        If k is negative, or `factor` is not one number per ranked unit.
    TypeError
        If k is not an integer.

    Examples
    --------
    >>> k_winners_all([[[1.0, 5.0], [2.0, 4.0]]], 2).tolist()
    [[[0.0, 5.0], [0.0, 4.0]]]
    """
    x = np.asarray(x, np.float64)
    flat = x.reshape(x.shape[0], math.prod(x.shape[1:]))
    return k_winners(flat, k, factor).reshape(x.shape)
