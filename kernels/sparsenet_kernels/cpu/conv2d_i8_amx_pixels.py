"""Convolution of an image of one channel on AMX tiles, followed by the largest of each 2 x 2 outputs.

The sums go tile by tile into a small scratch array and are pooled from there: pooling and requantising take as long as
the products do. :func:`fits_pixels` proves the sizes; other convolutions are left to
:mod:`sparsenet_kernels.cpu.conv2d_i8`. Ask :func:`sparsenet_kernels.simd.amx.amx_available` before the first call in a
process.
"""

import numpy as np

from sparsenet_kernels.cpu.conv2d_arguments import POOLED
from sparsenet_kernels.cpu.pixels_i8 import spread_pixels
from sparsenet_kernels.formats.pixels import MOST_TILE_COLUMNS, MOST_TILE_ROWS
from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.amx import (
    FEATURES,
    tile_dot,
    tile_load,
    tile_save,
    tile_zero,
    tiles_configure,
    tiles_release,
)
from sparsenet_kernels.simd.bytes import shifted_u8
from sparsenet_kernels.simd.ops import add, load, maximum, splat
from sparsenet_kernels.simd.sums import store_halves

Pair = tuple[int, int]

PIXEL_SUMS = 2 * 4 * 16 * 32
"""Numbers of scratch (int32) of the kernel for pixels: two units of four phases, 16 positions, 32 outputs."""


def fits_pixels(
    kernel: Pair, out: Pair, stride: Pair = (1, 1), dilation: Pair = (1, 1), channels: int = 1, groups: int = 1
) -> bool:
    """Tell whether `conv2d_pool2_i8_tiles_pixels__amx` computes a convolution.

    Parameters
    ----------
    kernel : (int, int)
    out : (int, int)
        Height and width after pooling.
    stride, dilation : (int, int)
        Of the convolution.
    channels, groups : int

    Examples
    --------
    >>> fits_pixels((5, 5), (14, 14)), fits_pixels((7, 7), (14, 14)), fits_pixels((5, 5), (14, 14), stride=(2, 2))
    (True, False, False)
    """
    plain = tuple(stride) == tuple(dilation) == (1, 1) and channels == groups == 1
    return plain and kernel[0] <= MOST_TILE_ROWS and kernel[1] <= MOST_TILE_COLUMNS and out[0] >= 1 and out[1] >= 2


@helper
def largest_of_four(sums, place, step):
    """Take lane by lane the largest of four vectors of sums that lie ``step`` numbers apart."""
    return maximum(
        maximum(load(sums, place), load(sums, place + step)),
        maximum(load(sums, place + 2 * step), load(sums, place + 3 * step)),
    )


@helper
def pool_two(sums, start, pair, positions, low, high, shift, out, place):
    """Pool, requantise and store 32 outputs of the pair-th two of a unit's positions; ``low, high`` is added before.

    That is their bias and the half that rounds them.
    """
    position = min(2 * pair, positions - 2)  # the last pair of an odd number overlaps its neighbour
    step = positions * 32
    at = start + position * 32
    four = shifted_u8(
        add(largest_of_four(sums, at, step), low),
        add(largest_of_four(sums, at + 16, step), high),
        add(largest_of_four(sums, at + 32, step), low),
        add(largest_of_four(sums, at + 48, step), high),
        shift,
    )
    first = place + position * out.shape[3]
    store_halves(out, first, four, first + out.shape[3])


@kernel(
    "conv2d",
    fused=POOLED,
    dtype="i8",
    weights="tiles",
    inputs="pixels",
    variant="amx",
    features=FEATURES,
    arguments="""
        in x u8[B, H, W]; weight weights i8[P, Q, L, F]; constant bias i32[N]; constant shift int;
        constant kernel_height int; scratch slots u8[SH, W, E]; scratch sums i32[S]; out out u8[B, OH, OW, N]
    """,
)
def conv2d_pool2_i8_tiles_pixels(x, weights, bias, shift, kernel_height, slots, sums, out):
    """Slide filters over an image of one channel and keep the largest of each 2 x 2 outputs.

    x              (B, H, W)       u8   padded
    weights        (P, Q, 16, 4)   i8   as `pack_slots` lays them out: P = N / 16, Q = 2 * KW
    bias           (N,)            i32  N is a multiple of 64
    shift                               places by which sums are shifted
    kernel_height                       KH
    slots          (SH, W, 8)      u8   scratch; SH is `slot_rows(H, KH)`
    sums           (S,)            i32  scratch; S is `PIXEL_SUMS`
    out            (B, OH, OW, N)  u8   overwritten; OH = (H - KH + 1) // 2, OW likewise and at least 2

    KW neighbouring slots are a row of a tile, every second pixel another: a tile holds one of the four places of a
    window, for a row of windows. The windows of the unit before (a row, 32 outputs) are pooled between the products of
    this one, because tile instructions keep their order with all loads and stores.

    Work    8 * OH * OW * N * KH * KW operations per sample.
    """
    samples, _, width = x.shape
    _, out_height, out_width, outputs = out.shape
    _, fours, _, _ = weights.shape
    parts = (out_width + 15) // 16
    positions = (out_width + parts - 1) // parts
    step = positions * 32
    unit_sums = 4 * step
    # tiles 0 to 3 hold sums, 4 and 5 one place of every window, 6 and 7 the weights of 32 outputs
    tiles_configure(4, 2, positions, 4 * fours)
    # half a unit of the result: added with the bias, it rounds
    half = splat(np.int32(np.int64(1) << shift >> 1))
    for b in range(samples):
        spread_pixels(x, b, kernel_height, slots)
        for n in range(0, outputs, 32):
            # weights stay in their tiles for all units of the sample
            tile_load(6, weights, n * fours * 4, 64)
            tile_load(7, weights, (n + 16) * fours * 4, 64)
            low, high = add(load(bias, n), half), add(load(bias, n + 16), half)
            pairs, old, place, oy, part = 0, 0, 0, 0, 0
            for _ in range(out_height * parts):
                ox = min(part * positions, out_width - positions)
                corner = (2 * oy * width + 2 * ox) * 8
                # the scratch holds two units: the sums that are being made, and those before, which are pooled
                new = unit_sums - old
                # above left in every window: the step of 16 bytes skips every second pixel
                tile_load(4, slots, corner, 16)
                tile_zero(0)
                tile_dot(0, 4, 6)
                # each product is followed by work of vectors: two windows of the unit before, 32 outputs each
                if pairs > 0:
                    pool_two(sums, old, 0, positions, low, high, shift, out, place)
                tile_zero(1)
                tile_dot(1, 4, 7)
                if pairs > 1:
                    pool_two(sums, old, 1, positions, low, high, shift, out, place)
                # above right, in the other left-hand tile, while tile 4 is still being multiplied
                tile_load(5, slots, corner + 8, 16)
                tile_zero(2)
                tile_dot(2, 5, 6)
                if pairs > 2:
                    pool_two(sums, old, 2, positions, low, high, shift, out, place)
                tile_zero(3)
                tile_dot(3, 5, 7)
                if pairs > 3:
                    pool_two(sums, old, 3, positions, low, high, shift, out, place)
                # below left: from here on a tile of sums is saved just before it is used again
                tile_load(4, slots, corner + 8 * width, 16)
                tile_save(0, sums, new, 128)
                tile_zero(0)
                tile_dot(0, 4, 6)
                if pairs > 4:
                    pool_two(sums, old, 4, positions, low, high, shift, out, place)
                tile_save(1, sums, new + 16, 128)
                tile_zero(1)
                tile_dot(1, 4, 7)
                if pairs > 5:
                    pool_two(sums, old, 5, positions, low, high, shift, out, place)
                # below right
                tile_load(5, slots, corner + 8 * width + 8, 16)
                tile_save(2, sums, new + step, 128)
                tile_zero(2)
                tile_dot(2, 5, 6)
                if pairs > 6:
                    pool_two(sums, old, 6, positions, low, high, shift, out, place)
                tile_save(3, sums, new + step + 16, 128)
                tile_zero(3)
                tile_dot(3, 5, 7)
                # the sums of the lower two places, as soon as their products are there
                tile_save(0, sums, new + 2 * step, 128)
                if pairs > 7:
                    pool_two(sums, old, 7, positions, low, high, shift, out, place)
                tile_save(1, sums, new + 2 * step + 16, 128)
                tile_save(2, sums, new + 3 * step, 128)
                tile_save(3, sums, new + 3 * step + 16, 128)
                pairs = (positions + 1) // 2
                old = new
                place = ((b * out_height + oy) * out_width + ox) * outputs + n
                part += 1
                if part == parts:  # counted: two divisions a unit delayed every load
                    part = 0
                    oy += 1
            # the last unit is pooled with nothing left to hide it behind
            for pair in range(pairs):
                pool_two(sums, old, pair, positions, low, high, shift, out, place)
    tiles_release()
