"""The product of two activations (GEMM), for as many pairs of matrices as come together.

The right-hand matrix is copied into panels, each as wide as the register tile, so that the innermost loop reads whole
vectors one behind the other whatever its width is:

    y (D, N)                      panel (D, L)
    row 0  ......|......|..       columns 0 ... L - 1 of row 0
    row 1  ......|......|..       columns 0 ... L - 1 of row 1       lanes behind the N-th column hold anything
"""

import numpy as np

from sparsenet_kernels.cpu.pool import load_some
from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import store
from sparsenet_kernels.simd.tile import tile_add_outer, tile_from_row, tile_store

TILES = {"wide": (6, 4), "narrow": (3, 2)}
"""Rows and vectors of the accumulator tile: wide for 32 registers of 512 bits, narrow for 16 of 256 bits."""


@helper
def fill_panel(y, start, step, depth, count, panel, lanes):
    """Copy ``count`` columns of a matrix into a panel, row by row; the rows of the matrix are ``step`` apart."""
    for d in range(depth):
        for n in range(0, count, 16):
            source = start + d * step + n
            store(panel, d * lanes + n, load_some(y, source, min(16, count - n)))


def _matmul(variant):
    rows, vectors = TILES[variant]
    lanes = 16 * vectors

    @kernel(
        "matmul",
        variant=variant,
        arguments=f"""
            in x f32[B, G, M, D]; in y f32[B, G, D, N]; scratch panel f32[D, {lanes}]; scratch zeros f32[{lanes}];
            out out f32[B, G, M, N]
        """,
        packing={"vectors": vectors},
        reference="matmul",
    )
    def matmul_f32(x, y, panel, zeros, out):
        """Multiply each left-hand matrix by its right-hand one.

            out[b, g, m, n] = sum_d x[b, g, m, d] * y[b, g, d, n]

        x      (B, G, M, D)  f32
        y      (B, G, D, N)  f32
        panel  (D, L)        f32  scratch, L = 16 * vectors
        zeros  (L,)          f32  scratch
        out    (B, G, M, N)  f32  overwritten

        Work    2 * B * G * M * N * D flop; a panel is copied once, and read once for every ``rows`` rows of x.
        Source  Goto, van de Geijn: "Anatomy of High-Performance Matrix Multiplication" (2008), section 4.
        """
        samples, groups, height, depth = x.shape
        width = y.shape[3]
        for lane in range(lanes):
            zeros[lane] = np.float32(0.0)
        for g in range(samples * groups):
            above = g * height
            for first in range(0, width, lanes):
                count = min(lanes, width - first)
                fill_panel(y, g * depth * width + first, width, depth, count, panel, lanes)
                # all sums of a tile stay in registers; each turn takes one row of the panel and a number per row of x
                if height >= rows:
                    for block in range(0, height, rows):
                        m = above + min(block, height - rows)  # the last block overlaps its neighbour
                        tile = tile_from_row(rows, vectors, zeros, 0)
                        for d in range(depth):
                            tile = tile_add_outer(tile, x, m * depth + d, depth, panel, d * lanes)
                        tile_store(tile, out, m * width + first, width, count)
                else:
                    for m in range(above, above + height):
                        tile = tile_from_row(1, vectors, zeros, 0)
                        for d in range(depth):
                            tile = tile_add_outer(tile, x, m * depth + d, depth, panel, d * lanes)
                        tile_store(tile, out, m * width + first, width, count)

    return matmul_f32


for _variant in TILES:
    _matmul(_variant)
