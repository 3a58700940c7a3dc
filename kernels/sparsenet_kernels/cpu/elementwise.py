"""Operations on single elements or on the channels of one position."""

import math

import numpy as np

from sparsenet_kernels.cpu.pool import load_some
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import greater, multiply, select, splat, store_first


@kernel("relu", arguments="in x f32[B, N]; out out f32[B, N]")
def relu_f32(x, out):
    """Compute ``out = max(x, 0)``.

    x    (B, N)  f32
    out  (B, N)  f32  overwritten
    """
    for b in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[b, j] = max(x[b, j], np.float32(0.0))


@kernel("leaky_relu", arguments="in x f32[B, N]; constant slope f32[1]; out out f32[B, N]", reference="leaky_relu")
def leaky_relu_f32(x, slope, out):
    """Compute ``out = x`` where x is positive, and ``x * slope`` elsewhere.

    x      (B, N)  f32
    slope  (1,)    f32
    out    (B, N)  f32  overwritten

    Samples lie one behind the other, so all of them are one row of vectors: two of 8 lanes with AVX2, one with AVX-512.
    """
    size = x.shape[0] * x.shape[1]
    steep, zero = splat(slope[0]), splat(np.float32(0.0))
    for start in range(0, size, 16):
        count = min(16, size - start)
        numbers = load_some(x, start, count)
        # NaN is not above zero, and stays NaN when it is multiplied
        store_first(out, start, select(greater(numbers, zero), numbers, multiply(numbers, steep)), count)


@kernel("add", arguments="in x f32[B, N]; in y f32[B, N]; out out f32[B, N]")
def add_f32(x, y, out):
    """Compute ``out = x + y``.

    x, y  (B, N)  f32
    out   (B, N)  f32  overwritten; may be x
    """
    for b in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[b, j] = x[b, j] + y[b, j]


@kernel("cast", dtype="i32", arguments="in x i32[B, N]; out out f32[B, N]")
def cast_i32(x, out):
    """Round whole numbers to float32, to the nearest: up to 2**24 in size they are exact.

    x    (B, N)  i32
    out  (B, N)  f32  overwritten
    """
    for b in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[b, j] = np.float32(x[b, j])


@kernel("affine", arguments="in x f32[B, R, C]; constant scale f32[C]; constant shift f32[C]; out out f32[B, R, C]")
def affine_f32(x, scale, shift, out):
    """out[b, r, c] = x[b, r, c] * scale[c] + shift[c].

    x             (B, R, C)  f32
    scale, shift  (C,)       f32
    out           (B, R, C)  f32  overwritten
    """
    samples, positions, channels = x.shape
    for b in range(samples):
        for p in range(positions):
            for c in range(channels):
                out[b, p, c] = x[b, p, c] * scale[c] + shift[c]


@kernel("softmax", arguments="in x f32[B, R, C]; constant logarithm int; out out f32[B, R, C]")
def softmax_f32(x, logarithm, out):
    """Compute the softmax over the channels of each position, or its logarithm where ``logarithm`` is 1.

        out[c] = exp(x[c] - max(x)) / sum(exp(x - max(x)))

    x    (B, R, C)  f32
    out  (B, R, C)  f32  overwritten

    Sums are taken in float64: it costs little for the few classes of a network's end.
    """
    samples, positions, channels = x.shape
    for b in range(samples):
        for p in range(positions):
            top = x[b, p, 0]
            for c in range(channels):
                top = max(top, x[b, p, c])
            total = 0.0
            for c in range(channels):
                total += math.exp(np.float64(x[b, p, c]) - np.float64(top))
            for c in range(channels):
                distance = np.float64(x[b, p, c]) - np.float64(top)
                share = distance - math.log(total) if logarithm == 1 else math.exp(distance) / total
                out[b, p, c] = np.float32(share)
