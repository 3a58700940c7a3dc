"""Pooling of images that lie channels last: a window's positions are combined 16 channels at a time."""

import numpy as np

from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import add, load, load_first, maximum, multiply, splat, store_first

POOL = """
    in x f32[B, H, W, C]; constant kernel_height int; constant kernel_width int; constant stride_y int;
    constant stride_x int; constant pad_y int; constant pad_x int; out out f32[B, OH, OW, C]
"""


@helper
def window(start, size, limit):
    """Clip a window to the image: its first and last position plus one."""
    return max(start, 0), min(start + size, limit)


RUN = 4096
"""Numbers (up to twice as many) that are added one by one: a float32 sum of 2**24 ones grows no further."""


@helper
def load_some(x, start, count):
    """Load ``count`` of at most 16 numbers; whole vectors, the common case, without a mask."""
    return load(x, start) if count == 16 else load_first(x, start, count, 0.0)


@kernel("max_pool2d", arguments=POOL)
def max_pool2d_f32(x, kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x, out):
    """Take the largest value of each window; padding never wins, and a window of NaN only is NaN.

    x    (B, H, W, C)    f32
    out  (B, OH, OW, C)  f32  overwritten
    """
    samples, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    for b in range(samples):
        for oy in range(out_height):
            top, bottom = window(oy * stride_y - pad_y, kernel_height, height)
            for ox in range(out_width):
                left, right = window(ox * stride_x - pad_x, kernel_width, width)
                place = ((b * out_height + oy) * out_width + ox) * channels
                for c in range(0, channels, 16):
                    count = min(16, channels - c)
                    best = splat(np.float32(-np.inf))
                    for y in range(top, bottom):
                        row = (b * height + y) * width
                        for column in range(left, right):
                            best = maximum(best, load_some(x, (row + column) * channels + c, count))
                    store_first(out, place + c, best, count)


@kernel("avg_pool2d", arguments=POOL)
def avg_pool2d_f32(x, kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x, out):
    """Take the mean of each window; padding counts as zeros, the divisor is the whole window.

    x    (B, H, W, C)    f32
    out  (B, OH, OW, C)  f32  overwritten
    """
    samples, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    share = splat(np.float32(1.0 / (kernel_height * kernel_width)))
    for b in range(samples):
        for oy in range(out_height):
            top, bottom = window(oy * stride_y - pad_y, kernel_height, height)
            for ox in range(out_width):
                left, right = window(ox * stride_x - pad_x, kernel_width, width)
                place = ((b * out_height + oy) * out_width + ox) * channels
                for c in range(0, channels, 16):
                    count = min(16, channels - c)
                    total = part = splat(np.float32(0.0))
                    taken = 0
                    for y in range(top, bottom):
                        row = (b * height + y) * width
                        for first in range(left, right, RUN):
                            end = min(first + RUN, right)
                            for column in range(first, end):
                                part = add(load_some(x, (row + column) * channels + c, count), part)
                            taken += end - first
                            if taken >= RUN:
                                total, part, taken = add(part, total), splat(np.float32(0.0)), 0
                    store_first(out, place + c, multiply(add(part, total), share), count)
