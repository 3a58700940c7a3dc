"""Loops that are written in LLVM, and masks of 64, against the NumPy expressions of their docstrings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lanes import FLOATS, float_lanes, small_lanes
from numba import config
from numba.core.errors import TypingError

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd.ops import splat
from sparsenet_kernels.simd.scatter import scatter_blocks
from sparsenet_kernels.simd.set_bits import exceeding64, list_set_bits, popcount64, reaching64
from sparsenet_kernels.simd.shifted import add_shifted

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="vectors exist in compiled code only")

MASKS64 = st.integers(0, 2**64 - 1)


@compiled
def scatter(weights, offsets, z, listed, first, end, sums):
    scatter_blocks(3, weights, offsets, z, listed, first, end, sums)


@given(st.data(), st.integers(0, 2), st.integers(0, 3), st.integers(-1, 9), st.integers(0, 99))
def test_scatter_blocks(data, z, first, end, seed):
    rng = np.random.default_rng(seed)
    weights, sums = data.draw(small_lanes(80)), np.zeros(90, np.float32)
    offsets = rng.integers(-9, 20, 5).astype(np.int32)
    places, values = rng.integers(9, 50, 9).astype(np.int32), rng.integers(-9, 10, 9).astype(np.float32)
    listed = np.stack([places, values.view(np.int32)], axis=1).ravel()
    expected = sums.copy()
    for i in range(first, end):
        for j in range(z, z + 3):
            expected[places[i] + offsets[j] :][:16] += values[i] * weights[16 * j : 16 * j + 16]
    scatter(weights, offsets, z, listed, first, end, sums)
    np.testing.assert_array_equal(sums, expected)


@compiled
def shifted(array, start, offsets, scales, first, end, sums, index):
    add_shifted(2, array, start, offsets, scales, first, end, sums, index)


@given(small_lanes(60), st.integers(0, 3), st.integers(0, 2), st.integers(-1, 5), st.integers(0, 4), st.integers(0, 99))
def test_add_shifted(array, start, first, end, index, seed):
    rng = np.random.default_rng(seed)
    offsets, scales = rng.integers(0, 20, 5).astype(np.int32), rng.integers(-9, 10, 5).astype(np.float32)
    sums = rng.integers(-9, 10, 40).astype(np.float32)
    expected = sums.copy()
    for z in range(first, end):
        expected[index : index + 32] += scales[z] * array[start + offsets[z] :][:32]
    shifted(array, start, offsets, scales, first, end, sums, index)
    np.testing.assert_array_equal(sums, expected)


@pytest.mark.parametrize("operation", [scatter_blocks, add_shifted])
def test_how_many_is_literal(operation):
    flexible = compiled(lambda count, a, b: operation(count + 1, a, 0, b, a, 0, 0, a, 0))
    fewer = compiled(lambda count, a, b: operation(count + 1, a, b, 0, b, 0, 0, a))
    with pytest.raises(TypingError, match="expected a literal number"):
        (fewer if operation is scatter_blocks else flexible)(1, np.zeros(16, np.float32), np.zeros(2, np.int32))


@compiled
def counted(mask):
    return popcount64(mask)


@given(MASKS64)
def test_popcount64(mask):
    assert counted(np.uint64(mask)) == mask.bit_count()


@compiled
def reached(x, start, factor, first, limits, there):
    return reaching64(x, start, factor, first, splat(limits[0]), there)


@compiled
def exceeded(x, start, factor, first, limits, there):
    return exceeding64(x, start, factor, first, splat(limits[0]), there)


def bits_of_mask(mask):
    return (int(mask) >> np.arange(64, dtype=object) & 1).astype(bool)


@pytest.mark.parametrize(("masked", "compared"), [(reached, np.greater_equal), (exceeded, np.greater)])
@given(st.data(), st.integers(1, 70), st.integers(0, 6), st.sampled_from([0.5, 1.0, 2.0]), st.integers(0, 3))
def test_masks_of_64(masked, compared, data, there, start, scale, first):
    seen = min(there, 64)
    x, factor = data.draw(float_lanes(FLOATS, start + seen)), np.full(first + seen, scale, np.float32)
    limit = data.draw(FLOATS | st.sampled_from(list(x)))
    expected = np.zeros(64, bool)
    with np.errstate(over="ignore"):
        expected[:seen] = compared(x[start:] * factor[first:], np.float32(limit))
    mask = masked(x, start, factor, first, np.array([limit], np.float32), there)
    np.testing.assert_array_equal(bits_of_mask(mask), expected)


@compiled
def listed(mask, x, start, first, there, columns, values, at, count):
    list_set_bits(mask, x, start, first, there, columns, values, at, count)


@given(st.data(), st.integers(1, 70), st.integers(0, 6), st.integers(0, 128), st.integers(0, 4), st.integers(-1, 64))
def test_list_set_bits(data, there, start, first, at, count):
    mask = data.draw(MASKS64) & (2 ** min(there, 64) - 1)
    x = data.draw(float_lanes(FLOATS, start + min(there, 64)))
    bits = np.flatnonzero(bits_of_mask(mask))
    count = min(count, len(bits))
    columns, values = np.full(70, -7, np.int32), np.full(70, -7, np.float32)
    expected_columns, expected_values = columns.copy(), values.copy()
    expected_columns[at : at + max(count, 0)] = first + bits[: max(count, 0)]
    expected_values[at : at + max(count, 0)] = x[start + bits[: max(count, 0)]]
    listed(np.uint64(mask), x, start, first, there, columns, values, at, count)
    np.testing.assert_array_equal(columns, expected_columns)
    np.testing.assert_array_equal(values, expected_values)
