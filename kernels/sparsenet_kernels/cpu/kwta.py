"""k-winners-take-all: exactly k winners, the lowest index wins a tie.

Values are ranked as int32 keys that compare as the float32 do. The k-th largest key is found bit by bit from the top:
a bit belongs to it when at least k keys reach the candidate with that bit set. Mostly the search ends early, when
exactly k keys reach the candidate. It has no data-dependent inner branches and costs the same for any k.
"""

import numpy as np

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import (
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


@compiled
def write_keys(x, start, n, factor, keys):
    """Write the ranking keys of ``x.ravel()[start : start + n] * factor``, filled up to whole vectors."""
    for j in range(0, n, 16):
        count = min(16, n - j)
        ranks = multiply(load_first(x, start + j, count, 0.0), load_first(factor, j, count, 0.0))
        store(keys, j, splat(LOWEST_KEY))
        store_first(keys, j, order_keys(ranks), count)


@compiled
def count_reaching(keys, n, candidate):
    """Count the keys of at least ``candidate``."""
    wanted = splat(candidate)
    count = 0
    for j in range(0, n, 16):
        count += popcount(greater_equal(load(keys, j), wanted))
    return count


@compiled
def kth_largest(keys, n, k):
    """Find a key that exactly k others reach, or the k-th largest where ties leave none; 0 < k <= n."""
    threshold = np.int32(LOWEST_KEY)
    for bit in range(31, -1, -1):
        candidate = np.int32(0) if bit == 31 else np.int32(threshold | np.int32(1 << bit))
        count = count_reaching(keys, n, candidate)
        if count >= k:
            threshold = candidate
            if count == k:
                break
    return threshold


@compiled
def lowest_set(mask, count):
    """Keep the ``count`` lowest set bits of a mask."""
    kept = np.uint16(0)
    while count > 0 and mask != 0:
        lowest = np.uint16(mask & np.uint16(-np.int32(mask)))
        kept = np.uint16(kept | lowest)
        mask = np.uint16(mask ^ lowest)
        count -= 1
    return kept


@compiled
def write_winners(x, start, keys, n, k, threshold, columns, values, at):
    """Append the winners of one row to the lists, in rising order of their columns."""
    limit = splat(threshold)
    ties = k
    for j in range(0, n, 16):
        ties -= popcount(greater(load(keys, j), limit))
    for j in range(0, n, 16):
        key = load(keys, j)
        reaching = greater_equal(key, limit)
        above = greater(key, limit)
        equal = np.uint16(reaching ^ above)
        if popcount(equal) > ties:
            equal = lowest_set(equal, ties)
        ties -= popcount(equal)
        winners = np.uint16(above | equal)
        found = popcount(winners)
        store_first(columns, at, compress(lanes_from(j), winners), found)
        store_first(values, at, compress(load_first(x, start + j, min(16, n - j), 0.0), winners), found)
        at += found


@kernel("kwta", arguments="x f32[B, R, C]; factor f32[C]; keys i32[C16]; columns i32[B, R, K]; values f32[B, R, K]")
def kwta_f32(x, factor, keys, columns, values):
    """Select the K largest of the C values at each position and list them.

    x        (B, R, C)  f32  finite
    factor   (C,)       f32  positive; values are ranked by x * factor
    keys     (C16,)     i32  scratch, C rounded up to a multiple of 16
    columns  (B, R, K)  i32  overwritten: the winners' channels, rising; K <= C
    values   (B, R, K)  f32  overwritten: their values, unchanged

    Work    about 15 passes over C int32 keys a position.
    Source  the selection rule: DESIGN of this project, section 6; bitwise search: radix selection, Knuth 5.2.2.
    """
    samples, positions, channels = x.shape
    k = columns.shape[2]
    if k == 0:
        return
    for row in range(samples * positions):
        write_keys(x, row * channels, channels, factor, keys)
        threshold = kth_largest(keys, channels, k)
        write_winners(x, row * channels, keys, channels, k, threshold, columns, values, row * k)


@kernel("kwta_map", arguments="x f32[B, R, C]; factor f32[RC]; keys i32[RC16]; k int; out f32[B, R, C]")
def kwta_map_f32(x, factor, keys, k, out):
    """Keep the k largest of all R * C values of a sample, set the others to zero.

    x       (B, R, C)  f32  finite
    factor  (RC,)      f32  positive, in the order of memory; values are ranked by x * factor
    keys    (RC16,)    i32  scratch, R * C rounded up to a multiple of 16
    k       int             0 <= k <= R * C
    out     (B, R, C)  f32  overwritten

    Of tied values the one with the lowest index in (C, R) order wins, as the network's meaning has it, although memory
    is in (R, C) order: ties are rare, so they are settled one by one.

    Work    about 15 passes over R * C int32 keys.
    """
    samples, positions, channels = x.shape
    n = positions * channels
    for b in range(samples):
        write_keys(x, b * n, n, factor, keys)
        if k == 0:
            out[b] = 0.0
            continue
        threshold = kth_largest(keys, n, k)
        ties = k
        for j in range(0, n, 16):
            ties -= popcount(greater(load(keys, j), splat(threshold)))
        for p in range(positions):
            for c in range(channels):
                out[b, p, c] = x[b, p, c] if keys[p * channels + c] > threshold else np.float32(0.0)
        _keep_ties(x, b, keys, threshold, ties, out)


@compiled
def _keep_ties(x, b, keys, threshold, ties, out):
    _, positions, channels = x.shape
    for c in range(channels):
        for p in range(positions):
            if ties > 0 and keys[p * channels + c] == threshold:
                out[b, p, c] = x[b, p, c]
                ties -= 1
