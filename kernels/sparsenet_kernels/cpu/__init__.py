"""Kernels for the CPU: the operations of :mod:`sparsenet_kernels.reference`, compiled.

Activations lie *channels last*: an image is (B, R, C) with R = H * W positions in row order, a vector is (B, 1, D).
An *active list* holds, for each of the R rows of a sample, the columns and values of its non-zeros: (B, R, K), where a
column of -1 ends a short row.
"""


def register_all() -> None:
    """Import every module of this package, so that its kernels are registered."""
    from sparsenet_kernels.cpu import (  # noqa: F401
        compact,
        conv2d_blocks,
        conv2d_blocks_dense,
        conv2d_csr,
        conv2d_dense,
        conv2d_i8,
        conv2d_i8_amx,
        conv2d_i8_amx_pixels,
        conv2d_i8_octets,
        conv2d_pool2_dense,
        conv2d_scatter,
        convert_i8,
        elementwise,
        kwta,
        kwta_i8,
        kwta_lanes,
        layout,
        linear,
        linear_blocks,
        linear_blocks_dense,
        linear_i8,
        linear_i8_amx,
        linear_i8_tiles,
        pool,
        pool_i8,
        quantize_i8,
        watch,
    )
