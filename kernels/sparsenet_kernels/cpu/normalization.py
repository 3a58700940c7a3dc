"""Rows of numbers normalised by their own mean and variance, in vectors of 16: one with AVX-512, two with AVX2.

A row is read four times, and is in the nearest cache from the second time on. Each pass is more exact than it need be
for numbers near zero, so that rows far from zero and rows of tiny or huge numbers come out right, too:

    1  mean         the sum, rounded to float32
    2  correction   the mean of what is left: what the rounding of the mean was
    3  scale        a power of two that brings the farthest number near 1, so that squares neither overflow nor vanish
    4  share        one over the root of the mean square
"""

import numpy as np

from sparsenet_kernels.cpu.pool import load_some
from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import (
    add,
    largest_lane,
    load,
    magnitudes,
    maximum,
    multiply,
    multiply_add,
    number_of,
    select,
    splat,
    store_first,
    sum_lanes,
)

MOST_HALVED, MOST_DOUBLED = 126, 60
"""The largest powers of two by which a row is divided, or multiplied."""


@helper
def distances(x, start, count, mean, correction):
    """Load at most 16 numbers and take the mean away, in two parts; lanes behind the last number are zero."""
    near = add(add(load_some(x, start, count), splat(-mean)), splat(-correction))
    return near if count == 16 else select(np.uint16((1 << count) - 1), near, splat(np.float32(0.0)))


@helper
def row_sum(x, start, size, mean):
    """Add up the numbers of a row, each less ``mean``."""
    # four sums that do not wait for each other: an addition takes four cycles, and two can begin in each
    a = b = c = d = splat(np.float32(0.0))
    less, whole = splat(-mean), size // 64 * 64
    for at in range(start, start + whole, 64):
        a = add(a, add(load(x, at), less))
        b = add(b, add(load(x, at + 16), less))
        c = add(c, add(load(x, at + 32), less))
        d = add(d, add(load(x, at + 48), less))
    for at in range(whole, size, 16):
        a = add(a, distances(x, start + at, min(16, size - at), mean, np.float32(0.0)))
    return sum_lanes(add(add(a, b), add(c, d)))


@helper
def farthest(x, start, size, mean, correction):
    """Return the bits of the largest distance from the mean, signs aside; NaN and infinity are larger than all."""
    most = splat(np.int32(0))
    for at in range(0, size, 16):
        most = maximum(magnitudes(distances(x, start + at, min(16, size - at), mean, correction)), most)
    return largest_lane(most)


@helper
def square_sum(x, start, size, mean, correction, scale):
    """Add up the squares of the distances from the mean, each times ``scale``."""
    # two sums that do not wait for each other: half of each turn goes into taking the mean away
    a = b = splat(np.float32(0.0))
    scales = splat(scale)
    for at in range(0, size, 32):
        near = multiply(distances(x, start + at, min(16, size - at), mean, correction), scales)
        a = multiply_add(near, near, a)
        if size - at > 16:
            near = multiply(distances(x, start + at + 16, min(16, size - at - 16), mean, correction), scales)
            b = multiply_add(near, near, b)
    return sum_lanes(add(a, b))


@kernel(
    "layer_norm",
    arguments="""
        in x f32[B, R, C]; constant weight f32[C]; constant bias f32[C]; constant epsilon f32[1];
        out out f32[B, R, C]
    """,
    reference="layer_norm",
)
def layer_norm_f32(x, weight, bias, epsilon, out):
    """Normalise each row by its own mean and variance.

        out[b, r, c] = (x[b, r, c] - mean[b, r]) / sqrt(variance[b, r] + epsilon) * weight[c] + bias[c]

    x             (B, R, C)  f32
    weight, bias  (C,)       f32
    epsilon       (1,)       f32  above 0
    out           (B, R, C)  f32  overwritten; may be x

    Work    four passes over a row, 9 flop for each number.
    """
    samples, rows, size = x.shape
    for row in range(samples * rows):
        start = row * size
        mean = np.float32(np.float64(row_sum(x, start, size, np.float32(0.0))) / size)
        correction = np.float32(np.float64(row_sum(x, start, size, mean)) / size)
        # the exponent's bits of the farthest number, the other way round, are those of the power of two
        exponent = (farthest(x, start, size, mean, correction) >> 23) - 127
        exponent = min(max(exponent, -MOST_DOUBLED), MOST_HALVED)
        scale = number_of(np.int32((127 - exponent) << 23))
        mean_square = np.float64(square_sum(x, start, size, mean, correction, scale)) / size
        wide = np.float64(scale)  # squared, it leaves float32
        share = np.float32(1.0 / np.sqrt(mean_square + np.float64(epsilon[0]) * wide * wide))
        for at in range(0, size, 16):
            count = min(16, size - at)
            # times the power of two first, which is exact: its product with the share may leave float32
            near = multiply(distances(x, start + at, count, mean, correction), splat(scale))
            normal = multiply(near, splat(share))
            scaled = multiply_add(normal, load_some(weight, at, count), load_some(bias, at, count))
            store_first(out, start + at, scaled, count)
