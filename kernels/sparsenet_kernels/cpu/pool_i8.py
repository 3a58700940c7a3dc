"""Pooling of images of bytes that lie channels last: a window's positions are combined 64 channels at a time."""

from sparsenet_kernels.cpu.pool import window
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.bytes import load_u8, maximum_u8, splat_u8, store_u8


@kernel(
    "max_pool2d",
    dtype="i8",
    arguments="""
        in x u8[B, H, W, C]; constant kernel_height int; constant kernel_width int; constant stride_y int;
        constant stride_x int; constant pad_y int; constant pad_x int; out out u8[B, OH, OW, C]
    """,
)
def max_pool2d_i8(x, kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x, out):
    """Take the largest byte of each window; padding never wins.

        out[b, i, j, c] = max over y, x of x[b, i * stride_y - pad_y + y, j * stride_x - pad_x + x, c]

    x    (B, H, W, C)    u8  C a multiple of 64
    out  (B, OH, OW, C)  u8  overwritten
    """
    samples, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    for b in range(samples):
        for oy in range(out_height):
            top, bottom = window(oy * stride_y - pad_y, kernel_height, height)
            for ox in range(out_width):
                left, right = window(ox * stride_x - pad_x, kernel_width, width)
                place = ((b * out_height + oy) * out_width + ox) * channels
                for c in range(0, channels, 64):
                    best = splat_u8(0)
                    for y in range(top, bottom):
                        row = (b * height + y) * width
                        for column in range(left, right):
                            best = maximum_u8(load_u8(x, (row + column) * channels + c), best)
                    store_u8(out, place + c, best)
