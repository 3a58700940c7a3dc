"""Winners among the channels of several positions: one position in each lane.

Sorting networks keep the largest numbers of 16 positions at a time, without a branch (see
:mod:`sparsenet_kernels.simd.sorted_lanes`): the next eight or 16 channels are sorted and merged into them. Then each
position compares its channels with its k-th largest.
"""

import numpy as np

from sparsenet_kernels.cpu.kwta_exact import is_boosted, write_exactly
from sparsenet_kernels.cpu.kwta_keys import order_key
from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import load, maximum, minimum, splat, store
from sparsenet_kernels.simd.set_bits import exceeding64, list_set_bits, popcount64, reaching64
from sparsenet_kernels.simd.sorted_lanes import put_in_order, ranks_in_lanes, run_at, sorted_largest, sorted_run
from sparsenet_kernels.simd.tile import tile_store_all

EVERY = np.uint64(2**64 - 1)


@helper
def merge_sixteen(ranks, length):
    """Merge a run of 16 vectors into the run of the ``length`` largest, behind which it lies."""
    if length == 16:
        # both runs fit into 32 registers
        tile_store_all(sorted_largest(run_at(16, ranks, 0), run_at(16, ranks, 256)), ranks, 0)
        return
    # the larger of mirrored pairs are the largest of both; each lane then falls and rises again
    for i in range(16):
        at = 16 * (length - 1 - i)
        store(ranks, at, maximum(load(ranks, at), load(ranks, 16 * (length + i))))
    # that is sorted by halves: pairs that lie far apart in memory, then sixteen vectors in registers
    step = length // 2
    while step >= 16:
        for block in range(0, length, 2 * step):
            for i in range(block, block + step):
                put_in_order(ranks, 16 * i, 16 * (i + step))
        step //= 2
    for i in range(0, length, 16):
        tile_store_all(sorted_run(run_at(16, ranks, 16 * i)), ranks, 16 * i)


@helper
def kth_of_both(ranks, k, length):
    """Return each lane's k-th largest number of a run of k or more and of the 16 behind its ``length``.

    It is the largest of what is left when i of k come from the second: the smaller of both runs' last.
    """
    # none of the second run, or i of it: a candidate each, of which the largest counts
    limit = load(ranks, 16 * (k - 1))
    for i in range(1, min(k - 1, 16) + 1):
        limit = maximum(limit, minimum(load(ranks, 16 * (k - 1 - i)), load(ranks, 16 * (length + i - 1))))
    if k <= 16:
        limit = maximum(limit, load(ranks, 16 * (length + k - 1)))
    return limit


@helper
def kth_by_eights(x, start, last, factor, k, ranks):
    """Return the k-th largest rank of each of 16 neighbouring rows; 0 < k <= 8."""
    channels = x.shape[2]
    # eight registers: the largest eight so far of 16 rows, a row in each lane
    best = ranks_in_lanes(8, x, start, channels, last, factor, 0)
    for c in range(8, channels, 8):
        best = sorted_largest(best, ranks_in_lanes(8, x, start, channels, last, factor, c))
    tile_store_all(best, ranks, 0)
    return load(ranks, 16 * (k - 1))


@helper
def kth_by_sixteens(x, start, last, factor, k, ranks):
    """Return the k-th largest rank of each of 16 neighbouring rows; k > 0."""
    channels, length = x.shape[2], 16
    while length < k:
        length += length
    # the run of the largest begins with 16 columns; its other vectors with what never wins
    for i in range(16, length):
        store(ranks, 16 * i, splat(np.float32(-np.inf)))
    for c in range(0, channels, 16):
        # the next 16 columns are sorted behind the run
        run = 0 if c == 0 else length
        tile_store_all(ranks_in_lanes(16, x, start, channels, last, factor, c), ranks, 16 * run)
        # the last sixteen stay where they are: the k-th of both runs needs no merging
        if 0 < c < channels - 16:
            merge_sixteen(ranks, length)
    return load(ranks, 16 * (k - 1)) if channels <= 16 else kth_of_both(ranks, k, length)


@helper
def write_limits(x, first, count, factor, k, ranks, limits):
    """Write the k-th largest rank of each of ``count`` neighbouring rows, 16 at a time."""
    channels = x.shape[2]
    for block in range(0, count, 16):
        start, last = (first + block) * channels, count - 1 - block
        # the network for eight keeps everything in registers, the other its run in memory
        if k <= 8:
            limit = kth_by_eights(x, start, last, factor, k, ranks)
        else:
            limit = kth_by_sixteens(x, start, last, factor, k, ranks)
        store(limits, block, limit)


@helper
def list_reaching(x, start, j, there, factor, limit, columns, values, at, left):
    """List the first ``left`` of up to 64 channels from ``j`` on that reach a limit; return how many are left."""
    # 64 comparisons make a mask; its set bits are the channels, in order
    mask = reaching64(x, start + j, factor, j, limit, there)
    found = popcount64(mask)
    list_set_bits(mask, x, start + j, j, there, columns, values, at - left, min(found, max(left, 0)))
    return left - found


@helper
def list_rows_of_64(x, first, count, factor, limits, columns, values):
    """Do for rows of 64 channels what :func:`list_rows` does: without AVX-512, 4.5 instead of 5.2 µs for the kernel."""
    k, uneven = columns.shape[2], np.uint64(0)
    for i in range(count):
        row = first + i
        mask = reaching64(x, row * 64, factor, 0, splat(limits[index(i)]), 64)
        list_set_bits(mask, x, row * 64, 0, 64, columns, values, row * k, k)
        uneven |= np.uint64(popcount64(mask) != k) << np.uint64(i)
    return uneven


@helper
def list_rows(x, first, count, factor, limits, columns, values):
    """List the first channels of each row that reach its limit; return the rows where not just k do, as bits.

    More do where ranks tie. Fewer may where one is NaN: comparisons with it are false, so that the networks may lose a
    rank, and the limit is any of them, or NaN itself.
    """
    channels, k, uneven = x.shape[2], columns.shape[2], np.uint64(0)
    whole, rest = channels // 64 * 64, channels % 64
    for i in range(count):
        start, end, left = (first + i) * channels, (first + i + 1) * k, k
        limit = splat(limits[index(i)])
        for j in range(0, whole, 64):
            left = list_reaching(x, start, j, 64, factor, limit, columns, values, end, left)
        if rest > 0:
            left = list_reaching(x, start, whole, rest, factor, limit, columns, values, end, left)
        uneven |= np.uint64(left != 0) << np.uint64(i)
    return uneven


@helper
def first_set(mask, count):
    """Keep the ``count`` lowest set bits of a mask of 64."""
    kept = np.uint64(0)
    while count > 0 and mask != 0:
        above = mask & (mask - np.uint64(1))
        kept |= mask ^ above
        mask = above
        count -= 1
    return kept


@helper
def count_against(x, start, factor, limit):
    """Count the channels of a row that exceed a limit, and those that reach it."""
    channels, exceeded, reached = x.shape[2], 0, 0
    for j in range(0, channels, 64):
        exceeded += popcount64(exceeding64(x, start + j, factor, j, limit, channels - j))
        reached += popcount64(reaching64(x, start + j, factor, j, limit, channels - j))
    return exceeded, reached


@helper
def list_uneven_row(x, row, factor, limit, columns, values):
    """List the channels of a row that exceed its limit, and the first of those that equal it.

    Where a rank is NaN, the limit may be too high, then the first of those below it win, too; or too low, then only
    the first of those above it do. So it is always k that win.
    """
    channels, k = x.shape[2], columns.shape[2]
    start, at = row * channels, row * k
    exceeded, reached = count_against(x, start, factor, limit)
    too_low, too_high = exceeded > k, reached < k
    left = k if too_low else k - reached if too_high else k - exceeded
    for j in range(0, channels, 64):
        there = channels - j
        # sure are those above the limit, possible those that equal it, of which the first win
        above = exceeding64(x, start + j, factor, j, limit, there)
        reaching = reaching64(x, start + j, factor, j, limit, there)
        sure = np.uint64(0) if too_low else reaching if too_high else above
        possible = above if too_low else EVERY >> np.uint64(64 - min(there, 64)) if too_high else reaching
        chosen = first_set(possible ^ sure, left)
        left -= popcount64(chosen)
        listed = popcount64(sure | chosen)
        list_set_bits(sure | chosen, x, start + j, j, there, columns, values, at, listed)
        at += listed


@kernel(
    "kwta",
    variant="lanes",
    reference="k_winners",
    arguments="""
        in x f32[B, R, C]; constant factor f32[C]; scratch ranks f32[80, 16]; scratch limits f32[64];
        out columns i32[B, R, K]; out values f32[B, R, K]
    """,
)
def kwta_f32__lanes(x, factor, ranks, limits, columns, values):
    """Select the K largest of the C values at each position and list them, 16 positions at a time.

    x        (B, R, C)  f32  C >= 8; NaN may win or lose
    factor   (C,)       f32  positive; values are ranked by x * factor
    ranks    (80, 16)   f32  scratch
    limits   (64,)      f32  scratch
    columns  (B, R, K)  i32  overwritten: the winners' channels, rising; K <= C, K <= 64
    values   (B, R, K)  f32  overwritten: their values, unchanged

    Work     For 16 positions and 64 channels about 800 instructions on vectors for up to eight winners, 1000 for up to
             16: 320 bring positions into lanes, the others compare. 3.4, 4.1 and 5.8 µs for 8, 12 and 24 of 64 at 196
             positions, of which listing takes 1.5. Searching four rows of keys side by side took 11 for 12 of 64.
             The smaller of two as a ^ b ^ larger took 28 instead of 19 ns to sort 16 vectors.
    Source   Batcher: "Sorting networks and their applications" (1968).
    """
    samples, positions, channels = x.shape
    rows, k = samples * positions, columns.shape[2]
    if k == 0:
        return
    for first in range(0, rows, 64):
        # limits of 64 rows before any is listed: the end of one search overlaps with the next (1 of 5.4 µs)
        count = min(rows - first, 64)
        write_limits(x, first, count, factor, k, ranks, limits)
        if channels == 64:
            uneven = list_rows_of_64(x, first, count, factor, limits, columns, values)
        else:
            uneven = list_rows(x, first, count, factor, limits, columns, values)
        i = 0
        while uneven != 0:
            if uneven & np.uint64(1) and is_boosted(factor):
                write_exactly(x, first + i, factor, k, order_key(limits[index(i)]), columns, values)
            elif uneven & np.uint64(1):
                list_uneven_row(x, first + i, factor, splat(limits[index(i)]), columns, values)
            uneven >>= np.uint64(1)
            i += 1
