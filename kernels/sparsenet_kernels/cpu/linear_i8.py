"""Matrix of bytes times vector of bytes: exact sums in int32, scaled to float32 at the end.

    total[n]  = sum_d x[d] * W[n, d]
    out[b, n] = total[n] * scale[n] + bias[n]

A vector of 64 bytes holds, for each of a tile's 16 outputs, four weights; one instruction multiplies them by four
inputs each and adds. What differs is where the four inputs come from: the same for all outputs (dense weights and
blocks), or each output's own choice (lookup). The layouts are drawn in :mod:`sparsenet_kernels.formats`.
"""

import numpy as np

from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.bytes import (
    dot4,
    load_i8,
    load_u8,
    lookup,
    nonzero_groups,
    repeat4,
    select_u8,
    splat_u8,
    to_float,
)
from sparsenet_kernels.simd.ops import (
    add,
    compress,
    lanes_from,
    load,
    multiply_add,
    popcount,
    splat,
    store,
    store_first,
)
from sparsenet_kernels.simd.sums import sums_add_fours, sums_add_lookups, sums_at, sums_zero

X = "in x u8[B, D]; "
FLOATS = "constant scale f32[N16]; constant bias f32[N16]; "
OUT = "out out f32[B, N]"

TOGETHER = 8
"""Samples whose sums stay in registers side by side, so that weights are read once for all of them."""


@helper
def finish(total, scale, bias, n, out, b):
    """Scale the sums of the 16 outputs from the n-th on and store those that exist."""
    count = out.shape[1] - n
    store_first(out, b * out.shape[1] + n, multiply_add(to_float(total), load(scale, n), load(bias, n)), count)


@helper
def finish_together(sums, scale, bias, n, out, b):
    """Do for eight samples from the b-th on what :func:`finish` does for one."""
    finish(sums_at(sums, 0, 0), scale, bias, n, out, b)
    finish(sums_at(sums, 1, 0), scale, bias, n, out, b + 1)
    finish(sums_at(sums, 2, 0), scale, bias, n, out, b + 2)
    finish(sums_at(sums, 3, 0), scale, bias, n, out, b + 3)
    finish(sums_at(sums, 4, 0), scale, bias, n, out, b + 4)
    finish(sums_at(sums, 5, 0), scale, bias, n, out, b + 5)
    finish(sums_at(sums, 6, 0), scale, bias, n, out, b + 6)
    finish(sums_at(sums, 7, 0), scale, bias, n, out, b + 7)


@helper
def dense_total(x, start, weights, place, groups):
    """Sum the products of one sample with the weights of one tile; four sums, so that none waits for the last."""
    # four accumulators in turn: a product waits for the one four steps before, which is done by then
    a = b = c = d = splat(np.int32(0))
    for g in range(0, groups, 4):
        a = dot4(a, repeat4(x, start + 4 * g), load_i8(weights, place + 64 * g))
        b = dot4(b, repeat4(x, start + 4 * g + 4), load_i8(weights, place + 64 * g + 64))
        c = dot4(c, repeat4(x, start + 4 * g + 8), load_i8(weights, place + 64 * g + 128))
        d = dot4(d, repeat4(x, start + 4 * g + 12), load_i8(weights, place + 64 * g + 192))
    return add(add(a, b), add(c, d))


@kernel(
    "linear", dtype="i8", weights="dense", inputs="dense", arguments=X + "weight weights i8[T, G, 64]; " + FLOATS + OUT
)
def linear_i8_dense_dense(x, weights, scale, bias, out):
    """Multiply dense weights by dense inputs.

        out[b, n] = bias[n] + scale[n] * sum_d x[b, d] * W[n, d]

    x        (B, D)      u8   D a multiple of 64
    weights  (T, G, 64)  i8   G = D / 4; W[16 * t + n, 4 * g + i] = weights[t, g, 4 * n + i]
    scale    (N16,)      f32  N16 = 16 * T
    bias     (N16,)      f32
    out      (B, N)      f32  overwritten; N <= N16

    Work    B * N * D products; weights are read once for eight samples.
    """
    samples, inputs = x.shape
    tiles, groups, _ = weights.shape
    whole = samples // TOGETHER * TOGETHER
    for b in range(0, whole, TOGETHER):
        for t in range(tiles):
            # eight accumulators, one a sample; a load of weights serves them all
            sums = sums_zero(8, 1)
            for g in range(groups):
                sums = sums_add_fours(sums, x, b * inputs + 4 * g, inputs, 0, weights, (t * groups + g) * 64)
            finish_together(sums, scale, bias, 16 * t, out, b)
    # the samples that are left, one after the other, with sums side by side instead
    for b in range(whole, samples):
        for t in range(tiles):
            total = dense_total(x, b * inputs, weights, t * groups * 64, groups)
            finish(total, scale, bias, 16 * t, out, b)


@helper
def lookup_total(x, start, offsets, indices, weights, first, end):
    """Sum the products of one sample with the groups of one tile; two sums, so that neither waits for the last."""
    # two accumulators; each step loads 64 inputs, permutes them for 16 outputs, and multiplies
    a = b = splat(np.int32(0))
    z = np.int64(first)
    while z + 1 < end:
        table, other = load_u8(x, start + offsets[index(z)]), load_u8(x, start + offsets[index(z + 1)])
        a = dot4(a, lookup(table, load_u8(indices, z * 64)), load_i8(weights, z * 64))
        b = dot4(b, lookup(other, load_u8(indices, z * 64 + 64)), load_i8(weights, z * 64 + 64))
        z += 2
    if z < end:
        a = dot4(a, lookup(load_u8(x, start + offsets[index(z)]), load_u8(indices, z * 64)), load_i8(weights, z * 64))
    return add(a, b)


@kernel(
    "linear",
    dtype="i8",
    weights="lookup",
    inputs="dense",
    arguments=X
    + "index indptr i32[T1]; index offsets i32[Z]; index indices u8[Z, 64]; weight weights i8[Z, 64]; "
    + FLOATS
    + OUT,
)
def linear_i8_lookup_dense(x, indptr, offsets, indices, weights, scale, bias, out):
    """Let each output choose its inputs out of 64 at a time, multiply by the sparse weights.

        out[b, n] = bias[n] + scale[n] * sum_d x[b, d] * W[n, d]

    x        (B, D)   u8   D a multiple of 64
    indptr   (T1,)    i32  T1 = N16 / 16 + 1; the groups of tile t are indptr[t] to indptr[t + 1]
    offsets  (Z,)     i32  where each group's table of 64 inputs begins
    indices  (Z, 64)  u8   positions in the table; W[16 * t + n, offsets[z] + indices[z, 4 * n + i]]
    weights  (Z, 64)  i8       = weights[z, 4 * n + i]
    scale    (N16,)   f32
    bias     (N16,)   f32
    out      (B, N)   f32  overwritten; N <= N16

    Work    B * 64 * Z products; groups are read once for eight samples.
    """
    samples, inputs = x.shape
    whole = samples // TOGETHER * TOGETHER
    for b in range(0, whole, TOGETHER):
        for t in range(indptr.size - 1):
            # eight accumulators, one a sample; choices and weights are loaded once for all of them
            sums = sums_zero(8, 1)
            for z in range(indptr[index(t)], indptr[index(t + 1)]):
                place = b * inputs + offsets[index(z)]
                sums = sums_add_lookups(sums, x, place, inputs, 0, indices, weights, z * 64)
            finish_together(sums, scale, bias, 16 * t, out, b)
    for b in range(whole, samples):
        for t in range(indptr.size - 1):
            first, end = indptr[index(t)], indptr[index(t + 1)]
            total = lookup_total(x, b * inputs, offsets, indices, weights, first, end)
            finish(total, scale, bias, 16 * t, out, b)


@helper
def list_active_groups(x, start, inputs, groups):
    """List the groups of four inputs that are not all zero; return how many there are."""
    found = 0
    for j in range(0, inputs, 64):
        # 64 inputs are 16 groups: one comparison finds the active ones, one instruction lists them
        active = nonzero_groups(load_u8(x, start + j))
        store(groups, found, compress(lanes_from(j // 4), active))
        found += popcount(active)
    return found


@helper
def add_block(x, place, z, end, starts, weights, totals):
    """Add one block's products to its 16 totals; a block that is not before the group's ``end`` adds zeros."""
    # no branch: behind the end of the run, zeros are multiplied by a block that exists
    values = select_u8(np.uint64(0) - np.uint64(z < end), repeat4(x, place), splat_u8(0))
    at = min(z, starts.size - 1)
    n = starts[index(at)]
    store(totals, n, dot4(load(totals, n), values, load_i8(weights, at * 64)))


@kernel(
    "linear",
    dtype="i8",
    weights="blocks",
    inputs="active",
    arguments=X
    + "index indptr i32[G1]; index starts i32[Z]; weight weights i8[Z, 64]; "
    + FLOATS
    + "scratch groups i32[G]; scratch totals i32[N16]; "
    + OUT,
)
def linear_i8_blocks_active(x, indptr, starts, weights, scale, bias, groups, totals, out):
    """Add, for each group of four inputs with an active one, its blocks of sparse weights.

        out[b, n] = bias[n] + scale[n] * sum_d x[b, d] * W[n, d]

    x        (B, D)   u8   D a multiple of 64
    indptr   (G1,)    i32  G1 = D / 4 + 1; the blocks of group g are indptr[g] to indptr[g + 1]
    starts   (Z,)     i32  the first output of each block, a multiple of 16
    weights  (Z, 64)  i8   W[starts[z] + n, 4 * g + i] = weights[z, 4 * n + i]
    scale    (N16,)   f32
    bias     (N16,)   f32
    groups   (G,)     i32  scratch, G = D / 4
    totals   (N16,)   i32  scratch
    out      (B, N)   f32  overwritten; N <= N16

    Blocks are added four at a time: a loop that ended behind each group's last one, of three on average, was mostly
    mispredicted and took twice as long.

    Work    per sample 64 * Z products times the fraction of groups that have an active input: both sparsities multiply.
    """
    samples, inputs = x.shape
    for b in range(samples):
        # totals live in memory: every block adds to other outputs
        for n in range(0, totals.size, 16):
            store(totals, n, splat(np.int32(0)))
        for j in range(list_active_groups(x, b * inputs, inputs, groups)):
            g = groups[index(j)]
            place, end = b * inputs + 4 * g, np.int64(indptr[index(g + 1)])
            for z in range(indptr[index(g)], end, 4):
                # four blocks each time, whether the group has so many or not
                add_block(x, place, z, end, starts, weights, totals)
                add_block(x, place, z + 1, end, starts, weights, totals)
                add_block(x, place, z + 2, end, starts, weights, totals)
                add_block(x, place, z + 3, end, starts, weights, totals)
        for n in range(0, totals.size, 16):
            finish(load(totals, n), scale, bias, n, out, b)
