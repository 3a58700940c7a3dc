"""Few winners among the channels of many positions: one position in each lane.

Sorting networks find the k-th largest of 16 positions at a time, without a branch (see
:mod:`sparsenet_kernels.simd.sorted_eight`); then each position compares its channels with it.
"""

import numpy as np

from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.simd.ops import greater_equal, load, load_first, multiply, splat
from sparsenet_kernels.simd.set_bits import list_set_bits, popcount64, reaching64
from sparsenet_kernels.simd.sorted_eight import largest_eight, ranks_in_lanes
from sparsenet_kernels.simd.tile import tile_store_all


@helper
def fits_lanes(rows, channels, k):
    """Tell whether this many rows can be searched together: 16 or more of whole eights, for at most eight winners."""
    return rows >= 16 and channels % 8 == 0 and k <= 8


@helper
def write_largest(x, start, channels, factor, largest):
    """Write the eight largest ranks of 16 neighbouring rows, falling: ``largest[i, r]`` is the i-th of row r."""
    best = ranks_in_lanes(x, start, channels, factor, 0)
    for c in range(8, channels, 8):
        best = largest_eight(best, ranks_in_lanes(x, start + c, channels, factor, c))
    tile_store_all(best, largest, 0)


@helper
def reaching(x, start, j, count, factor, limit):
    """Mask of the ``count`` channels from ``j`` on, 64 at most, that reach a limit."""
    mask = np.uint64(0)
    whole = j + count - count % 16  # eight channels may remain
    for i in range(j, whole, 16):
        wins = greater_equal(multiply(load(x, start + i), load(factor, i)), limit)
        mask |= np.uint64(wins) << np.uint64(i - j)
    if whole < j + count:
        value, scale = load_first(x, start + whole, 8, 0.0), load_first(factor, whole, 8, 0.0)
        wins = greater_equal(multiply(value, scale), limit) & np.uint16(0xFF)
        mask |= np.uint64(wins) << np.uint64(whole - j)
    return mask


@helper
def list_row(x, row, factor, limit, columns, values):
    """List the first channels of a row that reach its limit; tell whether there are more of them than win."""
    channels, left = x.shape[2], columns.shape[2]
    at = row * left
    for j in range(0, channels, 64):
        mask = reaching(x, row * channels, j, min(64, channels - j), factor, limit)
        found = popcount64(mask)
        listed = max(min(found, left), 0)
        list_set_bits(mask, x, row * channels + j, j, columns, values, at, listed)
        at += listed
        left -= found
    return left < 0


@helper
def write_reaching(x, first, factor, limits, columns, values):
    """List the channels of 16 rows that reach each row's limit, in rising order; return the rows with ties, as bits.

    Where more channels reach the limit than win, the list holds the first of them; it must then be written anew.
    Rows of 64 channels are one mask each: 1.6 µs for 196 rows. As many channels in a loop take 2.3; compressing columns
    and values 16 at a time took 0.3 more. Where bytes cannot be compressed, set bits are walked one by one: 2.6.
    """
    channels, k = x.shape[2], columns.shape[2]
    tied = 0
    for i in range(16):
        row, limit = first + i, splat(limits[index(i)])
        if channels == 64:
            mask = reaching64(x, row * 64, factor, 0, limit)
            list_set_bits(mask, x, row * 64, 0, columns, values, row * k, k)
            tied |= (popcount64(mask) > k) << i
        else:
            tied |= list_row(x, row, factor, limit, columns, values) << i
    return tied
