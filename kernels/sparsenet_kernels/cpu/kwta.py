"""k-winners-take-all: exactly k winners, the lowest index wins a tie.

Values are ranked as int32 keys that compare as the float32 do. A key that exactly k others reach is found by halving
an interval of keys, which is an interval of exponents and mantissas: mostly a few passes over the keys suffice, and
only ties make the search go to the end. It takes the same steps for any k. Where few win among the channels of many
positions, sorting networks are faster: see :mod:`sparsenet_kernels.cpu.kwta_lanes`. Among many numbers, it is better
guessed where the key lies: see :mod:`sparsenet_kernels.cpu.kwta_global`.
"""

import numpy as np

from sparsenet_kernels.cpu.kwta_global import write_k_largest
from sparsenet_kernels.cpu.kwta_keys import LOWEST_KEY, count_reaching, order_key, write_keys, write_winners
from sparsenet_kernels.cpu.kwta_lanes import fits_lanes, write_largest, write_reaching
from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import greater, greater_equal, largest_lane, load, maximum, popcount, splat

MANY = 512
"""Numbers in a row from which on guesses pay: 0.32 against 0.30 µs for 512 of them, 0.38 against 0.57 with ties."""


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


@helper
def kth_largest_of_four(keys, width, n, k, thresholds):
    """Do for four rows of keys what :func:`kth_largest` does for one; ``thresholds`` gets the four keys.

    A search waits for one count after the other; four of them side by side wait together.
    """
    low_a = low_b = low_c = low_d = np.int64(LOWEST_KEY)
    high_a, high_b = largest_key(keys, 0, n) + 1, largest_key(keys, width, n) + 1
    high_c, high_d = largest_key(keys, 2 * width, n) + 1, largest_key(keys, 3 * width, n) + 1
    a, b, c, d = first_candidate(high_a), first_candidate(high_b), first_candidate(high_c), first_candidate(high_d)
    while max(high_a - low_a, high_b - low_b, high_c - low_c, high_d - low_d) > 1:
        want_a, want_b, want_c, want_d = splat(np.int32(a)), splat(np.int32(b)), splat(np.int32(c)), splat(np.int32(d))
        count_a = count_b = count_c = count_d = 0
        for j in range(0, n, 16):
            count_a += popcount(greater_equal(load(keys, j), want_a))
            count_b += popcount(greater_equal(load(keys, width + j), want_b))
            count_c += popcount(greater_equal(load(keys, 2 * width + j), want_c))
            count_d += popcount(greater_equal(load(keys, 3 * width + j), want_d))
        low_a, high_a = narrowed(low_a, high_a, a, count_a, k)
        low_b, high_b = narrowed(low_b, high_b, b, count_b, k)
        low_c, high_c = narrowed(low_c, high_c, c, count_c, k)
        low_d, high_d = narrowed(low_d, high_d, d, count_d, k)
        a, b, c, d = (low_a + high_a) >> 1, (low_b + high_b) >> 1, (low_c + high_c) >> 1, (low_d + high_d) >> 1
    thresholds[0], thresholds[1] = np.int32(low_a), np.int32(low_b)
    thresholds[2], thresholds[3] = np.int32(low_c), np.int32(low_d)


@helper
def write_rows_in_lanes(x, first, factor, keys, largest, columns, values):
    """List the winners of 16 neighbouring rows."""
    channels, k = x.shape[2], columns.shape[2]
    write_largest(x, first * channels, channels, factor, largest)
    limits = largest[k - 1]
    tied = write_reaching(x, first, factor, limits, columns, values)
    i = 0
    while tied != 0:
        if tied & 1:
            row, limit = first + i, order_key(limits[i])
            write_keys(x, row * channels, channels, factor, keys, 0)
            write_winners(x, row * channels, keys, 0, channels, k, limit, columns, values, row * k)
        tied >>= 1
        i += 1


@kernel(
    "kwta",
    arguments="""
        x f32[B, R, C]; factor f32[C]; keys i32[W, C16]; thresholds i32[4]; largest f32[8, 16]; columns i32[B, R, K];
        values f32[B, R, K]
    """,
)
def kwta_f32(x, factor, keys, thresholds, largest, columns, values):
    """Select the K largest of the C values at each position and list them.

    x           (B, R, C)  f32  finite
    factor      (C,)       f32  positive; values are ranked by x * factor
    keys        (W, C16)   i32  scratch, C rounded up to a multiple of 16; four rows are searched together where W >= 4
    thresholds  (4,)       i32  scratch
    largest     (8, 16)    f32  scratch
    columns     (B, R, K)  i32  overwritten: the winners' channels, rising; K <= C
    values      (B, R, K)  f32  overwritten: their values, unchanged

    Work    about 7 passes over C int32 keys a position. Setting the key's bits from the top down took twice as many.
            Up to eight winners at 16 or more positions of whole eights of channels take 39 comparisons of vectors for
            16 positions and eight channels: 3.3 instead of 7.7 µs for 6 of 64 at 196 positions. 150 of 1500 numbers
            take about 3 passes: 0.58 instead of 0.77 µs, 0.96 instead of 1.41 with many ties; 1.4 instead of 1.0 where
            a few numbers dwarf all others (Cauchy).
    """
    samples, positions, channels = x.shape
    together, width = keys.shape
    rows, k = samples * positions, columns.shape[2]
    if k == 0:
        return
    row = 0
    if fits_lanes(rows, channels, k):
        for block in range(0, rows, 16):
            first = min(block, rows - 16)  # the last block overlaps its neighbour
            write_rows_in_lanes(x, first, factor, keys, largest, columns, values)
        row = rows
    elif channels >= MANY:
        write_k_largest(x, factor, keys, columns, values)
        row = rows
    while row < rows:
        count = 4 if together >= 4 and row + 4 <= rows else 1
        for i in range(count):
            write_keys(x, (row + i) * channels, channels, factor, keys, i * width)
        if count == 4:
            kth_largest_of_four(keys, width, channels, k, thresholds)
        else:
            thresholds[0] = kth_largest(keys, 0, channels, k)
        for i in range(count):
            start, at = (row + i) * channels, (row + i) * k
            write_winners(x, start, keys, i * width, channels, k, thresholds[i], columns, values, at)
        row += count


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
        _keep_ties(x, b, keys, threshold, ties, out)


@helper
def _keep_ties(x, b, keys, threshold, ties, out):
    _, positions, channels = x.shape
    for c in range(channels):
        for p in range(positions):
            if ties > 0 and keys[p * channels + c] == threshold:
                out[b, p, c] = x[b, p, c]
                ties -= 1
