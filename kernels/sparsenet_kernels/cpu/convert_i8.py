"""Between floats and bytes where channels are padded: bytes of a position fill whole vectors, floats do not."""

import numpy as np

from sparsenet_kernels.registry import kernel


@kernel(
    "quantize_rows",
    dtype="i8",
    arguments="in x f32[B, R, C]; constant reciprocal f32[1]; constant zero int; out out u8[B, R, S]",
)
def quantize_rows_i8(x, reciprocal, zero, out):
    """Turn floats into bytes, and fill each position up with zeros.

        out[b, r, c] = clip(rint(x[b, r, c] * reciprocal) + zero, 0, 255)   for c < C, else 0

    x           (B, R, C)  f32  NaN becomes 0
    reciprocal  (1,)       f32  1 / scale, rounded to float32
    zero                   int  0 <= zero <= 255
    out         (B, R, S)  u8   overwritten; S >= C
    """
    samples, positions, channels = x.shape
    factor, offset = reciprocal[0], np.float32(zero)
    for b in range(samples):
        for r in range(positions):
            for c in range(channels):
                value = np.float32(x[b, r, c] * factor)
                value = min(max(np.float32(-255.0), value), np.float32(511.0))  # in this order NaN becomes -255
                value = np.float32(np.rint(value)) + offset
                out[b, r, c] = np.uint8(min(max(value, np.float32(0.0)), np.float32(255.0)))
            for c in range(channels, out.shape[2]):
                out[b, r, c] = 0


@kernel(
    "dequantize",
    dtype="i8",
    arguments="in x u8[B, R, S]; constant scale f32[1]; constant zero int; out out f32[B, R, C]",
)
def dequantize_i8(x, scale, zero, out):
    """Turn bytes into floats, and leave out what fills each position up.

        out[b, r, c] = (x[b, r, c] - zero) * scale

    x      (B, R, S)  u8   S >= C
    scale  (1,)       f32
    zero              int  0 <= zero <= 255
    out    (B, R, C)  f32  overwritten
    """
    samples, positions, channels = out.shape
    for b in range(samples):
        for r in range(positions):
            for c in range(channels):
                out[b, r, c] = np.float32(np.int32(x[b, r, c]) - np.int32(zero)) * scale[0]


@kernel(
    "pad2d",
    dtype="i8",
    arguments="in x u8[B, H, W, S]; constant top int; constant left int; constant value int; out out u8[B, HP, WP, S]",
)
def pad2d_i8(x, top, left, value, out):
    """Copy an image into the middle of a frame of one byte.

    x          (B, H, W, S)    u8
    top, left                  rows above and columns left of the copy
    value                 int  the byte around it, in every channel
    out        (B, HP, WP, S)  u8  overwritten; HP >= top + H, WP >= left + W
    """
    samples, height, width, channels = x.shape
    for b in range(samples):
        for y in range(out.shape[1]):
            inside = top <= y < top + height
            for column in range(out.shape[2]):
                copied = inside and left <= column < left + width
                for c in range(channels):
                    out[b, y, column, c] = x[b, y - top, column - left, c] if copied else np.uint8(value)


@kernel("spread_channels", dtype="i8", arguments="in x u8[B, R, C]; out out u8[B, R, S]")
def spread_channels_i8(x, out):
    """Copy the channels of each position, and fill it up with zeros.

    x    (B, R, C)  u8
    out  (B, R, S)  u8  overwritten; S >= C
    """
    samples, positions, channels = x.shape
    for b in range(samples):
        for r in range(positions):
            for c in range(out.shape[2]):
                out[b, r, c] = x[b, r, c] if c < channels else np.uint8(0)
