"""Matrix times vector with blocks of one input by 16 outputs, for inputs that need not have zeros."""

import numpy as np

from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import add, load, multiply_add, splat, store_first
from sparsenet_kernels.simd.tile import tile_add_outer, tile_from_row, tile_store


@helper
def sum_of_run(x, b, columns, weights, first, end, start):
    """Add a run of blocks, each times its input, to ``start``: in four sums, so that none waits for the one before."""
    # four accumulators: an addition takes four cycles, and a block of one sample needs a cycle and a half of loads
    zero = splat(np.float32(0.0))
    one, two, three, four = start, zero, zero, zero
    whole = first + (end - first) // 4 * 4
    for z in range(index(first), index(whole), 4):
        one = multiply_add(splat(x[b, index(columns[z])]), load(weights, z * 16), one)
        two = multiply_add(splat(x[b, index(columns[z + 1])]), load(weights, z * 16 + 16), two)
        three = multiply_add(splat(x[b, index(columns[z + 2])]), load(weights, z * 16 + 32), three)
        four = multiply_add(splat(x[b, index(columns[z + 3])]), load(weights, z * 16 + 48), four)
    for z in range(index(whole), index(end)):
        one = multiply_add(splat(x[b, index(columns[z])]), load(weights, z * index(16)), one)
    return add(add(one, two), add(three, four))


@helper
def write_one(x, b, columns, weights, first, end, bias, out, n):
    """Compute 16 outputs of one sample."""
    outputs = out.shape[1]
    start = load(bias, n)
    store_first(out, b * outputs + n, sum_of_run(x, b, columns, weights, first, end, start), outputs - n)


def _side_by_side(samples):
    """Make the function that computes 16 outputs of so many samples."""

    @helper
    def write_together(x, b, columns, weights, first, end, bias, out, n):
        inputs, outputs = x.shape[1], out.shape[1]
        # an accumulator for each sample, and one register for the block that all of them read
        tile = tile_from_row(samples, 1, bias, n)
        for z in range(index(first), index(end)):
            tile = tile_add_outer(tile, x, b * inputs + columns[z], inputs, weights, z * index(16))
        tile_store(tile, out, b * outputs + n, outputs, outputs - n)

    return write_together


write_eight, write_alone = _side_by_side(8), _side_by_side(1)  # the same order of additions in both


@kernel(
    "linear",
    weights="blocks",
    inputs="dense",
    arguments="""
        in x f32[B, D]; index indptr i32[P1]; index columns i32[Z]; weight weights f32[Z, 16]; constant bias f32[N16];
        constant together int; out out f32[B, N]
    """,
)
def linear_f32_blocks_dense(x, indptr, columns, weights, bias, together, out):
    """Finish 16 outputs after the other: each the sum of its blocks, times the inputs they belong to.

        out[b, 16 * p + i] = bias + sum over z in indptr[p]:indptr[p + 1] of x[b, columns[z]] * weights[z, i]

    x        (B, D)   f32
    indptr   (P1,)    i32  P1 = ceil(N / 16) + 1; blocks of outputs 16 * p to 16 * p + 15 are indptr[p]:indptr[p + 1]
    columns  (Z,)     i32  the input of a block, 0 <= columns < D
    weights  (Z, 16)  f32  zeros behind the last output
    bias     (N16,)   f32  zeros behind the N-th
    together               1, or 8 where mostly eight samples or more come at once
    out      (B, N)   f32  overwritten

    In which order a sample is added up depends on ``together`` alone, never on how many samples come: with 1 in four
    sums, one sample after the other; with 8 in one sum, eight samples side by side. Four sums in both cases took 5 %
    longer for 64 samples and 25 % for one (1500 outputs, 52 blocks for each 16).

    Work    2 * 16 * Z flop per sample: skips zero weights in whole blocks; a block is read once for eight samples.
    """
    samples, outputs = out.shape
    for n in range(0, outputs, 16):
        first, end = indptr[n // 16], indptr[n // 16 + 1]
        if together < 8:
            for b in range(samples):
                write_one(x, b, columns, weights, first, end, bias, out, n)
        elif samples >= 8:
            for block in range(0, samples, 8):
                b = min(block, samples - 8)  # the last block overlaps its neighbour
                write_eight(x, b, columns, weights, first, end, bias, out, n)
        else:
            for b in range(samples):
                write_alone(x, b, columns, weights, first, end, bias, out, n)
