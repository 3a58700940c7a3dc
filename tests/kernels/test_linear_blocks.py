"""Blocks in the orders and sizes that the kernels of linear layers read."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet_kernels import formats, reference
from sparsenet_kernels.registry import kernels
from sparsenet_kernels.testing import can_run

ACTIVE = "linear_f32_blocks_active"


@given(st.integers(1, 70), st.integers(1, 9), st.sampled_from([0.0, 0.2, 1.0]), st.integers(0, 2**16))
def test_blocks_by_tile_hold_the_same_weights(N, D, density, seed):
    rng = np.random.default_rng(seed)
    weight = (rng.integers(1, 9, (N, D)) * (rng.random((N, D)) < density)).astype(np.float32)
    packed = formats.pack_blocks(weight)
    indptr, columns, values = packed.by_tile()
    assert indptr.size == -(-N // 16) + 1
    assert indptr[-1] == len(columns) == len(values)
    wide = np.zeros((indptr.size - 1, 16, D), np.float32)
    for tile, (first, end) in enumerate(pairwise(indptr)):
        assert (np.diff(columns[first:end]) > 0).all()
        wide[tile, :, columns[first:end]] = values[first:end]
    np.testing.assert_array_equal(wide.reshape(-1, D)[:N], weight)


@pytest.mark.parametrize(("outputs", "size"), [(1, 1), (4096, 1), (4097, 2), (2**20, 2), (2**20 + 1, 4)])
def test_tiles_take_as_many_bytes_as_the_outputs_need(outputs, size):
    weight = np.zeros((outputs, 1), np.float32)
    weight[[0, -1]] = 1.0
    tiles = formats.pack_blocks(weight).tiles
    numbers = (tiles.astype(np.int64) << (8 * np.arange(size))).sum(1)
    assert tiles.shape[1] == size
    assert numbers.tolist() == sorted({0, (outputs - 1) // 16})


@pytest.mark.skipif(not can_run(kernels()[ACTIVE]), reason="needs compiled vector operations")
@pytest.mark.parametrize("size", [1, 2, 4])
def test_tiles_of_any_size_say_the_same(size):
    rng = np.random.default_rng(0)
    weight = rng.integers(-3, 4, (40, 5)).astype(np.float32)
    packed = formats.pack_blocks(weight)
    tiles = np.zeros((len(packed.tiles), size), np.uint8)
    tiles[:, :1] = packed.tiles
    columns, values = np.int32([[1, 4]]), np.float32([[2.0, -3.0]])
    bias, sums, out = np.zeros(40, np.float32), np.zeros(48, np.float32), np.zeros((1, 40), np.float32)
    kernels()[ACTIVE].function(columns, values, packed.indptr, tiles, packed.values, bias, sums, out)
    x = np.float32([[0.0, 2.0, 0.0, 0.0, -3.0]])
    np.testing.assert_array_equal(out, reference.linear(x, weight))


@pytest.mark.skipif(not can_run(kernels()[ACTIVE]), reason="needs compiled vector operations")
@pytest.mark.parametrize("left", [5, 2**31 - 1, -(2**31)])
def test_what_lies_behind_the_end_of_a_list_is_of_no_account(left):
    weight = np.arange(80, dtype=np.float32).reshape(16, 5)
    packed = formats.pack_blocks(weight)
    columns = np.full((2, 9), left, np.int32)
    columns[:, 0], columns[:, 1] = [0, 3], -1
    values, out = np.full((2, 9), 2.0, np.float32), np.zeros((2, 16), np.float32)
    bias, sums = np.zeros(16, np.float32), np.zeros(16, np.float32)
    kernels()[ACTIVE].function(columns, values, packed.indptr, packed.tiles, packed.values, bias, sums, out)
    np.testing.assert_array_equal(out, 2 * weight[:, [0, 3]].T)
