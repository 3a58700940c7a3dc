"""Matrix of bytes times many vectors of bytes on AMX tiles: 16 samples by 16 outputs by 64 inputs in one product.

Ask :func:`sparsenet_kernels.simd.amx.amx_available` before the first call in a process.
"""

from sparsenet_kernels.cpu.linear_i8 import finish
from sparsenet_kernels.cpu.tile_sums import MOST_BLOCKS, sum_tiles
from sparsenet_kernels.formats.tiles import AMX_DEPTH
from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.amx import FEATURES, tiles_configure, tiles_release
from sparsenet_kernels.simd.ops import load


@helper
def finish_samples(sums, count, scale, bias, n, out, b):
    """Scale the sums of ``count`` samples, 16 outputs each, and store those that exist."""
    for sample in range(count):
        finish(load(sums, 16 * sample), scale, bias, n, out, b + sample)


@kernel(
    "linear",
    dtype="i8",
    weights="tiles",
    inputs="dense",
    variant="amx",
    packing={"depth": AMX_DEPTH},
    features=FEATURES,
    arguments="""
        in x u8[B, D]; index indptr i32[P1]; index columns i32[Z]; weight weights i8[Z, D4, L, F];
        constant scale f32[N16]; constant bias f32[N16]; scratch sums i32[S]; out out f32[B, N]
    """,
)
def linear_i8_tiles_dense(x, indptr, columns, weights, scale, bias, sums, out):
    """Multiply the kept tiles of 64 inputs by 16 outputs, for 16 samples at a time.

        out[b, n] = bias[n] + scale[n] * sum_d x[b, d] * W[n, d]

    x        (B, D)          u8   D a multiple of 64
    indptr   (P1,)           i32  the tiles of outputs 16 p to 16 p + 15 are indptr[p]:indptr[p + 1]; 16 (P1 - 1) >= N
    columns  (Z,)            i32  the first input of each tile
    weights  (Z, 16, 16, 4)  i8   as `pack_tiles` lays them out
    scale    (N16,)          f32  N16 is N, rounded up to a multiple of 16
    bias     (N16,)          f32
    sums     (S,)            i32  scratch; S is `TILE_SUMS`
    out      (B, N)          f32  overwritten

    Work    2048 * Z operations per sample, in whole sixteens of samples; weights are read once for 96 samples.
    """
    samples, inputs = x.shape
    if samples == 0:
        return
    # a sample is a row of a left-hand tile; fewer than 16 make lower tiles
    together = min(samples, 16)
    whole = samples // together
    # tiles 0 to 5 hold sums of up to 96 samples by 16 outputs, 6 takes inputs and 7 weights
    tiles_configure(6, 1, together, 64)
    for n in range(0, out.shape[1], 16):
        first, last = indptr[index(n // 16)], indptr[index(n // 16 + 1)]
        for group in range(0, whole, MOST_BLOCKS):
            # as many sixteens as there are tiles of sums meet one load of weights
            count, b = min(MOST_BLOCKS, whole - group), group * together
            place, between = b * inputs, together * inputs
            sum_tiles(count, x, place, between, inputs, columns, weights, 1024, first, last, sums, together)
            finish_samples(sums, count * together, scale, bias, n, out, b)
        if samples > whole * together:  # the last sixteen overlap their neighbours
            b = samples - together
            sum_tiles(1, x, b * inputs, 0, inputs, columns, weights, 1024, first, last, sums, together)
            finish_samples(sums, together, scale, bias, n, out, b)
    tiles_release()
