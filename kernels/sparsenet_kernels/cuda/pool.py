"""Pooling of images that lie channels last: a block for each window, a thread for each channel."""

import numpy as np

from sparsenet_kernels.cuda.api import cuda, device_function
from sparsenet_kernels.cuda.launch import kernel
from sparsenet_kernels.cuda.places import larger, sample_and_pixel, smaller

POOL = """
    in x f32[B, H, W, C]; constant kernel_height int; constant kernel_width int; constant stride_y int;
    constant stride_x int; constant pad_y int; constant pad_x int; out out f32[B, OH, OW, C]
"""

RUN = 4096
"""Numbers (up to twice as many) that are added one by one: a float32 sum of 2**24 ones grows no further."""


@device_function
def window(start, size, limit):
    """Clip a window to the image: its first and last position plus one."""
    return larger(start, 0), smaller(start + size, limit)


@kernel("max_pool2d", arguments=POOL, blocks="B OH OW", threads="C")
def max_pool2d_f32(x, kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x, out):
    """Take the largest value of each window; padding never wins, and a window of NaN only is NaN.

    x    (B, H, W, C)    f32
    out  (B, OH, OW, C)  f32  overwritten
    """
    _, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    b, oy, ox = sample_and_pixel(cuda.blockIdx.x, out_height, out_width)
    top, bottom = window(oy * stride_y - pad_y, kernel_height, height)
    left, right = window(ox * stride_x - pad_x, kernel_width, width)
    for c in range(cuda.threadIdx.x, channels, cuda.blockDim.x):
        best = np.float32(-np.inf)
        for y in range(top, bottom):
            for column in range(left, right):
                best = larger(best, x[b, y, column, c])
        out[b, oy, ox, c] = best


@kernel("avg_pool2d", arguments=POOL, blocks="B OH OW", threads="C")
def avg_pool2d_f32(x, kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x, out):
    """Take the mean of each window; padding counts as zeros, the divisor is the whole window.

    x    (B, H, W, C)    f32
    out  (B, OH, OW, C)  f32  overwritten
    """
    _, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    b, oy, ox = sample_and_pixel(cuda.blockIdx.x, out_height, out_width)
    top, bottom = window(oy * stride_y - pad_y, kernel_height, height)
    left, right = window(ox * stride_x - pad_x, kernel_width, width)
    share = np.float32(1.0 / (kernel_height * kernel_width))
    for c in range(cuda.threadIdx.x, channels, cuda.blockDim.x):
        total = part = np.float32(0.0)
        taken = 0
        for y in range(top, bottom):
            for first in range(left, right, RUN):
                end = smaller(first + RUN, right)
                for column in range(first, end):
                    part += x[b, y, column, c]
                taken += end - first
                # parts of a few thousand are closed, so that no sum outgrows what is added to it
                if taken >= RUN:
                    total, part, taken = total + part, np.float32(0.0), 0
        out[b, oy, ox, c] = (total + part) * share
