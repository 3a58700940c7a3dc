"""Convolution of bytes on AMX tiles, followed by the largest of each 2 x 2 outputs.

Both kernels compute sums tile by tile into a small scratch array and pool from there: pooling and requantising take as
long as the products do. Their sizes are proven by :func:`fits_slots` and :func:`fits_tiles`; other convolutions are
left to :mod:`sparsenet_kernels.cpu.conv2d_i8`. Ask :func:`sparsenet_kernels.simd.amx.amx_available` before the first
call in a process.
"""

from sparsenet_kernels.cpu.pixels_i8 import spread_pixels
from sparsenet_kernels.formats.pixels import MOST_TILE_COLUMNS, MOST_TILE_ROWS
from sparsenet_kernels.jit import index, inlined
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.amx import (
    FEATURES,
    tile_dot,
    tile_load,
    tile_save,
    tile_zero,
    tiles_add_rows,
    tiles_configure,
    tiles_release,
    tiles_save,
    tiles_zero,
)
from sparsenet_kernels.simd.bytes import narrow_u8
from sparsenet_kernels.simd.ops import add, load, maximum
from sparsenet_kernels.simd.sums import store_16_bytes, store_halves

Pair = tuple[int, int]

SLOT_SUMS = 2 * 4 * 16 * 32
"""Numbers of scratch (int32) of the kernel for slots: two units of four phases, 16 positions, 32 outputs."""

TILE_SUMS = 6 * 16 * 16
"""Numbers of scratch (int32) of the kernel for tiles: six rows of 16 positions, 16 outputs."""


def fits_slots(
    kernel: Pair, out: Pair, stride: Pair = (1, 1), dilation: Pair = (1, 1), channels: int = 1, groups: int = 1
) -> bool:
    """Tell whether `conv2d_pool2_i8_slots_dense__amx` computes a convolution.

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
    >>> fits_slots((5, 5), (14, 14)), fits_slots((7, 7), (14, 14)), fits_slots((5, 5), (14, 14), stride=(2, 2))
    (True, False, False)
    """
    plain = tuple(stride) == tuple(dilation) == (1, 1) and channels == groups == 1
    return plain and kernel[0] <= MOST_TILE_ROWS and kernel[1] <= MOST_TILE_COLUMNS and out[0] >= 1 and out[1] >= 2


def fits_tiles(out: Pair, channels: int) -> bool:
    """Tell whether `conv2d_pool2_i8_tiles_dense__amx` computes a convolution.

    Parameters
    ----------
    out : (int, int)
        Height and width after pooling.
    channels : int
        Channels of the image in memory.

    Examples
    --------
    >>> fits_tiles((5, 5), 64), fits_tiles((5, 5), 4)
    (True, False)
    """
    return channels > 0 and channels % 64 == 0 and min(out) >= 1


@inlined
def largest_of_four(sums, place, step):
    """Take lane by lane the largest of four vectors of sums that lie ``step`` numbers apart."""
    return maximum(
        maximum(load(sums, place), load(sums, place + step)),
        maximum(load(sums, place + 2 * step), load(sums, place + 3 * step)),
    )


@inlined
def pool_two(sums, start, pair, positions, bias, n, shift, out, place):
    """Pool, requantise and store 32 outputs of the pair-th two of a unit's positions."""
    position = min(2 * pair, positions - 2)  # the last pair of an odd number overlaps its neighbour
    step = positions * 32
    at = start + position * 32
    low, high = load(bias, n), load(bias, n + 16)
    four = narrow_u8(
        add(largest_of_four(sums, at, step), low),
        add(largest_of_four(sums, at + 16, step), high),
        add(largest_of_four(sums, at + 32, step), low),
        add(largest_of_four(sums, at + 48, step), high),
        shift,
    )
    first = place + position * out.shape[3]
    store_halves(out, first, four, first + out.shape[3])


@kernel(
    "conv2d_pool2",
    dtype="i8",
    weights="slots",
    inputs="dense",
    variant="amx",
    features=FEATURES,
    arguments="""
        x u8[B, H, W]; weights i8[P, Q, L, F]; bias i32[N]; shift int; kernel_height int; slots u8[SH, W, E];
        sums i32[S]; out u8[B, OH, OW, N]
    """,
)
def conv2d_pool2_i8_slots_dense(x, weights, bias, shift, kernel_height, slots, sums, out):
    """Slide filters over an image of one channel and keep the largest of each 2 x 2 outputs.

    x              (B, H, W)       u8   padded
    weights        (P, Q, 16, 4)   i8   as `pack_slots` lays them out: P = N / 16, Q = 2 * KW
    bias           (N,)            i32  N is a multiple of 64
    shift                               places by which sums are shifted
    kernel_height                       KH
    slots          (SH, W, 8)      u8   scratch; SH is `slot_rows(H, KH)`
    sums           (S,)            i32  scratch; S is `SLOT_SUMS`
    out            (B, OH, OW, N)  u8   overwritten; OH = (H - KH + 1) // 2, OW likewise and at least 2

    KW neighbouring slots are a row of a tile, every second pixel another: a tile holds one of the four places of a
    window, for a row of windows. The windows of the unit before (a row, 32 outputs) are pooled between the products of
    this one, because tile instructions keep their order with all loads and stores.

    Work    8 * OH * OW * N * KH * KW operations per sample.
    """
    samples, height, width = x.shape
    _, out_height, out_width, outputs = out.shape
    _, fours, _, _ = weights.shape
    parts = (out_width + 15) // 16
    positions = (out_width + parts - 1) // parts
    step = positions * 32
    unit_sums = 4 * step
    tiles_configure(4, 2, positions, 4 * fours)
    for b in range(samples):
        spread_pixels(x, b, kernel_height, slots)
        for n in range(0, outputs, 32):
            tile_load(6, weights, n * fours * 4, 64)
            tile_load(7, weights, (n + 16) * fours * 4, 64)
            pairs, old, place = 0, 0, 0
            for unit in range(out_height * parts):
                oy = unit // parts
                ox = min(unit % parts * positions, out_width - positions)
                corner = (2 * oy * width + 2 * ox) * 8
                new = unit_sums - old
                tile_load(4, slots, corner, 16)
                tile_zero(0)
                tile_dot(0, 4, 6)
                tile_zero(1)
                tile_dot(1, 4, 7)
                if pairs > 0:
                    pool_two(sums, old, 0, positions, bias, n, shift, out, place)
                tile_load(5, slots, corner + 8, 16)
                tile_zero(2)
                tile_dot(2, 5, 6)
                tile_save(0, sums, new, 128)
                if pairs > 1:
                    pool_two(sums, old, 1, positions, bias, n, shift, out, place)
                tile_zero(3)
                tile_dot(3, 5, 7)
                tile_save(1, sums, new + 16, 128)
                if pairs > 2:
                    pool_two(sums, old, 2, positions, bias, n, shift, out, place)
                tile_load(4, slots, corner + 8 * width, 16)
                tile_zero(0)
                tile_dot(0, 4, 6)
                tile_save(2, sums, new + step, 128)
                if pairs > 3:
                    pool_two(sums, old, 3, positions, bias, n, shift, out, place)
                tile_zero(1)
                tile_dot(1, 4, 7)
                tile_save(3, sums, new + step + 16, 128)
                if pairs > 4:
                    pool_two(sums, old, 4, positions, bias, n, shift, out, place)
                tile_load(5, slots, corner + 8 * width + 8, 16)
                tile_zero(2)
                tile_dot(2, 5, 6)
                tile_save(0, sums, new + 2 * step, 128)
                if pairs > 5:
                    pool_two(sums, old, 5, positions, bias, n, shift, out, place)
                tile_zero(3)
                tile_dot(3, 5, 7)
                tile_save(1, sums, new + 2 * step + 16, 128)
                if pairs > 6:
                    pool_two(sums, old, 6, positions, bias, n, shift, out, place)
                tile_save(2, sums, new + 3 * step, 128)
                if pairs > 7:
                    pool_two(sums, old, 7, positions, bias, n, shift, out, place)
                tile_save(3, sums, new + 3 * step + 16, 128)
                pairs = (positions + 1) // 2
                old = new
                place = ((b * out_height + oy) * out_width + ox) * outputs + n
            for pair in range(pairs):
                pool_two(sums, old, pair, positions, bias, n, shift, out, place)
    tiles_release()


def _accumulator(rows):
    """Make the function that computes so many rows of 16 outputs into the scratch array."""

    @inlined
    def sum_rows(x, corner, row_step, column_step, offsets, weights, first, last, sums, positions):
        tiles_zero(rows)
        for z in range(first, last):
            tiles_add_rows(rows, x, corner + offsets[index(z)], row_step, column_step, weights, z * 1024)
        tiles_save(rows, sums, 0, positions * 16, 64)

    return sum_rows


sum_six_rows, sum_four_rows, sum_two_rows = _accumulator(6), _accumulator(4), _accumulator(2)


@inlined
def pool_window(sums, at, below, bias, shift, out, place):
    """Pool, requantise and store 16 outputs of one window; its second row lies ``below`` numbers further."""
    upper = maximum(load(sums, at), load(sums, at + 16))
    lower = maximum(load(sums, at + below), load(sums, at + below + 16))
    store_16_bytes(out, place, add(maximum(upper, lower), bias), shift)


@inlined
def pool_row(sums, at, windows, bias, shift, out, place):
    """Pool a row of up to eight windows, written out: a loop here made the whole kernel a tenth slower."""
    below, step = 32 * windows, out.shape[3]
    pool_window(sums, at, below, bias, shift, out, place)
    if windows > 1:
        pool_window(sums, at + 32, below, bias, shift, out, place + step)
    if windows > 2:
        pool_window(sums, at + 64, below, bias, shift, out, place + 2 * step)
    if windows > 3:
        pool_window(sums, at + 96, below, bias, shift, out, place + 3 * step)
    if windows > 4:
        pool_window(sums, at + 128, below, bias, shift, out, place + 4 * step)
    if windows > 5:
        pool_window(sums, at + 160, below, bias, shift, out, place + 5 * step)
    if windows > 6:
        pool_window(sums, at + 192, below, bias, shift, out, place + 6 * step)
    if windows > 7:
        pool_window(sums, at + 224, below, bias, shift, out, place + 7 * step)


@kernel(
    "conv2d_pool2",
    dtype="i8",
    weights="tiles",
    inputs="dense",
    variant="amx",
    features=FEATURES,
    arguments="""
        x u8[B, H, W, C]; indptr i32[P1]; offsets i32[Z]; weights i8[Z, D4, L, F]; bias i32[N]; shift int;
        stride_y int; stride_x int; sums i32[S]; out u8[B, OH, OW, N]
    """,
)
def conv2d_pool2_i8_tiles_dense(x, indptr, offsets, weights, bias, shift, stride_y, stride_x, sums, out):
    """Multiply the kept tiles of 64 inputs by 16 outputs and keep the largest of each 2 x 2 outputs.

    x        (B, H, W, C)    u8   padded, C a multiple of 64
    indptr   (P1,)           i32  P1 = N / 16 + 1; the tiles of block p are indptr[p]:indptr[p + 1]
    offsets  (Z,)            i32  where in a window a tile's 64 inputs begin; see `tap_offsets`
    weights  (Z, 16, 16, 4)  i8   as `pack_tiles_conv2d` lays them out
    bias     (N,)            i32  N is a multiple of 64
    shift                         places by which sums are shifted
    sums     (S,)            i32  scratch; S is `TILE_SUMS`
    out      (B, OH, OW, N)  u8   overwritten; half the convolution's height and width, rounded down

    A left-hand tile is up to 16 neighbouring positions straight from the image. Six rows share a load of weights. One
    block of outputs at a time, so that the sums take 6 KB: with all blocks' sums the layers around it left the cache.

    Work    8 * OH * OW * Z * 1024 operations per sample.
    """
    samples, height, width, channels = x.shape
    _, out_height, out_width, outputs = out.shape
    parts = (out_width + 7) // 8
    windows = (out_width + parts - 1) // parts  # in a row of a part; the last part overlaps its neighbour
    positions = 2 * windows
    column_step = stride_x * channels
    row_step = stride_y * width * channels
    tiles_configure(6, 1, positions, 64)
    for b in range(samples):
        for n in range(0, outputs, 16):
            first, last = indptr[n // 16], indptr[n // 16 + 1]
            for oy in range(0, out_height, 3):
                for part in range(parts):
                    ox = min(part * windows, out_width - windows)
                    corner = b * height * width * channels + 2 * oy * row_step + 2 * ox * column_step
                    rows = min(3, out_height - oy)
                    if rows == 3:
                        sum_six_rows(x, corner, row_step, column_step, offsets, weights, first, last, sums, positions)
                    elif rows == 2:
                        sum_four_rows(x, corner, row_step, column_step, offsets, weights, first, last, sums, positions)
                    else:
                        sum_two_rows(x, corner, row_step, column_step, offsets, weights, first, last, sums, positions)
                    place = ((b * out_height + oy) * out_width + ox) * outputs + n
                    start = load(bias, n)
                    pool_row(sums, 0, windows, start, shift, out, place)
                    if rows > 1:
                        pool_row(sums, 64 * windows, windows, start, shift, out, place + out_width * outputs)
                    if rows > 2:
                        pool_row(sums, 128 * windows, windows, start, shift, out, place + 2 * out_width * outputs)
    tiles_release()
