"""Convolution of bytes on AMX tiles, followed by the largest of each 2 x 2 outputs.

The sums go tile by tile into a small scratch array and are pooled from there. :func:`fits_tiles` proves the sizes;
other convolutions are left to :mod:`sparsenet_kernels.cpu.conv2d_i8`. Ask
:func:`sparsenet_kernels.simd.amx.amx_available` before the first call in a process.
"""

from sparsenet_kernels.jit import compiled, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.amx import (
    FEATURES,
    tiles_add_rows,
    tiles_configure,
    tiles_release,
    tiles_save,
    tiles_zero,
)
from sparsenet_kernels.simd.ops import add, load, maximum
from sparsenet_kernels.simd.sums import store_16_bytes

Pair = tuple[int, int]

TILE_SUMS = 6 * 16 * 16
"""Numbers of scratch (int32) of the kernel for tiles: six rows of 16 positions, 16 outputs."""


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


def _accumulator(rows):
    """Make the function that computes so many rows of 16 outputs into the scratch array."""

    @compiled
    def sum_rows(x, corner, row_step, column_step, offsets, weights, first, last, sums, positions):
        tiles_zero(rows)
        for z in range(first, last):
            tiles_add_rows(rows, x, corner + offsets[index(z)], row_step, column_step, weights, z * 1024)
        tiles_save(rows, sums, 0, positions * 16, 64)

    return sum_rows


sum_six_rows, sum_four_rows, sum_two_rows = _accumulator(6), _accumulator(4), _accumulator(2)


@compiled
def pool_window(sums, at, below, bias, shift, out, place):
    """Pool, requantise and store 16 outputs of one window; its second row lies ``below`` numbers further."""
    upper = maximum(load(sums, at), load(sums, at + 16))
    lower = maximum(load(sums, at + below), load(sums, at + below + 16))
    store_16_bytes(out, place, add(maximum(upper, lower), bias), shift)


@compiled
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
