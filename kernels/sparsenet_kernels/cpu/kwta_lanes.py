"""Few winners among the channels of many positions: one position in each lane.

Sorting networks find the k-th largest of 16 positions at a time, without a branch (see
:mod:`sparsenet_kernels.simd.sorted_eight`); then each position compares its channels with it.
"""

import numpy as np

from sparsenet_kernels.jit import compiled, index
from sparsenet_kernels.simd.ops import (
    compress,
    greater_equal,
    lanes_from,
    load,
    load_first,
    multiply,
    popcount,
    splat,
    store_first,
)
from sparsenet_kernels.simd.sorted_eight import largest_eight, ranks_in_lanes
from sparsenet_kernels.simd.tile import tile_store_all


@compiled
def fits_lanes(rows, channels, k):
    """Tell whether this many rows can be searched together: 16 or more of whole eights, for at most eight winners."""
    return rows >= 16 and channels % 8 == 0 and k <= 8


@compiled
def write_largest(x, start, channels, factor, largest):
    """Write the eight largest ranks of 16 neighbouring rows, falling: ``largest[i, r]`` is the i-th of row r."""
    best = ranks_in_lanes(x, start, channels, factor, 0)
    for c in range(8, channels, 8):
        best = largest_eight(best, ranks_in_lanes(x, start + c, channels, factor, c))
    tile_store_all(best, largest, 0)


@compiled
def append(value, winners, j, columns, values, at, end):
    """Append winners among the channels from ``j`` on to a list, as far as it has room; return their number."""
    store_first(columns, at, compress(lanes_from(j), winners), end - at)
    store_first(values, at, compress(value, winners), end - at)
    return popcount(winners)


@compiled
def write_reaching(x, first, factor, limits, columns, values):
    """List the channels of 16 rows that reach each row's limit, in rising order; return the rows with ties, as bits.

    Where more channels reach the limit than win, the list holds the first of them; it must then be written anew.
    Walking the set bits of one mask of 64 channels was hardly faster (3.5 instead of 3.7 µs for all of 196 x 64).
    """
    channels, k = x.shape[2], columns.shape[2]
    whole = channels - channels % 16  # eight channels may remain
    tied = 0
    for i in range(16):
        start, at = (first + i) * channels, (first + i) * k
        end, limit = at + k, splat(limits[index(i)])
        for j in range(0, whole, 16):
            value = load(x, start + j)
            winners = greater_equal(multiply(value, load(factor, j)), limit)
            at += append(value, winners, j, columns, values, at, end)
        if whole < channels:
            value = load_first(x, start + whole, 8, 0.0)
            winners = greater_equal(multiply(value, load_first(factor, whole, 8, 0.0)), limit) & np.uint16(0xFF)
            at += append(value, np.uint16(winners), whole, columns, values, at, end)
        tied |= (at != end) << i
    return tied
