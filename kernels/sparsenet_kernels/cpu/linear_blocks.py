"""Matrix times vector with blocks of one input by 16 outputs: both sparsities, and whole vectors all the same."""

from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import load, load_first, multiply_add, prefetch, splat, store, store_first

AHEAD = 6
"""How many active inputs ahead weights are fetched: 3 to 8 made no difference."""


@helper
def fetch_run(weights, first):
    """Begin to fetch a run of blocks; four lines suffice, the processor guesses the rest.

    Fetching all of a run's 13 lines took 11.0 instead of 10.2 µs (4096 x 4096, 5 %, 410 active; 11.1 without).
    """
    for line in range(4):
        prefetch(weights, (first + index(line)) * index(16))


def _add_blocks(size):
    """Make the inner loop for tiles of ``size`` bytes.

    Nearly all of its time goes into getting the weights and into sums that were stored shortly before. Walking four
    blocks at a time gained nothing, and listing all blocks first, so that no branch depends on the length of a run,
    took 1.76 µs instead of 1.30 (1600 x 1500 at 5 %, 200 active, runs of equal length; 1.61 instead of 2.19 where
    lengths differ, 14.7 instead of 11.2 for 4096 x 4096). One loop that looks at the size took 1.05 instead of 0.55.
    """

    @helper
    def add_blocks(sums, place, value, tiles, weights, first, end):
        scale = splat(value)
        for z in range(index(first), index(end)):
            # which 16 outputs: a number in one, two or four bytes, read before the sums it leads to
            tile = index(tiles[z, 0])
            if size > 1:
                tile |= index(tiles[z, 1]) << index(8)
            if size > 2:
                tile |= index(tiles[z, 2]) << index(16) | index(tiles[z, 3]) << index(24)
            at = place + tile * index(16)
            store(sums, at, multiply_add(scale, load(weights, z * index(16)), load(sums, at)))

    return add_blocks


add_near, add_far, add_farthest = _add_blocks(1), _add_blocks(2), _add_blocks(4)


@helper
def add_active(columns, values, b, indptr, tiles, weights, sums, place):
    """Add the blocks of all active inputs of a sample.

    Looking ahead reads beyond the end of a short list, where anything may lie, so its columns are clipped.
    """
    width, inputs = columns.shape[1], indptr.shape[0] - 1
    for j in range(width):
        d = columns[b, j]
        if d < 0:
            break
        # the weights of a later input are on their way while this one's are added
        later = columns[b, min(j + AHEAD, width - 1)]
        fetch_run(weights, index(indptr[index(min(max(later, 0), inputs))]))
        first, end = indptr[index(d)], indptr[index(d) + index(1)]
        if tiles.shape[1] == 1:
            add_near(sums, place, values[b, j], tiles, weights, first, end)
        elif tiles.shape[1] == 2:
            add_far(sums, place, values[b, j], tiles, weights, first, end)
        else:
            add_farthest(sums, place, values[b, j], tiles, weights, first, end)


@kernel(
    "linear",
    weights="blocks",
    inputs="active",
    arguments="""
        in columns i32[B, K]; in values f32[B, K]; index indptr i32[D1]; index tiles u8[Z, T];
        weight weights f32[Z, 16]; constant bias f32[N]; scratch sums f32[N16]; out out f32[B, N]
    """,
)
def linear_f32_blocks_active(columns, values, indptr, tiles, weights, bias, sums, out):
    """Add, for each active input, its blocks of 16 weights to the outputs they belong to.

        out[b, 16 * tile[z] + i] = bias + sum over j, z of values[b, j] * weights[z, i],
        z in indptr[d]:indptr[d + 1], d = columns[b, j]

    columns  (B, K)   i32  0 <= columns < D; -1 ends a short row
    values   (B, K)   f32
    indptr   (D1,)    i32  D1 = D + 1; blocks of column d are indptr[d]:indptr[d + 1]
    tiles    (Z, T)   u8   which 16 outputs a block has: tile[z] in T = 1, 2 or 4 bytes, the lowest first
    weights  (Z, 16)  f32  zeros behind the last output
    bias     (N,)     f32
    sums     (N16,)   f32  scratch, N rounded up to a multiple of 16; not used where N is one
    out      (B, N)   f32  overwritten

    How the weights and the sums lie to each other modulo 4096 bytes makes up to a third of a difference: a load waits
    for an earlier store whose last 12 bits of the address are its own. Keeping the two in different halves of each
    page ended that, and took 15.2 instead of 11.8 µs at 4096 x 4096: twice as many pages.

    Work    2 * K * 16 * Z / D flop per sample: both sparsities multiply, save for zeros inside of blocks. Where all
            weights exceed the second-level cache, the third's 30 to 45 GB/s are the limit, so every byte counts: tiles
            in bytes instead of 32 bits made 10.6 µs of 11.9, fetching ahead 9.8.
    """
    outputs = out.shape[1]
    for b in range(columns.shape[0]):
        if outputs % 16 == 0:
            for n in range(0, outputs, 16):
                # whole vectors of outputs: they are added up where they belong
                store(out, b * outputs + n, load(bias, n))
            add_active(columns, values, b, indptr, tiles, weights, out, index(b) * index(outputs))
        else:
            for n in range(0, outputs, 16):
                # in scratch, because the last vector would reach into the next sample
                store(sums, n, load_first(bias, n, outputs - n, 0.0))
            add_active(columns, values, b, indptr, tiles, weights, sums, index(0))
            for n in range(0, outputs, 16):
                store_first(out, b * outputs + n, load(sums, n), outputs - n)
