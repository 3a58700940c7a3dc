"""Keys that rank numbers: int32 that compare as the float32 do; and the lists of those that win by them."""

import numpy as np

from sparsenet_kernels.jit import helper
from sparsenet_kernels.simd.ops import (
    bits_of,
    compress,
    greater,
    greater_equal,
    lanes_from,
    load,
    load_first,
    multiply,
    order_keys,
    popcount,
    splat,
    store,
    store_first,
)

LOWEST_KEY = np.int32(-(2**31))


@helper
def order_key(rank):
    """Return a rank's key; see :func:`~sparsenet_kernels.simd.ops.order_keys`."""
    bits = bits_of(rank)
    return np.int32(-(bits & np.int32(0x7FFFFFFF))) if bits < 0 else bits


@helper
def write_keys(x, start, n, factor, keys, place):
    """Write the ranking keys of ``x.ravel()[start : start + n] * factor``, filled up to whole vectors."""
    for j in range(0, n - 15, 16):
        store(keys, place + j, order_keys(multiply(load(x, start + j), load(factor, j))))
    j = n // 16 * 16
    if j < n:
        ranks = multiply(load_first(x, start + j, n - j, 0.0), load_first(factor, j, n - j, 0.0))
        store(keys, place + j, splat(LOWEST_KEY))
        store_first(keys, place + j, order_keys(ranks), n - j)


@helper
def count_reaching(keys, place, n, candidate):
    """Count the keys of at least ``candidate``."""
    wanted = splat(candidate)
    count = 0
    for j in range(place, place + n, 16):
        count += popcount(greater_equal(load(keys, j), wanted))
    return count


@helper
def lowest_set(mask, count):
    """Keep the ``count`` lowest set bits of a mask."""
    if popcount(mask) <= count:
        return mask
    kept = np.uint16(0)
    while count > 0:
        lowest = np.uint16(mask & np.uint16(-np.int32(mask)))
        kept = np.uint16(kept | lowest)
        mask = np.uint16(mask ^ lowest)
        count -= 1
    return kept


@helper
def append_winners(x, start, n, j, winners, columns, values, at, end):
    """Append the winners among the numbers from ``j`` on to a list that ends at ``end``; return their number."""
    column = compress(lanes_from(j), winners)
    value = compress(load(x, start + j) if j + 16 <= n else load_first(x, start + j, n - j, 0.0), winners)
    if at + 16 <= end:
        store(columns, at, column)
        store(values, at, value)
    else:
        store_first(columns, at, column, end - at)
        store_first(values, at, value, end - at)
    return popcount(winners)


@helper
def write_reaching(x, start, keys, place, n, threshold, columns, values, at, end):
    """List the numbers of a row whose keys reach a threshold, which are as many as the list has room for."""
    limit = splat(threshold)
    for j in range(0, n, 16):
        at += append_winners(x, start, n, j, greater_equal(load(keys, place + j), limit), columns, values, at, end)


@helper
def write_tied(x, start, keys, place, n, threshold, ties, columns, values, at, end):
    """List the numbers of a row whose keys exceed a threshold, and the first ``ties`` of those that equal it."""
    limit = splat(threshold)
    for j in range(0, n, 16):
        key = load(keys, place + j)
        above = greater(key, limit)
        equal = lowest_set(np.uint16(greater_equal(key, limit) ^ above), ties)
        ties -= popcount(equal)
        at += append_winners(x, start, n, j, np.uint16(above | equal), columns, values, at, end)


@helper
def write_first_tied(x, start, keys, place, n, k, threshold, columns, values, at):
    """List the winners of one row by the key that the k-th largest has, and the first of those that tie with it."""
    limit, ties = splat(threshold), k
    for j in range(0, n, 16):
        ties -= popcount(greater(load(keys, place + j), limit))
    write_tied(x, start, keys, place, n, threshold, ties, columns, values, at, at + k)
