"""Dense activations with a given number of active ones, and the lists that say the same."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsenet_kernels.testing.contents import numbers


@dataclass(frozen=True)
class Activity:
    """How many inputs are active.

    Parameters
    ----------
    most : int
        Active inputs in the fullest row; never more than there are inputs.
    ragged : bool
        Whether other rows have fewer.
    spare : int
        Room in the lists for so many more, never used.
    """

    most: int
    ragged: bool = False
    spare: int = 0


def active_rows(
    rng: np.random.Generator, shape: tuple[int, int, int], activity: Activity, content: str
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Draw activations of shape (B, R, D) and their lists.

    Listed values may be zero, for winners may be zero. What follows the -1 that ends a list is of no account; it is
    filled with columns that exist and values that are NaN, so that a kernel that reads on gives NaN and does not crash.

    Returns
    -------
    x : (B, R, D) float32
        Zero where an input is not active.
    columns : (B, R, K) int32
        Rising; -1 ends a short list.
    values : (B, R, K) float32
    """
    B, R, D = shape
    most = min(activity.most, D)
    counts = rng.integers(0, most + 1, (B, R, 1)) if activity.ragged else np.full((B, R, 1), most)
    order = rng.random(shape).argsort(axis=-1)
    chosen = np.where(np.arange(D) < counts, order, D)
    width = min(most + activity.spare, D)
    columns = np.sort(chosen, axis=-1)[..., :width].astype(np.int32)
    x = np.zeros((B, R, D + 1), np.float32)
    np.put_along_axis(x, chosen, numbers(rng, shape, content), axis=-1)
    values = np.take_along_axis(x, columns, axis=-1)
    return x[..., :D], *_ended(rng, columns, values, D)


def _ended(
    rng: np.random.Generator, columns: NDArray[np.int32], values: NDArray[np.float32], D: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Put -1 at the end of each short list, and leftovers behind it."""
    unused = columns == D
    ends = unused & (np.cumsum(unused, axis=-1) == 1)
    columns = np.where(unused, rng.integers(0, D, columns.shape), columns)
    return np.where(ends, -1, columns).astype(np.int32), np.where(unused, np.float32(np.nan), values)
