"""Every operation on tiles against the NumPy expression of its docstring; small integers, so that sums are exact."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lanes import small_lanes
from numba import config
from numba.core.errors import TypingError

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd import ops
from sparsenet_kernels.simd import tile as tiles

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="tiles exist in compiled code only")

ROWS, COLUMNS = 3, 2
WIDTH = 16 * COLUMNS


@compiled
def row_everywhere(array, index, out):
    tiles.tile_store_all(tiles.tile_from_row(3, 2, array, index), out, 0)


@given(small_lanes(64), st.integers(0, 32))
def test_tile_from_row_fills_every_row(array, index):
    out = np.zeros((ROWS, WIDTH), np.float32)
    row_everywhere(array, index, out)
    np.testing.assert_array_equal(out, np.tile(array[index : index + WIDTH], (ROWS, 1)))


def test_tile_from_row_needs_literal_counts():
    flexible = compiled(lambda rows, array: tiles.tile_from_row(rows + 1, 2, array, 0))
    with pytest.raises(TypingError, match="literal row and column counts"):
        flexible(2, np.zeros(32, np.float32))


@compiled
def outer(start_row, scales, start, step, array, index, out):
    tile = tiles.tile_from_row(3, 2, start_row, 0)
    tile = tiles.tile_add_outer(tile, scales, start, step, array, index)
    tiles.tile_store_all(tile, out, 0)


@given(small_lanes(WIDTH), small_lanes(12), st.integers(0, 3), st.integers(0, 4), small_lanes(64), st.integers(0, 32))
def test_tile_add_outer(start_row, scales, start, step, array, index):
    out = np.zeros((ROWS, WIDTH), np.float32)
    outer(start_row, scales, start, step, array, index, out)
    used = scales[start + step * np.arange(ROWS)]
    np.testing.assert_array_equal(out, start_row + np.outer(used, array[index : index + WIDTH]))


@compiled
def square(start_row, scales, start, step, below, array, index, out):
    tile = tiles.tile_from_row(4, 2, start_row, 0)
    tile = tiles.tile_add_square(tile, scales, start, step, below, array, index)
    tiles.tile_store_all(tile, out, 0)


@given(small_lanes(WIDTH), small_lanes(20), st.integers(0, 4), st.integers(0, 9), small_lanes(64), st.integers(0, 32))
def test_tile_add_square_takes_two_lines_of_numbers(start_row, scales, step, below, array, index):
    out = np.zeros((4, WIDTH), np.float32)
    square(start_row, scales, 1, step, below, array, index, out)
    used = scales[1 + np.array([0, step, below, below + step])]
    np.testing.assert_array_equal(out, start_row + np.outer(used, array[index : index + WIDTH]))


@compiled
def pooled(array, out):
    tile = tiles.tile_add_scaled(tiles.tile_from_row(8, 2, array, 256), np.float32(1.0), array, 0)
    tiles.tile_store_all(tiles.tile_pooled(tile), out, 0)


@given(small_lanes(256))
def test_tile_pooled_keeps_the_largest_of_each_square(numbers):
    out = np.zeros((2, WIDTH), np.float32)
    pooled(np.concatenate([numbers, np.zeros(WIDTH, np.float32)]), out)
    lines = numbers.reshape(2, 2, 2, WIDTH)  # above and below, windows, left and right
    np.testing.assert_array_equal(out, lines.max(axis=(0, 2)))


@compiled
def scaled(start_row, scale, array, index, out):
    tile = tiles.tile_from_row(3, 2, start_row, 0)
    tiles.tile_store_all(tiles.tile_add_scaled(tile, scale, array, index), out, 0)


@given(small_lanes(WIDTH), st.integers(-9, 9), small_lanes(120), st.integers(0, 24))
def test_tile_add_scaled_takes_as_many_numbers_as_the_tile_holds(start_row, scale, array, index):
    out = np.zeros((ROWS, WIDTH), np.float32)
    scaled(start_row, np.float32(scale), array, index, out)
    added = array[index : index + ROWS * WIDTH].reshape(ROWS, WIDTH)
    np.testing.assert_array_equal(out, start_row + scale * added)


@compiled
def vectors_apart(start_row, array, out):
    tile = tiles.tile_add_scaled(tiles.tile_from_row(2, 2, start_row, 0), np.float32(1.0), array, 0)
    ops.store(out, 0, tiles.tile_row(tile, 0, 0))
    ops.store(out, 16, tiles.tile_row(tile, 0, 1))
    ops.store(out, 32, tiles.tile_row(tile, 1, 0))
    ops.store(out, 48, tiles.tile_row(tile, 1, 1))


@given(small_lanes(32), small_lanes(64))
def test_tile_row_takes_vectors_out_in_row_order(start_row, array):
    out = np.zeros(64, np.float32)
    vectors_apart(start_row, array, out)
    np.testing.assert_array_equal(out, np.tile(start_row, 2) + array)


@compiled
def stored(array, out, index, step, count):
    tile = tiles.tile_add_scaled(tiles.tile_from_row(3, 2, array, 96), np.float32(1.0), array, 0)
    tiles.tile_store(tile, out, index, step, count)


@given(small_lanes(96), st.integers(0, 10), st.integers(0, 40), st.integers(-2, WIDTH + 3))
def test_tile_store_writes_the_beginning_of_every_row(numbers, index, step, count):
    out = np.full(150, -1000, np.float32)
    expected = out.copy()
    array = np.concatenate([numbers, np.zeros(WIDTH, np.float32)])
    for r in range(ROWS):
        row = numbers[r * WIDTH : r * WIDTH + max(0, min(count, WIDTH))]
        expected[index + r * step : index + r * step + len(row)] = row
    stored(array, out, index, step, count)
    np.testing.assert_array_equal(out, expected)


@compiled
def stored_all(array, out, index):
    tile = tiles.tile_add_scaled(tiles.tile_from_row(3, 2, array, 96), np.float32(1.0), array, 0)
    tiles.tile_store_all(tile, out, index)


@given(small_lanes(96), st.integers(0, 10))
def test_tile_store_all(numbers, index):
    out = np.full(110, -1000, np.float32)
    expected = out.copy()
    expected[index : index + 96] = numbers
    stored_all(np.concatenate([numbers, np.zeros(WIDTH, np.float32)]), out, index)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 8), (8, 1), (6, 4)])
def test_tiles_of_every_shape_accumulate(rows, columns):
    @compiled
    def accumulate(scales, array, out):
        tile = tiles.tile_from_row(rows, columns, array, 0)
        for d in range(5):
            tile = tiles.tile_add_outer(tile, scales, d, 5, array, d * 16 * columns)
        tiles.tile_store(tile, out, 0, 16 * columns, 16 * columns)

    rng = np.random.default_rng(0)
    scales, array = (rng.integers(-9, 9, (n, m)).astype(np.float32) for n, m in ((rows, 5), (5, 16 * columns)))
    out = np.zeros((rows, 16 * columns), np.float32)
    accumulate(scales, array, out)
    np.testing.assert_array_equal(out, array[0] + scales @ array)


def test_every_operation_is_tested():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in tiles.__all__ if f"tiles.{name}(" not in source] == []
