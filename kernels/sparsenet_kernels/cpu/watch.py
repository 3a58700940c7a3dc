"""Watching values: whether any of a sample is beyond a limit, or no number at all."""

import numpy as np

from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import bits_of, largest_lane, load, load_first, magnitudes, maximum, splat


@helper
def largest_magnitude(x, start, n):
    """Return the largest of ``n`` numbers, signs aside, by its bits: NaN is above infinity, that above all others."""
    best, whole = splat(np.int32(0)), n // 16 * 16
    for j in range(0, whole, 16):
        best = maximum(magnitudes(load(x, start + j)), best)
    if whole < n:
        best = maximum(magnitudes(load_first(x, start + whole, n - whole, 0.0)), best)
    return largest_lane(best)


@kernel("watch", arguments="in x f32[B, N]; constant limit f32[1]; constant place int; out trips i32[B, W]")
def watch_f32(x, limit, place, trips):
    """Note which samples hold a number beyond a limit, or infinity, or NaN.

        trips[b, place] = 0 if all(abs(x[b]) <= limit) else 1

    x      (B, N)  f32
    limit  (1,)    f32  0 or more, finite
    place          int  0 <= place < W
    trips  (B, W)  i32  column ``place`` is overwritten

    Work    one pass over x, a load, a mask and a maximum for 16 numbers: NaN is the largest integer of all, so that
            nothing has to be asked of it.
    """
    most = bits_of(limit[0])
    for b in range(x.shape[0]):
        trips[b, place] = np.int32(largest_magnitude(x, b * x.shape[1], x.shape[1]) > most)
