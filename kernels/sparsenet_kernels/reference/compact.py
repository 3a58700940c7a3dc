"""Lists of what is active: the positions and values of the non-zeros of each row, and the way back."""

from operator import index

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet_kernels.indices import check_index, narrowed

ActiveLists = tuple[NDArray[np.int32], NDArray[np.float64]]


def compact(x: ArrayLike, width: int) -> ActiveLists:
    """List the non-zeros of each row in rising order. This is the specification.

        columns[b, r, j] = the position of the j-th d with x[b, r, d] != 0;   -1 when there are not so many
        values[b, r, j]  = x[b, r, columns[b, r, j]];                          0 when there are not so many

    x        (B, R, D)      any float; any number of leading axes; -0.0 is a zero, NaN is not
    width    integer        the room K of each list
    columns  (B, R, width)  int32, rising; -1 ends a short row
    values   (B, R, width)  float64

    Raises
    ------
    ValueError
        If a row has more than `width` non-zeros.

    Examples
    --------
    >>> columns, values = compact([[[0.0, 7.0, 0.0, 9.0]]], 3)
    >>> columns.tolist(), values.tolist()
    ([[[1, 3, -1]]], [[[7.0, 9.0, 0.0]]])
    """
    x = np.asarray(x, np.float64)
    position = np.broadcast_to(narrowed(np.arange(x.shape[-1]), np.int32, "columns"), x.shape)
    return _close_up(x != 0, position, x, index(width))


def expand(columns: ArrayLike, values: ArrayLike, D: int) -> NDArray[np.float64]:
    """Lay the lists out again as rows of D values, the inverse of `compact`. This is the specification.

        out[b, r, d] = values[b, r, j] where columns[b, r, j] == d, before the first -1 of the list;   0 elsewhere

    columns  (B, R, K)  int32, distinct in a row and below D; -1 ends a short row
    values   (B, R, K)  any float
    out      (B, R, D)  float64

    Raises
    ------
    IndexError
        If a column is D or more.

    Examples
    --------
    >>> expand([[[1, 3, -1]]], [[[7.0, 9.0, 0.0]]], 4)
    array([[[0., 7., 0., 9.]]])
    """
    columns, values = np.asarray(columns), np.asarray(values, np.float64)
    listed = _listed(columns)
    out = np.zeros((*columns.shape[:-1], D))
    row = np.nonzero(listed)[:-1]
    out[(*row, columns[listed])] = values[listed]
    return out


def flatten_active(columns: ArrayLike, values: ArrayLike, D: int) -> ActiveLists:
    """Join the lists of all rows of a sample into one, as if the rows stood end to end. This is the specification.

        expand(flatten_active(columns, values, D), R * D) == expand(columns, values, D) with its last two axes joined

    An entry at (row, column) moves to position row * D + column; gaps left by short rows are closed.

    columns  (B, R, K)      int32, 0 <= columns < D; -1 ends a short row
    values   (B, R, K)      any float; listed zeros stay listed
    out      (B, 1, R * K)  int32 positions and float64 values; -1 ends a short list

    Examples
    --------
    >>> columns, values = flatten_active([[[1, -1], [0, 2]]], [[[5.0, 0.0], [6.0, 7.0]]], 3)
    >>> columns.tolist(), values.tolist()
    ([[[1, 3, 5, -1]]], [[[5.0, 6.0, 7.0, 0.0]]])
    """
    columns, values = narrowed(columns, np.int32, "columns"), np.asarray(values, np.float64)
    B, R, K = columns.shape
    check_index(R * D, np.int32, f"places in {R} rows of {D}", "list fewer rows at once")
    position = columns + narrowed(np.arange(R) * D, np.int32, "places")[:, None]
    one_row = (B, 1, R * K)
    return _close_up(_listed(columns).reshape(one_row), position.reshape(one_row), values.reshape(one_row), R * K)


def _listed(columns: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Mark the entries before the first -1 of each list."""
    listed: NDArray[np.bool_] = np.logical_and.accumulate(columns >= 0, axis=-1)
    return listed


def _close_up(
    keep: NDArray[np.bool_], position: NDArray[np.int32], values: NDArray[np.float64], width: int
) -> ActiveLists:
    """Move the kept entries of each row to its front, in their order, and end the row with (-1, 0)."""
    count = keep.sum(axis=-1, keepdims=True)
    fullest = int(count.max(initial=0))
    if fullest > width:
        raise ValueError(f"expected at most {width} non-zeros in a row, got {fullest}; give a larger width")
    kept_first = np.argsort(~keep, axis=-1, kind="stable")[..., :width]
    room = np.arange(kept_first.shape[-1]) < count
    columns = np.full((*keep.shape[:-1], width), -1, dtype=np.int32)
    closed = np.zeros(columns.shape)
    columns[..., : room.shape[-1]] = np.where(room, np.take_along_axis(position, kept_first, axis=-1), -1)
    closed[..., : room.shape[-1]] = np.where(room, np.take_along_axis(values, kept_first, axis=-1), 0.0)
    return columns, closed
