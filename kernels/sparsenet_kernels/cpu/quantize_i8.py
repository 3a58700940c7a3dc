"""Floats to bytes, at the entrance of a quantised network."""

import numpy as np

from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.bytes import narrow_u8, store_u8, to_int
from sparsenet_kernels.simd.ops import add, load, multiply, splat


@helper
def steps(x, start, factor, zero):
    """Return 16 numbers in steps of the scale, as integers."""
    return add(to_int(multiply(load(x, start), splat(factor))), splat(np.int32(zero)))


@helper
def byte_of(number, factor, zero):
    """Turn one float into a byte; it is clipped as a float, and adding ``zero`` is exact before.

    ``max`` returns its first argument where one is NaN, so that NaN becomes 0 here, as in whole vectors.
    """
    value = np.rint(number * factor) + np.float32(zero)
    return np.uint8(min(max(np.float32(0.0), value), np.float32(255.0)))


@kernel(
    "quantize", dtype="i8", arguments="in x f32[B, N]; constant reciprocal f32[1]; constant zero int; out out u8[B, N]"
)
def quantize_i8(x, reciprocal, zero, out):
    """Turn floats into bytes, in steps of a scale from the byte that stands for 0.0.

        out[b, j] = clip(rint(x[b, j] * reciprocal) + zero, 0, 255)        halves go to the even number

    x           (B, N)  f32  NaN becomes 0
    reciprocal  (1,)    f32  1 / scale, rounded to float32
    zero                int  0 <= zero <= 255
    out         (B, N)  u8   overwritten

    Left to LLVM, the loop over single numbers was vectorised too, and took twice as long.
    """
    factor, n = reciprocal[0], x.size
    whole = n // 64 * 64
    for j in range(0, whole, 64):
        a, b = steps(x, j, factor, zero), steps(x, j + 16, factor, zero)
        c, d = steps(x, j + 32, factor, zero), steps(x, j + 48, factor, zero)
        store_u8(out, j, narrow_u8(a, b, c, d, 0))
    columns = x.shape[1]
    for j in range(whole, n):
        row, column = divmod(j, columns)
        out[row, column] = byte_of(x[row, column], factor, zero)
