"""Outer products of bytes, and the drivers and counters that measurements are made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import config

from sparsenet_kernels.cpu.limits import TILE_PRODUCTS, TILES, byte_multiply_adds, tile_multiply_adds
from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd.amx import amx_available
from sparsenet_kernels.simd.byte_outer import sums_add_outer, sums_total
from sparsenet_kernels.simd.ops import store
from sparsenet_kernels.simd.sums import sums_at, sums_zero
from sparsenet_kernels.simd.timestamp_counter import can_flush, fence, flush_line, ticks

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="vector operations exist in compiled code only")

BYTES = arrays(np.uint8, 8 + 2 * 12 + 4, elements=st.integers(0, 255) | st.sampled_from([0, 127, 128, 255]))
WEIGHTS = arrays(np.int8, 128 + 9, elements=st.integers(-128, 127) | st.sampled_from([-128, -1, 127]))


@compiled
def outer(x, start, step, weights, place, out):
    sums = sums_zero(3, 2)
    sums = sums_add_outer(sums, x, start, step, weights, place)
    sums = sums_add_outer(sums, x, start, step, weights, place)
    store(out, 0, sums_at(sums, 0, 0))
    store(out, 16, sums_at(sums, 0, 1))
    store(out, 32, sums_at(sums, 2, 0))
    store(out, 48, sums_at(sums, 2, 1))
    store(out, 64, sums_total(sums))


@given(BYTES, WEIGHTS, st.integers(0, 8), st.integers(0, 12), st.integers(0, 9))
def test_an_outer_product_is_what_numpy_says(x, weights, start, step, place):
    out = np.empty(80, np.int32)
    outer(x, start, step, weights, place, out)
    rows = [x[start + r * step :][:4].astype(np.int32) for r in range(3)]
    columns = [weights[place + 64 * c :][:64].reshape(16, 4).astype(np.int32) for c in range(2)]
    expected = 2 * np.array([[column @ row for column in columns] for row in rows])
    np.testing.assert_array_equal(out[:64].reshape(4, 16), expected[[0, 0, 2, 2], [0, 1, 0, 1]])
    np.testing.assert_array_equal(out[64:], expected.sum(axis=(0, 1)))


@pytest.mark.parametrize("variant", TILES)
def test_the_limit_of_bytes_does_the_work_it_says(variant):
    rows, columns = TILES[variant]
    depth, turns = 3, 5
    x, weights = np.ones(rows * 4 * depth, np.uint8), np.ones(depth * 64 * columns, np.int8)
    out = np.empty(16, np.int32)
    byte_multiply_adds(variant)(x, weights, out, turns)
    assert out.sum() == turns * depth * rows * columns * 64  # one for each product


def test_the_limit_of_tiles_does_the_work_it_says():
    if not amx_available():
        pytest.skip("this processor has no AMX tiles, or the system does not give them")
    out = np.zeros(1024, np.int32)
    tile_multiply_adds(np.ones(2048, np.uint8), np.ones(2048, np.int8), out, 3)
    assert out.sum() == 3 * TILE_PRODUCTS


@compiled
def flush_and_count(address, times):
    times[0] = ticks()
    flush_line(address)
    fence()
    times[1] = ticks()


def test_the_counter_goes_on_and_flushing_keeps_what_is_there():
    numbers, times = np.arange(64, dtype=np.int64), np.zeros(2, np.int64)
    for place in range(0, 64, 8):
        flush_and_count(numbers.ctypes.data + 8 * place, times)
        assert times[1] >= times[0] > 0
    np.testing.assert_array_equal(numbers, np.arange(64))
    assert can_flush() in (True, False)
