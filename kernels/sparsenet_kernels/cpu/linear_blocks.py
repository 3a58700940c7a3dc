"""Matrix times vector with blocks of one input by 16 outputs: both sparsities, and whole vectors all the same."""

from sparsenet_kernels.jit import compiled, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import load, load_first, multiply_add, splat, store, store_first


@compiled
def add_blocks(sums, place, value, offsets, weights, first, end):
    """Add ``value`` times the blocks ``first`` to ``end``, each at its offset from a place in the sums.

    Nearly all of the time goes into getting the weights and into sums that were stored shortly before: walking four
    blocks at a time gained nothing, and listing all blocks first, so that no branch depends on the length of a run,
    took 1.76 µs instead of 1.30 (1600 x 1500 at 5 %, 200 active, runs of equal length; 1.61 instead of 2.19 where
    lengths differ, 14.7 instead of 11.2 for 4096 x 4096).
    """
    scale = splat(value)
    for z in range(index(first), index(end)):
        at = place + offsets[z]
        store(sums, at, multiply_add(scale, load(weights, z * index(16)), load(sums, at)))


@kernel(
    "linear",
    weights="blocks",
    inputs="active",
    arguments="""
        columns i32[B, K]; values f32[B, K]; indptr i32[D1]; starts i32[Z]; weights f32[Z, 16]; bias f32[N];
        sums f32[N16]; out f32[B, N]
    """,
)
def linear_f32_blocks_active(columns, values, indptr, starts, weights, bias, sums, out):
    """Add, for each active input, its blocks of 16 weights to the outputs they belong to.

        out[b, starts[z] + i] = bias + sum over j, z of values[b, j] * weights[z, i],
        z in indptr[d]:indptr[d + 1], d = columns[b, j]

    columns  (B, K)   i32  0 <= columns < D; -1 ends a short row
    values   (B, K)   f32
    indptr   (D1,)    i32  D1 = D + 1; blocks of column d are indptr[d]:indptr[d + 1]
    starts   (Z,)     i32  the first output of a block, a multiple of 16 below N
    weights  (Z, 16)  f32  zeros behind the last output
    bias     (N,)     f32
    sums     (N16,)   f32  scratch, N rounded up to a multiple of 16
    out      (B, N)   f32  overwritten

    How the weights and the sums lie to each other modulo 4096 bytes makes up to a third of a difference: a load waits
    for an earlier store whose last 12 bits of the address are its own.

    Work    2 * K * 16 * Z / D flop per sample: both sparsities multiply, save for zeros inside of blocks.
    """
    outputs = out.shape[1]
    for b in range(columns.shape[0]):
        for n in range(0, outputs, 16):
            store(sums, n, load_first(bias, n, outputs - n, 0.0))
        for j in range(columns.shape[1]):
            d = columns[b, j]
            if d < 0:
                break
            add_blocks(sums, 0, values[b, j], starts, weights, indptr[index(d)], indptr[index(d) + index(1)])
        for n in range(0, outputs, 16):
            store_first(out, b * outputs + n, load(sums, n), outputs - n)
