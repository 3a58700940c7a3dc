"""What one core can do at most: kernels that only multiply, only read, or only wait for themselves.

They are not registered: nothing runs them but the measurement of a machine's limits.
"""

import numpy as np

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd.amx import tile_dot, tile_load, tile_save, tiles_configure, tiles_release, tiles_zero
from sparsenet_kernels.simd.byte_outer import sums_add_outer, sums_total
from sparsenet_kernels.simd.ops import store
from sparsenet_kernels.simd.sums import sums_zero
from sparsenet_kernels.simd.tile import tile_add_outer, tile_add_scaled, tile_from_row, tile_store_all

__all__ = [
    "CHAIN_CYCLES",
    "READ_FLOATS",
    "TILES",
    "TILE_PRODUCTS",
    "byte_multiply_adds",
    "follow_chain",
    "multiply_adds",
    "reads",
    "tile_multiply_adds",
]

TILES = {"wide": (6, 4), "narrow": (3, 2)}
"""Rows and vectors of 16 that fit into 32 registers of 512 bits, and into 16 of 256 bits."""

TILE_PRODUCTS = 4 * 16 * 16 * 64
"""Products of bytes in one turn of :func:`tile_multiply_adds`."""

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


def byte_multiply_adds(variant):
    """Make the kernel ``f(inputs, weights, out, turns)`` that multiplies and adds bytes in registers.

    inputs   (rows * 4 * depth,)  u8
    weights  (depth * 64 * V,)    i8
    out      (16,)                i32  overwritten

    Work    turns * depth * rows * V * 64 multiply-adds; it reads nothing but a few KiB, again and again.
    """
    rows, columns = TILES[variant]

    @compiled
    def multiply_adds_i8(inputs, weights, out, turns):
        depth = inputs.size // (4 * rows)
        sums = sums_zero(rows, columns)
        for _ in range(turns):
            for d in range(depth):
                sums = sums_add_outer(sums, inputs, 4 * d, 4 * depth, weights, d * 64 * columns)
        store(out, 0, sums_total(sums))

    return multiply_adds_i8


@compiled
def tile_multiply_adds(left, right, out, turns):
    """Multiply two tiles by two others, turn after turn; ask ``amx_available()`` before the first call.

    left   (2048,)  u8
    right  (2048,)  i8
    out    (1024,)  i32  overwritten

    Work    turns * TILE_PRODUCTS multiply-adds; nothing is read or written between them.
    """
    tiles_configure(4, 2, 16, 64)
    tiles_zero(4)
    tile_load(4, left, 0, 64)
    tile_load(5, left, 1024, 64)
    tile_load(6, right, 0, 64)
    tile_load(7, right, 1024, 64)
    for _ in range(turns):
        tile_dot(0, 4, 6)
        tile_dot(1, 4, 7)
        tile_dot(2, 5, 6)
        tile_dot(3, 5, 7)
    tile_save(0, out, 0, 64)
    tile_save(1, out, 256, 64)
    tile_save(2, out, 512, 64)
    tile_save(3, out, 768, 64)
    tiles_release()


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
