"""Convolution that walks its weights, with neighbouring positions in lanes."""

from sparsenet_kernels.jit import index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.tile import tile_add_scaled, tile_from_row, tile_store_all

PLANE_VECTORS = {"wide": 8, "narrow": 4}


def _csr_dense(variant):
    vectors = PLANE_VECTORS[variant]
    block = 16 * vectors

    @kernel(
        "conv2d",
        weights="csr",
        inputs="dense",
        variant=variant,
        arguments="""
            planes f32[B, Q]; indptr i32[N1]; offsets i32[Z]; weights f32[Z]; bias f32[N]; row int; sums f32[S];
            out f32[B, OH, OW, N]
        """,
    )
    def conv2d_f32_csr_dense(planes, indptr, offsets, weights, bias, row, sums, out):
        """Add, for each output channel and each of its weights, a shifted plane of the input.

            out[b, oy, ox, n] = bias[n] + sum_z weights[z] * planes[b, offsets[z] + oy * row + ox]

        planes   (B, Q)          f32  the padded input as planes of channels and of stride phases (see split_phases);
                                      Q leaves room for a whole number of blocks behind every offset
        indptr   (N1,)           i32  N1 = N + 1; weights of output n are indptr[n]:indptr[n + 1]
        offsets  (Z,)            i32  where the plane of a weight's tap begins
        weights  (Z,)            f32
        bias     (N,)            f32
        row                           numbers in a row of a plane
        sums     (S,)            f32  scratch for one output channel, a whole number of blocks
        out      (B, OH, OW, N)  f32  overwritten

        Positions lie in lanes, so no weight is multiplied in vain; the ends of rows are computed and dropped.

        Work    2 * OH * row * nnz flop per sample.
        Source  the shifted planes: Park et al., "Faster CNNs with Direct Sparse Convolutions" (ICLR 2017), section 2.
        """
        samples, plane_size = planes.shape
        _, out_height, out_width, outputs = out.shape
        extent = (out_height - 1) * row + out_width
        for b in range(samples):
            for n in range(outputs):
                for q in range(0, extent, block):
                    for j in range(vectors):
                        for lane in range(16):
                            sums[q + 16 * j + lane] = bias[n]
                    tile = tile_from_row(1, vectors, sums, q)
                    for z in range(index(indptr[n]), index(indptr[n + 1])):
                        tile = tile_add_scaled(tile, weights[z], planes, b * plane_size + offsets[z] + q)
                    tile_store_all(tile, sums, q)
                for oy in range(out_height):
                    for ox in range(out_width):
                        out[b, oy, ox, n] = sums[oy * row + ox]

    return conv2d_f32_csr_dense


for _variant in PLANE_VECTORS:
    _csr_dense(_variant)
