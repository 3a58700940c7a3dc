"""Between dense activations and active lists."""

import numpy as np

from sparsenet_kernels.jit import index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import compress, lanes_from, load_first, not_equal, popcount, splat, store_first


@kernel("compact", arguments="in x f32[B, R, C]; out columns i32[B, R, K]; out values f32[B, R, K]")
def compact_f32(x, columns, values):
    """List the non-zeros of each row.

    x        (B, R, C)  f32  NaN is no zero
    columns  (B, R, K)  i32  overwritten: columns of the non-zeros, rising; -1 ends a row of fewer than K
    values   (B, R, K)  f32  overwritten up to that end

    K must be at least the largest number of non-zeros in a row; what does not fit is left out.

    Work    one pass over x; 16 values at a time are compressed.
    """
    samples, positions, channels = x.shape
    width = columns.shape[2]
    for row in range(samples * positions):
        at = row * width
        end = at + width
        for j in range(0, channels, 16):
            count = min(16, channels - j)
            value = load_first(x, row * channels + j, count, 0.0)
            wanted = not_equal(value, splat(np.float32(0.0)))  # NaN is active: it must not pass for a zero
            found = min(popcount(wanted), end - at)
            store_first(columns, at, compress(lanes_from(j), wanted), found)
            store_first(values, at, compress(value, wanted), found)
            at += found
        if at < end:
            store_first(columns, at, splat(np.int32(-1)), 1)  # ravel needs reference counts, which kernels go without


@kernel("expand", arguments="in columns i32[B, R, K]; in values f32[B, R, K]; out out f32[B, R, C]")
def expand_f32(columns, values, out):
    """Write listed values to their places, zeros elsewhere.

    columns  (B, R, K)  i32  0 <= columns < C; -1 ends a short row
    values   (B, R, K)  f32
    out      (B, R, C)  f32  overwritten
    """
    samples, positions, width = columns.shape
    out[:] = 0.0
    for b in range(samples):
        for p in range(positions):
            for j in range(width):
                column = columns[b, p, j]
                if column < 0:
                    break
                out[b, p, index(column)] = values[b, p, j]


@kernel(
    "flatten_active",
    arguments="""
        in columns i32[B, R, K]; in values f32[B, R, K]; constant channels int; out columns_out i32[B, 1, L];
        out values_out f32[B, 1, L]
    """,
)
def flatten_active_f32(columns, values, channels, columns_out, values_out):
    """Join the lists of all positions into one list a sample; position p, channel c becomes p * channels + c.

    columns      (B, R, K)  i32  0 <= columns < channels; -1 ends a short row
    values       (B, R, K)  f32
    columns_out  (B, 1, L)  i32  overwritten; L = R * K; -1 ends a short list
    values_out   (B, 1, L)  f32  overwritten up to that end
    """
    samples, positions, width = columns.shape
    for b in range(samples):
        at = 0
        for p in range(positions):
            for j in range(width):
                column = columns[b, p, j]
                if column < 0:
                    break
                columns_out[b, 0, at] = p * channels + column
                values_out[b, 0, at] = values[b, p, j]
                at += 1
        if at < columns_out.shape[2]:
            columns_out[b, 0, at] = -1
