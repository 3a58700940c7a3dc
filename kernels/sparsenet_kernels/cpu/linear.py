"""Matrix times vector, in the forms that use no zeros, the weights' zeros, the inputs' zeros, or both.

Dense weights lie in panels: 16 * V outputs side by side, one row of the panel for each input, so that a tile of
accumulators takes a whole row per input:

    panel 0              panel 1
    ┌ outputs 0 … 63 ┐   ┌ outputs 64 … 127 ┐
    input 0  ........    input 0  ........        weights (P, D, L), L = 16 * V; the last panel ends in zeros
    input 1  ........    input 1  ........
"""

import numpy as np

from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import load, multiply_add, splat, store
from sparsenet_kernels.simd.tile import tile_add_outer, tile_add_scaled, tile_from_row, tile_store

DENSE = "in x f32[B, D]; weight weights f32[P, D, L]; constant bias f32[PL]; out out f32[B, N]"
DENSE_ACTIVE = (
    "in columns i32[B, K]; in values f32[B, K]; weight weights f32[P, D, L]; constant bias f32[PL]; out out f32[B, N]"
)
CSC = "index indptr i32[D1]; index rows i32[Z]; weight weights f32[Z]; constant bias f32[N]; out out f32[B, N]"
COMPLEMENTARY = "index outputs i32[D, S]; weight weights f32[D, S]; constant bias f32[N]; out out f32[B, N]"

TILES = {"wide": (6, 4), "narrow": (3, 2), "single": (8, 1)}
"""Rows (samples) and vectors (outputs) of the accumulator tile: wide for 32 registers of 512 bits, narrow for 16 of
256 bits, single for layers of at most 16 outputs."""


def _dense(variant):
    rows, vectors = TILES[variant]

    @kernel("linear", weights="dense", inputs="dense", variant=variant, packing={"vectors": vectors}, arguments=DENSE)
    def linear_f32_dense_dense(x, weights, bias, out):
        """Multiply dense weights by dense inputs.

            out[b, n] = bias[n] + sum_d x[b, d] * W[n, d]

        x        (B, D)     f32
        weights  (P, D, L)  f32  panels: W[p * L + l, d] = weights[p, d, l]
        bias     (PL,)      f32  zeros behind the N-th
        out      (B, N)     f32  overwritten

        Work    2 * B * N * D flop; a panel is read once for every ``rows`` samples.
        """
        samples, inputs = x.shape
        outputs = out.shape[1]
        panels, _, width = weights.shape
        for p in range(panels):
            first = p * width
            count = outputs - first
            panel = p * inputs * width
            if samples >= rows:
                for block in range(0, samples, rows):
                    b = min(block, samples - rows)  # the last block overlaps its neighbour
                    # `rows` by `vectors` accumulators; a row of the panel is loaded once for all samples of a block
                    tile = tile_from_row(rows, vectors, bias, first)
                    for d in range(inputs):
                        tile = tile_add_outer(tile, x, b * inputs + d, inputs, weights, panel + d * width)
                    tile_store(tile, out, b * outputs + first, outputs, count)
            else:
                for b in range(samples):
                    # too few samples for the tile: one at a time, in the same order, so with the same bits
                    tile = tile_from_row(1, vectors, bias, first)
                    for d in range(inputs):
                        tile = tile_add_outer(tile, x, b * inputs + d, inputs, weights, panel + d * width)
                    tile_store(tile, out, b * outputs + first, outputs, count)

    return linear_f32_dense_dense


def _dense_active(variant):
    vectors = TILES[variant][1]

    @kernel(
        "linear",
        weights="dense",
        inputs="active",
        variant=variant,
        packing={"vectors": vectors},
        arguments=DENSE_ACTIVE,
    )
    def linear_f32_dense_active(columns, values, weights, bias, out):
        """Add, for each active input, its whole row of a panel.

            out[b, n] = bias[n] + sum_j values[b, j] * W[n, columns[b, j]]

        columns  (B, K)     i32  0 <= columns < D; -1 ends a short row
        values   (B, K)     f32
        weights  (P, D, L)  f32  panels: W[p * L + l, d] = weights[p, d, l]
        bias     (PL,)      f32  zeros behind the N-th
        out      (B, N)     f32  overwritten

        Work    2 * K * N flop per sample.
        """
        samples, width = columns.shape
        outputs = out.shape[1]
        panels, inputs, lanes = weights.shape
        for b in range(samples):
            for p in range(panels):
                # the accumulators of one panel stay in registers while the list is walked
                tile = tile_from_row(1, vectors, bias, p * lanes)
                for j in range(width):
                    column = columns[b, j]
                    if column < 0:
                        break
                    tile = tile_add_scaled(tile, values[b, j], weights, (p * inputs + column) * lanes)
                tile_store(tile, out, b * outputs + p * lanes, outputs, outputs - p * lanes)

    return linear_f32_dense_active


for _variant in TILES:
    _dense(_variant)
    _dense_active(_variant)


@helper
def start_from_bias(bias, out, b):
    """Set the outputs of one sample to the bias."""
    for n in range(out.shape[1]):
        out[b, n] = bias[n]


@helper
def add_column(out, b, value, rows, weights, first, end):
    """Add ``value`` times the stored weights ``first`` to ``end`` to the outputs they belong to.

    Four at a time, all read before any is written, and rows of 16 bits gained 4 % at most (6.9 instead of 7.2 µs for
    1600 x 1500 at 5 %, 200 active).
    """
    for z in range(index(first), index(end)):
        out[b, index(rows[z])] += value * weights[z]


@kernel("linear", weights="csc", inputs="dense", arguments="in x f32[B, D]; " + CSC)
def linear_f32_csc_dense(x, indptr, rows, weights, bias, out):
    """Add, for each input, its column of the sparse weights.

        out[b, n] = bias[n] + sum_d x[b, d] * W[n, d]

    x        (B, D)  f32
    indptr   (D1,)   i32  D1 = D + 1; column d of W is rows[indptr[d]:indptr[d + 1]]
    rows     (Z,)    i32  0 <= rows < N
    weights  (Z,)    f32
    bias     (N,)    f32
    out      (B, N)  f32  overwritten

    Work    2 * nnz flop per sample.
    """
    for b in range(x.shape[0]):
        start_from_bias(bias, out, b)
        for d in range(x.shape[1]):
            add_column(out, b, x[b, d], rows, weights, indptr[d], indptr[d + 1])


@kernel("linear", weights="csc", inputs="active", arguments="in columns i32[B, K]; in values f32[B, K]; " + CSC)
def linear_f32_csc_active(columns, values, indptr, rows, weights, bias, out):
    """Add, for each active input, its column of the sparse weights.

        out[b, n] = bias[n] + sum_j values[b, j] * W[n, columns[b, j]]

    columns  (B, K)  i32  0 <= columns < D; -1 ends a short row
    values   (B, K)  f32
    indptr   (D1,)   i32  D1 = D + 1; column d of W is rows[indptr[d]:indptr[d + 1]]
    rows     (Z,)    i32  0 <= rows < N
    weights  (Z,)    f32
    bias     (N,)    f32
    out      (B, N)  f32  overwritten

    Work    2 * K * nnz / D flop per sample: both sparsities multiply.
    """
    for b in range(columns.shape[0]):
        start_from_bias(bias, out, b)
        for j in range(columns.shape[1]):
            d = columns[b, j]
            if d < 0:
                break
            add_column(out, b, values[b, j], rows, weights, indptr[d], indptr[d + 1])


@kernel(
    "linear",
    weights="csr",
    inputs="dense",
    arguments="""
        in x f32[B, D]; index indptr i32[N1]; index columns i32[Z]; weight weights f32[Z]; constant bias f32[N];
        scratch turned f32[D, 16]; scratch lanes f32[16]; out out f32[B, N]
    """,
)
def linear_f32_csr_dense(x, indptr, columns, weights, bias, turned, lanes, out):
    """Compute sparse rows of the weights for 16 samples at a time, one in each lane.

        out[b, n] = bias[n] + sum_d W[n, d] * x[b, d]

    x        (B, D)   f32
    indptr   (N1,)    i32  N1 = N + 1; row n of W is columns[indptr[n]:indptr[n + 1]]
    columns  (Z,)     i32  0 <= columns < D
    weights  (Z,)     f32
    bias     (N,)     f32
    turned   (D, 16)  f32  scratch
    lanes    (16,)    f32  scratch
    out      (B, N)   f32  overwritten

    Work    2 * nnz flop per sample, in vectors; wasted on fewer than 16 samples.
    """
    samples, inputs = x.shape
    for first in range(0, samples, 16):
        count = min(16, samples - first)
        # turned, so that one input of 16 samples is a vector; lanes without a sample hold zeros
        for lane in range(16):
            for d in range(inputs):
                turned[d, lane] = x[first + lane, d] if lane < count else np.float32(0.0)
        for n in range(out.shape[1]):
            # one accumulator for 16 samples: a weight is spread, its input is one load
            total = splat(bias[n])
            for z in range(index(indptr[n]), index(indptr[n + 1])):
                total = multiply_add(splat(weights[z]), load(turned, columns[z] * 16), total)
            # lanes go to their samples, whose outputs lie far apart
            store(lanes, 0, total)
            for lane in range(count):
                out[first + lane, n] = lanes[lane]


@helper
def route_row(out, b, value, outputs, weights, d):
    """Multiply one row of packed sets and send each product to the output it belongs to."""
    for s in range(outputs.shape[1]):
        n = outputs[index(d), s]
        if n >= 0:
            out[b, index(n)] += value * weights[index(d), s]


@kernel("linear", weights="complementary", inputs="dense", arguments="in x f32[B, D]; " + COMPLEMENTARY)
def linear_f32_complementary_dense(x, outputs, weights, bias, out):
    """Multiply packed sets, route each product to its output, sum.

        out[b, n] = bias[n] + sum over d, s with outputs[d, s] = n of x[b, d] * weights[d, s]

    x        (B, D)  f32
    outputs  (D, S)  i32  the output each slot belongs to; -1 marks an empty slot
    weights  (D, S)  f32
    bias     (N,)    f32
    out      (B, N)  f32  overwritten

    Work    2 * D * S flop per sample.
    Source  Hunter, Spracklen, Ahmad: "Two Sparsities Are Better Than One" (2022), combine, multiply, route, sum.
    """
    for b in range(x.shape[0]):
        start_from_bias(bias, out, b)
        for d in range(x.shape[1]):
            route_row(out, b, x[b, d], outputs, weights, d)


@kernel(
    "linear",
    weights="complementary",
    inputs="active",
    arguments="in columns i32[B, K]; in values f32[B, K]; " + COMPLEMENTARY,
)
def linear_f32_complementary_active(columns, values, outputs, weights, bias, out):
    """Select the active inputs' rows of the packed sets, multiply, route each product to its output, sum.

        out[b, n] = bias[n] + sum over j, s where outputs[d, s] = n of values[b, j] * weights[d, s], d = columns[b, j]

    columns  (B, K)  i32  0 <= columns < D; -1 ends a short row
    values   (B, K)  f32
    outputs  (D, S)  i32  the output each slot belongs to; -1 marks an empty slot
    weights  (D, S)  f32
    bias     (N,)    f32
    out      (B, N)  f32  overwritten

    One active input reads one contiguous row of S slots. Gathering and scattering 16 slots at a time was slower than
    this scalar loop (8.4 against 5.9 µs for 1600 x 1500 at 5 %).

    Work    2 * K * S flop per sample.
    Source  Hunter, Spracklen, Ahmad: "Two Sparsities Are Better Than One" (2022), the sparse-sparse case.
    """
    for b in range(columns.shape[0]):
        start_from_bias(bias, out, b)
        for j in range(columns.shape[1]):
            d = columns[b, j]
            if d < 0:
                break
            route_row(out, b, values[b, j], outputs, weights, d)
