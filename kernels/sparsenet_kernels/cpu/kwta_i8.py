"""k-winners-take-all among bytes: exactly k winners, the lowest index wins a tie."""

from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.bytes import (
    above_u8,
    load_u8,
    lowest_bits,
    popcount64,
    reaching_u8,
    select_u8,
    splat_u8,
    store_u8,
)
from sparsenet_kernels.simd.winners import GROUPS, store_winners


@helper
def count_reaching_bytes(x, start, n, limit):
    """Count the bytes of ``x.ravel()[start : start + n]`` of at least ``limit``."""
    wanted = splat_u8(limit)
    count = 0
    for j in range(start, start + n, 64):
        count += popcount64(reaching_u8(load_u8(x, j), wanted))
    return count


@helper
def kth_largest_byte(x, start, n, k):
    """Return the k-th largest of n bytes, or 0 where k > n: its bits are found from the top down."""
    limit = 0
    for bit in range(7, -1, -1):
        # the bit belongs to the limit if k bytes still reach it with the bit set
        candidate = limit | (1 << bit)
        if count_reaching_bytes(x, start, n, candidate) >= k:
            limit = candidate
    return limit


@helper
def keep_winning_bytes(x, start, n, k, out):
    """Write n bytes with only their k winners kept, the others zero."""
    limit = splat_u8(kth_largest_byte(x, start, n, k))
    # k less those above the limit: so many of the bytes that equal it win
    ties = k
    for j in range(start, start + n, 64):
        ties -= popcount64(above_u8(load_u8(x, j), limit))
    for j in range(start, start + n, 64):
        # those above, and of the equal ones the first that are left: the lowest set bits of their mask
        value = load_u8(x, j)
        above = above_u8(value, limit)
        equal = lowest_bits(reaching_u8(value, limit) ^ above, ties)
        ties -= popcount64(equal)
        store_u8(out, j, select_u8(above | equal, value, splat_u8(0)))


@helper
def clear_bytes(out):
    """Set all bytes to zero."""
    for j in range(0, out.size, 64):
        store_u8(out, j, splat_u8(0))


@kernel("kwta", dtype="i8", reference="k_winners_i8", arguments="in x u8[B, R, C]; constant k int; out out u8[B, R, C]")
def kwta_i8(x, k, out):
    """Keep the k largest of the C bytes at each position, set the others to zero; the lowest channel wins a tie.

        out[b, r, c] = x[b, r, c] if it is among the k winners of x[b, r], else 0

    x    (B, R, C)  u8  C a multiple of 64
    k    int            k >= 0; k >= C keeps everything
    out  (B, R, C)  u8  overwritten; may be x

    With 64 channels, eight positions at a time, without branches; the last eight overlap their neighbours, which keeps
    winners winners. More channels are searched position by position.

    Work    about 60 vector operations for eight positions of 64 channels; otherwise 8 passes over C bytes a position.
    """
    samples, positions, channels = x.shape
    rows = samples * positions
    if k <= 0:
        clear_bytes(out)
    # one register holds a position: eight of them are searched side by side
    elif channels == 64 and rows >= GROUPS:
        for row in range(0, rows, GROUPS):
            store_winners(x, min(row, rows - GROUPS) * 64, min(k, 64), out)
    else:
        for row in range(rows):
            keep_winning_bytes(x, row * channels, channels, min(k, channels), out)
