"""Images of one channel for byte instructions: slots of eight pixels, so that a filter's taps come in fours.

The slot of pixel (y, x) is four pixels downwards and four to the right, those of a lower row:

    byte    0        1        2        3        4        5          6          7
    pixel   y, x     y+1, x   y+2, x   y+3, x   y+r, x   y+r, x+1   y+r, x+2   y+r, x+3

A filter on pixels is a filter on these eight channels: rows go in fours into the bytes 0 to 3, the rows that are left
(the row r = 4 of a filter of height 5) into the bytes 4 to 7. A filter 5 x 5 has 7 such groups of four where its rows
alone would make 10, and all lie in one row of slots, which is what a row of an AMX tile reads.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

SLOT_BYTES = 8
"""Pixels, and bytes, of a slot."""

MOST_ROWS = 8
"""The largest height of a filter that slots serve."""

MOST_TILE_ROWS = 5
"""The largest height of a filter whose taps lie in one row of slots."""

MOST_TILE_COLUMNS = 8
"""The largest width of a filter whose slots fit into one row of a tile, 64 bytes."""


def right_row(kernel_height: int) -> int:
    """Return r, the row that the last four bytes of a slot are taken from.

    Examples
    --------
    >>> [right_row(height) for height in (1, 3, 4, 5, 7, 8)]
    [0, 0, 0, 4, 4, 0]
    """
    return 4 if 4 < kernel_height < 8 else 0


def slot_rows(height: int, kernel_height: int) -> int:
    """Return how many rows of slots a filter reads.

    Parameters
    ----------
    height : int
        Rows of the image, with its padding.
    kernel_height : int
        1 to 8.

    Examples
    --------
    >>> slot_rows(32, 5)
    28
    """
    return height - kernel_height + _filter_rows(kernel_height)


def spread_pixels_weight(weight: ArrayLike) -> NDArray[np.int8]:
    """Turn filters on pixels into filters on slots.

    Parameters
    ----------
    weight : (N, 1, kh, kw) int8
        kh at most 8.

    Returns
    -------
    (N, 8, rows, kw) int8
        One row for kh up to 5. Each weight stands in one place; the rest is zero.

    Raises
    ------
    ValueError
        If there is more than one channel, or the filter is too high.

    Examples
    --------
    >>> spread = spread_pixels_weight(np.ones((1, 1, 5, 5), np.int8))
    >>> spread.shape, np.flatnonzero(spread[0, :, 0].T.any(axis=1)).tolist()
    ((1, 8, 1, 5), [0, 1, 2, 3, 4])
    >>> fours = spread[0].transpose(1, 2, 0).reshape(-1, 4).any(axis=1)
    >>> int(fours.sum())
    7
    """
    weight = np.asarray(weight)
    if weight.ndim != 4 or weight.shape[1] != 1 or not 1 <= weight.shape[2] <= MOST_ROWS:
        raise ValueError(f"expected filters (N, 1, kh, kw) of at most {MOST_ROWS} rows, got {weight.shape}")
    N, _, kh, kw = weight.shape
    spread = np.zeros((N, SLOT_BYTES, _filter_rows(kh), kw), weight.dtype)
    rest = kh if kh < 4 and kh != 1 else kh // 4 * 4  # up to there rows go downwards
    for ky in range(rest):
        spread[:, ky % 4, ky // 4 * 4] = weight[:, 0, ky]
    for ky in range(rest, kh):
        for kx in range(kw):
            spread[:, 4 + kx % 4, ky - rest, kx // 4 * 4] = weight[:, 0, ky, kx]
    return spread


def pack_slots(weight: ArrayLike) -> NDArray[np.int8]:
    """Lay filters out as the right-hand tiles of AMX: all taps of 16 outputs in one tile.

    Parameters
    ----------
    weight : (N, 1, kh, kw) int8
        kh at most 5, kw at most 8.

    Returns
    -------
    (P, 2 * kw, 16, 4) int8
        P is ceil(N / 64) * 4; byte i of slot kx for output n is [n // 16, 2 * kx + i // 4, n % 16, i % 4].

    Raises
    ------
    ValueError
        If the filters do not fit.

    Examples
    --------
    >>> pack_slots(np.ones((64, 1, 5, 5), np.int8)).shape
    (4, 10, 16, 4)
    """
    spread = spread_pixels_weight(weight)
    N, _, rows, kw = spread.shape
    if rows > 1 or kw > MOST_TILE_COLUMNS:
        raise ValueError(f"expected filters of at most {MOST_TILE_ROWS} x {MOST_TILE_COLUMNS}, got {weight.shape[2:]}")
    padded = np.zeros((-(-N // 64) * 64, kw, SLOT_BYTES), np.int8)
    padded[:N] = spread[:, :, 0].transpose(0, 2, 1)
    return np.ascontiguousarray(padded.reshape(-1, 16, 2 * kw, 4).transpose(0, 2, 1, 3))


def _filter_rows(kernel_height: int) -> int:
    """Return the height of the filter on slots."""
    lowest_of_fours = (max(kernel_height, 4) // 4 - 1) * 4
    rows_left = kernel_height % 4 if kernel_height > 4 else 0
    return max(lowest_of_fours + 1, rows_left)
