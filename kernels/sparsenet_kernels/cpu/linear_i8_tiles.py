"""Matrix of bytes times vectors of bytes, for weights in tiles of 4 inputs by 16 outputs, on every processor.

The sums of 16 outputs stay in registers while their tiles pass by, for as many samples as the processor has registers;
the variants differ in nothing else. Where few inputs are active, :func:`linear_i8_blocks_active` multiplies less, but
scatters its sums: it wins where the weights come from beyond the second-level cache.
"""

import numpy as np

from sparsenet_kernels.cpu.linear_i8 import finish
from sparsenet_kernels.formats.tiles import VECTOR_DEPTH
from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.bytes import dot4, load_i8, repeat4
from sparsenet_kernels.simd.ops import add, load, splat
from sparsenet_kernels.simd.sums import sums_add_fours, sums_save, sums_zero

TOGETHER = {"wide": 16, "narrow": 4}
"""Samples whose sums stay in registers side by side, by variant."""

TOTALS = 16 * 16
"""Numbers of scratch (int32): 16 sums of each of those samples."""


@helper
def tiles_total(x, start, columns, weights, first, end):
    """Sum the products of one sample with one run of tiles; two sums, so that neither waits for the last."""
    # two accumulators; each step spreads four inputs to 16 outputs and multiplies a tile
    a = b = splat(np.int32(0))
    z = np.int64(first)
    while z + 1 < end:
        a = dot4(a, repeat4(x, start + columns[index(z)]), load_i8(weights, z * 64))
        b = dot4(b, repeat4(x, start + columns[index(z + 1)]), load_i8(weights, z * 64 + 64))
        z += 2
    if z < end:
        a = dot4(a, repeat4(x, start + columns[index(z)]), load_i8(weights, z * 64))
    return add(a, b)


def _register(variant):
    together = TOGETHER[variant]

    @kernel(
        "linear",
        dtype="i8",
        weights="tiles",
        inputs="dense",
        variant=variant,
        packing={"depth": VECTOR_DEPTH},
        arguments="""
            in x u8[B, D]; index indptr i32[P1]; index columns i32[Z]; weight weights i8[Z, D4, L, F];
            constant scale f32[N16]; constant bias f32[N16]; scratch sums i32[S]; out out f32[B, N]
        """,
    )
    def linear_i8_tiles_dense(x, indptr, columns, weights, scale, bias, sums, out):
        """Multiply the kept tiles of 4 inputs by 16 outputs.

            out[b, n] = bias[n] + scale[n] * sum_d x[b, d] * W[n, d]

        x        (B, D)         u8   D a multiple of 4
        indptr   (P1,)          i32  16 (P1 - 1) >= N; the tiles of outputs 16 p to 16 p + 15 are indptr[p] on
        columns  (Z,)           i32  the first input of each tile
        weights  (Z, 1, 16, 4)  i8   as `pack_tiles` lays them out
        scale    (N16,)         f32  N16 is N, rounded up to a multiple of 16
        bias     (N16,)         f32
        sums     (S,)           i32  scratch; S is `TOTALS`
        out      (B, N)         f32  overwritten

        Work    128 * Z operations per sample; weights are read once for 16 samples, or 4.
        """
        samples, inputs = x.shape
        whole = samples // together * together
        for b in range(0, whole, together):
            for n in range(0, out.shape[1], 16):
                # an accumulator for each of the samples; a tile is loaded once for all of them
                block = sums_zero(together, 1)
                for z in range(indptr[index(n // 16)], indptr[index(n // 16 + 1)]):
                    place = b * inputs + columns[index(z)]
                    block = sums_add_fours(block, x, place, inputs, 0, weights, z * 64)
                # through memory, because a loop cannot count through registers
                sums_save(block, sums, 0)
                for sample in range(together):
                    finish(load(sums, 16 * sample), scale, bias, n, out, b + sample)
        # the samples that are left, one after the other
        for b in range(whole, samples):
            for n in range(0, out.shape[1], 16):
                first, end = indptr[index(n // 16)], indptr[index(n // 16 + 1)]
                total = tiles_total(x, b * inputs, columns, weights, first, end)
                finish(total, scale, bias, n, out, b)


for _variant in TOGETHER:
    _register(_variant)
