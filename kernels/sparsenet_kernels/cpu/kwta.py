"""k-winners-take-all: exactly k winners, the lowest index wins a tie.

Values are ranked as int32 keys that compare as the float32 do. A key that exactly k others reach is found by halving
an interval of keys, which is an interval of exponents and mantissas: mostly a few passes over the keys suffice, and
only ties make the search go to the end. It takes the same steps for any k. Among many numbers, it is better guessed
where the key lies: see :mod:`sparsenet_kernels.cpu.kwta_global`. For the channels of several positions, networks of
comparisons are faster: see :mod:`sparsenet_kernels.cpu.kwta_lanes`.
"""

import numpy as np

from sparsenet_kernels.cpu.kwta_exact import is_boosted, keep_exactly, write_exactly
from sparsenet_kernels.cpu.kwta_global import write_k_largest
from sparsenet_kernels.cpu.kwta_keys import LOWEST_KEY, count_reaching, write_first_tied, write_keys, write_reaching
from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import greater, largest_lane, load, maximum, popcount, splat

MANY = 128
"""Numbers in a row from which on guesses pay: 196 rows of 128 take 24 instead of 33 µs, one of 300 takes as long."""


@helper
def largest_key(keys, place, n):
    """Return the largest key of a row."""
    best = load(keys, place)
    for j in range(16, n, 16):
        best = maximum(load(keys, place + j), best)
    return np.int64(largest_lane(best))


@helper
def narrowed(low, high, candidate, count, k):
    """Halve the interval: at least k keys reach ``low``, fewer reach ``high``; it is closed when exactly k do."""
    if count == k:
        return candidate, candidate + 1
    return (candidate, high) if count > k else (low, candidate)


@helper
def first_candidate(top):
    """Begin two powers of two below the largest value, where the few winners of many values often end."""
    return max(top - np.int64(2 << 23), np.int64(LOWEST_KEY))


@helper
def kth_largest(keys, place, n, k):
    """Find a key that exactly k keys reach, or the k-th largest where ties leave none; 0 < k <= n."""
    low, high = np.int64(LOWEST_KEY), largest_key(keys, place, n) + 1
    candidate = first_candidate(high)
    while high - low > 1:
        low, high = narrowed(low, high, candidate, count_reaching(keys, place, n, np.int32(candidate)), k)
        candidate = (low + high) >> 1
    return np.int32(low)


@kernel(
    "kwta",
    reference="k_winners",
    arguments="""
        in x f32[B, R, C]; constant factor f32[C]; scratch keys i32[C16]; out columns i32[B, R, K];
        out values f32[B, R, K]
    """,
)
def kwta_f32(x, factor, keys, columns, values):
    """Select the K largest of the C values at each position and list them, one position after the other.

    x        (B, R, C)  f32  NaN ranks by its sign and bits
    factor   (C,)       f32  positive; values are ranked by x * factor
    keys     (C16,)     i32  scratch, C rounded up to a multiple of 16
    columns  (B, R, K)  i32  overwritten: the winners' channels, rising; K <= C
    values   (B, R, K)  f32  overwritten: their values, unchanged

    Work     about 7 passes over C int32 keys a position; setting the key's bits from the top down took twice as many.
             150 of 1500 numbers take about 3: 0.58 instead of 0.77 µs, 0.96 instead of 1.41 with many ties; 1.4 instead
             of 1.0 where a few numbers dwarf all others (Cauchy).
    """
    samples, positions, channels = x.shape
    rows, k = samples * positions, columns.shape[2]
    if k == 0:
        return
    if channels >= MANY:
        write_k_largest(x, factor, keys, columns, values)
        return
    for row in range(rows):
        start = row * channels
        write_keys(x, start, channels, factor, keys, 0)
        threshold = kth_largest(keys, 0, channels, k)
        if count_reaching(keys, 0, channels, threshold) == k:
            write_reaching(x, start, keys, 0, channels, threshold, columns, values, row * k, row * k + k)
        elif is_boosted(factor):
            write_exactly(x, row, factor, k, threshold, columns, values)
        else:
            write_first_tied(x, start, keys, 0, channels, k, threshold, columns, values, row * k)


@kernel(
    "kwta_map",
    reference="k_winners_all",
    arguments="""
        in x f32[B, R, C]; constant factor f32[RC]; scratch keys i32[RC16]; constant k int; out out f32[B, R, C]
    """,
)
def kwta_map_f32(x, factor, keys, k, out):
    """Keep the k largest of all R * C values of a sample, set the others to zero.

    x       (B, R, C)  f32  NaN ranks by its sign and bits
    factor  (RC,)      f32  positive, in the order of memory; values are ranked by x * factor
    keys    (RC16,)    i32  scratch, R * C rounded up to a multiple of 16
    k       int             0 <= k <= R * C
    out     (B, R, C)  f32  overwritten

    Of tied values the one with the lowest index in (C, R) order wins, as the network's meaning has it, although memory
    is in (R, C) order: ties are rare, so they are settled one by one.

    Work    about 12 passes over R * C int32 keys.
    """
    samples, positions, channels = x.shape
    n = positions * channels
    for b in range(samples):
        write_keys(x, b * n, n, factor, keys, 0)
        if k == 0:
            out[b, :, :] = 0.0
            continue
        threshold = kth_largest(keys, 0, n, k)
        ties = k
        for j in range(0, n, 16):
            ties -= popcount(greater(load(keys, j), splat(threshold)))
        for p in range(positions):
            for c in range(channels):
                out[b, p, c] = x[b, p, c] if keys[p * channels + c] > threshold else np.float32(0.0)
        if count_reaching(keys, 0, n, threshold) != k and is_boosted(factor):
            keep_exactly(x, b, factor, threshold, k, out)
        else:
            _keep_ties(x, b, keys, threshold, ties, out)


@helper
def _keep_ties(x, b, keys, threshold, ties, out):
    _, positions, channels = x.shape
    for c in range(channels):
        for p in range(positions):
            if ties > 0 and keys[p * channels + c] == threshold:
                out[b, p, c] = x[b, p, c]
                ties -= 1
