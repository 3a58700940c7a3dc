"""What one core can do at most: kernels that only multiply, only read, or only wait for themselves.

They are not registered: nothing runs them but the measurement of a machine's limits.
"""

import numpy as np

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd.tile import tile_add_outer, tile_add_scaled, tile_from_row, tile_store_all

__all__ = ["CHAIN_CYCLES", "READ_FLOATS", "TILES", "follow_chain", "multiply_adds", "reads"]

TILES = {"wide": (6, 4), "narrow": (3, 2)}
"""Rows and vectors of 16 that fit into 32 registers of 512 bits, and into 16 of 256 bits."""

READ_FLOATS = {"wide": 256, "narrow": 96}
"""Numbers that one turn of the reading loop takes: a register for each vector."""

CHAIN_CYCLES = 6
"""Instructions in one turn of :func:`follow_chain`, each of which waits for the one before."""


@compiled
def follow_chain(number, turns):
    """Shift and combine a number with itself; no processor can begin an instruction before the last one is done."""
    state = np.uint64(number)
    for _ in range(turns):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
    return state


def multiply_adds(variant):
    """Make the kernel ``f(scales, vectors, out, turns)`` that multiplies and adds in registers.

    scales   (rows * depth,)     f32
    vectors  (depth * 16 * V,)   f32
    out      (rows * 16 * V,)    f32  overwritten

    Work    turns * depth * rows * 16 * V multiply-adds; it reads nothing but a few KiB, again and again.
    """
    rows, vectors_wide = TILES[variant]

    @compiled
    def multiply_adds_f32(scales, vectors, out, turns):
        depth = scales.size // rows
        tile = tile_from_row(rows, vectors_wide, vectors, 0)
        for _ in range(turns):
            for d in range(depth):
                tile = tile_add_outer(tile, scales, d, depth, vectors, d * 16 * vectors_wide)
        tile_store_all(tile, out, 0)

    return multiply_adds_f32


def reads(variant):
    """Make the kernel ``f(numbers, out, turns)`` that reads numbers from end to end and adds them up, turn after turn.

    numbers  (n * READ_FLOATS,)  f32
    out      (READ_FLOATS,)      f32  overwritten

    Work    turns * numbers.nbytes bytes read.
    """
    vectors_read = READ_FLOATS[variant] // 16
    floats = READ_FLOATS[variant]

    @compiled
    def reads_f32(numbers, out, turns):
        tile = tile_from_row(1, vectors_read, numbers, 0)
        for _ in range(turns):
            for first in range(0, numbers.size, floats):
                tile = tile_add_scaled(tile, np.float32(1.0), numbers, first)
        tile_store_all(tile, out, 0)

    return reads_f32
