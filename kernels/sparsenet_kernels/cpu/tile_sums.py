"""Sums on AMX tiles: up to six blocks of 16 x 16 numbers that share each load of weights."""

from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.simd.amx import tiles_add_rows, tiles_save, tiles_zero

MOST_BLOCKS = 6
"""Blocks of sums that are computed together; the two tiles that are left take inputs and weights."""

TILE_SUMS = MOST_BLOCKS * 16 * 16
"""Numbers of scratch (int32) that the sums of all blocks take."""


def _summing(blocks):
    """Make the function that computes so many blocks of sums into the scratch array."""

    @helper
    def sum_blocks(x, corner, between, step, offsets, weights, tile_bytes, first, last, sums, rows):
        # a tile of sums for each block; all of them meet the weights of one load
        tiles_zero(blocks)
        for z in range(first, last):
            at = corner + offsets[index(z)]
            tiles_add_rows(blocks, x, at, between, step, weights, z * tile_bytes, 2048)
        # block after block, 16 sums a row; tiles 6 and 7 hold nothing that is still needed
        tiles_save(blocks, sums, 0, rows * 16, 64)

    return sum_blocks


_one, _two, _three, _four, _five, _six = (_summing(blocks) for blocks in range(1, MOST_BLOCKS + 1))


@helper
def sum_tiles(blocks, x, corner, between, step, offsets, weights, tile_bytes, first, last, sums, rows):
    """Multiply ``blocks`` blocks of inputs, 1 to 6, by one list of right-hand tiles.

        sums[i, r, n] = sum over z and d of  x[corner + offsets[z] + i * between + r * step + d] * weights[z, d, n]

    for the tiles z from ``first`` to ``last``, of ``tile_bytes`` bytes each; a block has ``rows`` rows, as configured.
    """
    if blocks == 6:
        _six(x, corner, between, step, offsets, weights, tile_bytes, first, last, sums, rows)
    elif blocks == 5:
        _five(x, corner, between, step, offsets, weights, tile_bytes, first, last, sums, rows)
    elif blocks == 4:
        _four(x, corner, between, step, offsets, weights, tile_bytes, first, last, sums, rows)
    elif blocks == 3:
        _three(x, corner, between, step, offsets, weights, tile_bytes, first, last, sums, rows)
    elif blocks == 2:
        _two(x, corner, between, step, offsets, weights, tile_bytes, first, last, sums, rows)
    else:
        _one(x, corner, between, step, offsets, weights, tile_bytes, first, last, sums, rows)
