"""A convolution of one sample on AMX tiles, whatever lies in the tiles: blocks of sums, pooled or not, made bytes.

A left-hand tile is up to 16 neighbouring positions of an image; several rows of it share a load of weights. One block
of 16 outputs at a time, so that the sums take 6 KB: with all blocks' sums the layers around it left the cache.
"""

from sparsenet_kernels.cpu.tile_sums import MOST_BLOCKS, sum_tiles
from sparsenet_kernels.jit import helper
from sparsenet_kernels.simd.ops import add, load, maximum
from sparsenet_kernels.simd.sums import store_16_bytes


@helper
def pool_window(sums, at, below, bias, shift, out, place):
    """Pool, requantise and store 16 outputs of one window; its second row lies ``below`` numbers further."""
    upper = maximum(load(sums, at), load(sums, at + 16))
    lower = maximum(load(sums, at + below), load(sums, at + below + 16))
    store_16_bytes(out, place, add(maximum(upper, lower), bias), shift)


@helper
def store_pooled_row(sums, row, positions, bias, shift, out, place):
    """Pool a row of up to eight windows, written out: a loop here made the whole kernel a tenth slower."""
    below, windows, step = 16 * positions, positions // 2, out.shape[3]
    at = 2 * row * below
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


@helper
def store_row(sums, row, positions, bias, shift, out, place):
    """Requantise and store 16 outputs of each position of a row."""
    for position in range(positions):
        total = add(load(sums, (row * positions + position) * 16), bias)
        store_16_bytes(out, place + position * out.shape[3], total, shift)


def _convolution(size, store):
    """Make the function that convolves one sample; ``size`` is that of a pooled window, or 1."""
    most = MOST_BLOCKS // size

    @helper
    def convolve(x, start, down, right, indptr, offsets, weights, tile_bytes, bias, shift, sums, out, b, positions):
        _, out_height, out_width, outputs = out.shape
        together = positions // size
        # 16 outputs at a time, whose bias stays in a register: their sums take one tile for each row
        for n in range(0, outputs, 16):
            first, last, begin = indptr[n // 16], indptr[n // 16 + 1], load(bias, n)
            oy = 0
            while oy < out_height:
                left = out_height - oy
                # a row for each tile of sums; the last two blocks share what is left, so that neither is small
                rows = left if left <= most else (left + 1) // 2 if left < 2 * most else most
                for part in range(0, out_width, together):
                    ox = min(part, out_width - together)  # the last part overlaps its neighbour
                    corner = start + size * (oy * down + ox * right)
                    # sums pass through a scratch of 6 KB: tile registers can be stored, but not read as vectors
                    sum_tiles(
                        size * rows, x, corner, down, right, offsets, weights, tile_bytes, first, last, sums, positions
                    )
                    place = ((b * out_height + oy) * out_width + ox) * outputs + n
                    for row in range(rows):
                        store(sums, row, positions, begin, shift, out, place + row * out_width * outputs)
                oy += rows

    return convolve


convolve_plain, convolve_pooled = _convolution(1, store_row), _convolution(2, store_pooled_row)


@helper
def positions_together(out_width, size):
    """Choose how many positions of a row, of at most 16, a left-hand tile takes: parts of a row are equally long."""
    most = 16 // size
    parts = (out_width + most - 1) // most
    return (out_width + parts - 1) // parts * size
