"""Moving activations without computing: turning axes, padding, joining."""

import numpy as np

from sparsenet_kernels.cuda.api import cuda
from sparsenet_kernels.cuda.launch import kernel


@kernel("swap_axes", arguments="in x f32[B, M, N]; out out f32[B, N, M]", blocks="B N", threads="M")
def swap_axes_f32(x, out):
    """Turn (B, M, N) into (B, N, M): channels first to channels last, or back.

    x    (B, M, N)  f32
    out  (B, N, M)  f32  overwritten
    """
    _, rows, columns = x.shape
    b, column = cuda.blockIdx.x // columns, cuda.blockIdx.x % columns
    for row in range(cuda.threadIdx.x, rows, cuda.blockDim.x):
        out[b, column, row] = x[b, row, column]


@kernel(
    "pad2d",
    arguments="in x f32[B, H, W, C]; constant top int; constant left int; out out f32[B, HP, WP, C]",
    blocks="B HP",
    threads="C",
)
def pad2d_f32(x, top, left, out):
    """Copy an image into the middle of zeros.

    x    (B, H, W, C)    f32
    top, left            rows above and columns left of the copy
    out  (B, HP, WP, C)  f32  overwritten; HP >= top + H, WP >= left + W
    """
    _, height, width, channels = x.shape
    _, padded_height, padded_width, _ = out.shape
    b, row = cuda.blockIdx.x // padded_height, cuda.blockIdx.x % padded_height
    y = row - top
    for column in range(padded_width):
        inside = y >= 0 and y < height and column >= left and column < left + width
        for c in range(cuda.threadIdx.x, channels, cuda.blockDim.x):
            out[b, row, column, c] = x[b, y, column - left, c] if inside else np.float32(0.0)


@kernel("place", arguments="in x f32[B, R, C]; constant first int; out out f32[B, R, N]", blocks="B R", threads="C")
def place_f32(x, first, out):
    """Copy channels to their place among the channels of a joined image.

    x      (B, R, C)  f32
    first             channel of ``out`` that channel 0 goes to
    out    (B, R, N)  f32  channels first to first + C are overwritten
    """
    _, rows, channels = x.shape
    b, r = cuda.blockIdx.x // rows, cuda.blockIdx.x % rows
    for c in range(cuda.threadIdx.x, channels, cuda.blockDim.x):
        out[b, r, first + c] = x[b, r, c]
