"""Operations on single elements or on the channels of one position."""

import math

import numpy as np

from sparsenet_kernels.cuda.api import cuda
from sparsenet_kernels.cuda.launch import kernel
from sparsenet_kernels.cuda.places import larger


@kernel("relu", arguments="in x f32[B, N]; out out f32[B, N]", blocks="B", threads="N")
def relu_f32(x, out):
    """Compute ``out = max(x, 0)``.

    x    (B, N)  f32
    out  (B, N)  f32  overwritten
    """
    b = cuda.blockIdx.x
    for n in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        out[b, n] = larger(x[b, n], np.float32(0.0))


@kernel("add", arguments="in x f32[B, N]; in y f32[B, N]; out out f32[B, N]", blocks="B", threads="N")
def add_f32(x, y, out):
    """Compute ``out = x + y``.

    x, y  (B, N)  f32
    out   (B, N)  f32  overwritten; may be x
    """
    b = cuda.blockIdx.x
    for n in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        out[b, n] = x[b, n] + y[b, n]


@kernel(
    "affine",
    arguments="in x f32[B, R, C]; constant scale f32[C]; constant shift f32[C]; out out f32[B, R, C]",
    blocks="B R",
    threads="C",
)
def affine_f32(x, scale, shift, out):
    """out[b, r, c] = x[b, r, c] * scale[c] + shift[c].

    x             (B, R, C)  f32
    scale, shift  (C,)       f32
    out           (B, R, C)  f32  overwritten
    """
    _, rows, channels = x.shape
    b, r = cuda.blockIdx.x // rows, cuda.blockIdx.x % rows
    for c in range(cuda.threadIdx.x, channels, cuda.blockDim.x):
        out[b, r, c] = x[b, r, c] * scale[c] + shift[c]


@kernel("softmax", arguments="in x f32[B, R, C]; constant logarithm int; out out f32[B, R, C]", blocks="B", threads="R")
def softmax_f32(x, logarithm, out):
    """Compute the softmax over the channels of each position, or its logarithm where ``logarithm`` is 1.

        out[c] = exp(x[c] - max(x)) / sum(exp(x - max(x)))

    x    (B, R, C)  f32
    out  (B, R, C)  f32  overwritten

    A thread takes a position: a network ends in few classes. Sums are taken in float64.
    """
    _, rows, channels = x.shape
    b = cuda.blockIdx.x
    for r in range(cuda.threadIdx.x, rows, cuda.blockDim.x):
        top = x[b, r, 0]
        for c in range(channels):
            top = larger(top, x[b, r, c])
        total = 0.0
        for c in range(channels):
            total += math.exp(np.float64(x[b, r, c]) - np.float64(top))
        for c in range(channels):
            distance = np.float64(x[b, r, c]) - np.float64(top)
            share = distance - math.log(total) if logarithm == 1 else math.exp(distance) / total
            out[b, r, c] = np.float32(share)
