"""Every vector operation, lane by lane, against the NumPy expression of its docstring."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lanes import (
    ANY_FLOATS,
    COUNTS,
    INTEGERS,
    MASKS,
    assert_same_bits,
    flags_of,
    float_lanes,
    int_lanes,
    mask_of,
    small_lanes,
)
from numba import config

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd import ops

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="vector operations exist in compiled code only")

EITHER = st.one_of(float_lanes(ANY_FLOATS, 48), int_lanes(48))
"""Arrays of 48 numbers of either kind."""


@compiled
def copy(array, index, out, place):
    ops.store(out, place, ops.load(array, index))


@given(EITHER, st.integers(0, 32), st.integers(0, 32))
def test_load_and_store(array, index, place):
    out, expected = np.zeros_like(array), np.zeros_like(array)
    copy(array, index, out, place)
    expected[place : place + 16] = array[index : index + 16]
    assert_same_bits(out, expected)


@given(float_lanes(ANY_FLOATS, 48), st.integers(0, 32))
def test_load_counts_elements_in_memory_order_whatever_the_axes(array, index):
    out = np.zeros((4, 4), np.float32)
    copy(array.reshape(2, 4, 6), index, out, 0)
    assert_same_bits(out.ravel(), array[index : index + 16])


@compiled
def copy_after_prefetch(array, index, out):
    ops.prefetch(array, index)
    ops.store(out, 0, ops.load(array, 0))


@pytest.mark.parametrize("index", [0, 47, 48, 10**6, -(10**6)])
def test_prefetch_does_nothing_to_be_seen_wherever_it_points(index):
    out = np.zeros(16, np.float32)
    copy_after_prefetch(np.arange(48, dtype=np.float32), index, out)
    np.testing.assert_array_equal(out, np.arange(16))


@compiled
def copy_first(array, index, count, other, out, place):
    ops.store(out, place, ops.load_first(array, index, count, other))


@given(EITHER, st.integers(0, 47), COUNTS)
def test_load_first_reads_no_more_than_it_is_told(array, index, count):
    count = min(count, 48 - index)
    out = np.zeros(16, array.dtype)
    copy_first(array, index, count, 7, out, 0)
    expected = np.full(16, 7, array.dtype)
    expected[:count] = array[index : index + count]
    assert_same_bits(out, expected)


@pytest.mark.parametrize("count", [-5, 0, 16, 17, 1000])
def test_load_first_clips_its_count(count):
    out = np.zeros(16, np.int32)
    copy_first(np.arange(16, dtype=np.int32), 0, count, -1, out, 0)
    np.testing.assert_array_equal(out, np.where(np.arange(16) < count, np.arange(16), -1))


@compiled
def store_some(array, out, place, count):
    ops.store_first(out, place, ops.load(array, 0), count)


@given(st.one_of(float_lanes(ANY_FLOATS), int_lanes()), st.integers(0, 47), COUNTS)
def test_store_first_writes_no_more_than_it_is_told(array, place, count):
    count = min(count, 48 - place)
    out = np.full(48, 5, array.dtype)
    expected = out.copy()
    expected[place : place + count] = array[:count]
    store_some(array, out, place, count)
    assert_same_bits(out, expected)


@pytest.mark.parametrize("count", [-5, 0, 16, 17, 1000])
def test_store_first_clips_its_count(count):
    out = np.zeros(40, np.int32)
    store_some(np.arange(1, 17, dtype=np.int32), out, 8, count)
    assert out.sum() == np.arange(1, 17)[: max(count, 0)].sum()
    assert not out[24:].any()


@compiled
def fill(number, out):
    ops.store(out, 0, ops.splat(number))


@given(ANY_FLOATS)
def test_splat_of_a_float(number):
    out = np.zeros(16, np.float32)
    fill(np.float32(number), out)
    assert_same_bits(out, np.full(16, number, np.float32))


@given(INTEGERS)
def test_splat_of_an_integer(number):
    out = np.zeros(16, np.int32)
    fill(np.int32(number), out)
    np.testing.assert_array_equal(out, number)


@compiled
def count_up(first, out):
    ops.store(out, 0, ops.lanes_from(first))


@given(st.integers(-(2**31), 2**31 - 17))
def test_lanes_from(first):
    out = np.zeros(16, np.int32)
    count_up(first, out)
    np.testing.assert_array_equal(out, first + np.arange(16))


@compiled
def fused(a, b, c, out):
    ops.store(out, 0, ops.multiply_add(ops.load(a, 0), ops.load(b, 0), ops.load(c, 0)))


@given(*[float_lanes(st.floats(-1e6, 1e6, width=32))] * 3)
def test_multiply_add_is_rounded_once_or_twice(a, b, c):
    out = np.zeros(16, np.float32)
    fused(a, b, c, out)
    exact = a.astype(np.float64) * b  # a product of two float32 is exact in float64
    once, twice = (exact + c).astype(np.float32), a * b + c
    # adding c in float64 may itself round, so one spacing of the result is granted to the fused form
    close = np.abs(out - once) <= np.spacing(np.abs(once))
    assert np.all(close | (out == twice))


@given(small_lanes(), small_lanes(), small_lanes())
def test_multiply_add_of_small_integers_is_exact(a, b, c):
    out = np.zeros(16, np.float32)
    fused(a, b, c, out)
    np.testing.assert_array_equal(out, a * b + c)


@compiled
def sum_of(a, b, out):
    ops.store(out, 0, ops.add(ops.load(a, 0), ops.load(b, 0)))


@given(float_lanes(ANY_FLOATS), float_lanes(ANY_FLOATS))
def test_add_of_floats(a, b):
    out = np.zeros(16, np.float32)
    sum_of(a, b, out)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(out, a + b)


@given(int_lanes(), int_lanes())
def test_add_of_integers_wraps_around(a, b):
    out = np.zeros(16, np.int32)
    sum_of(a, b, out)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(out, a + b)


@compiled
def product_of(a, b, out):
    ops.store(out, 0, ops.multiply(ops.load(a, 0), ops.load(b, 0)))


@given(float_lanes(ANY_FLOATS), float_lanes(ANY_FLOATS))
def test_multiply(a, b):
    out = np.zeros(16, np.float32)
    product_of(a, b, out)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(out, a * b)


@compiled
def larger_of(a, b, out):
    ops.store(out, 0, ops.maximum(ops.load(a, 0), ops.load(b, 0)))


@given(float_lanes(ANY_FLOATS), float_lanes(ANY_FLOATS))
def test_maximum_of_floats_takes_the_second_where_there_is_a_nan(a, b):
    out = np.zeros(16, np.float32)
    larger_of(a, b, out)
    assert_same_bits(out, np.where(a > b, a, b))


@given(int_lanes(), int_lanes())
def test_maximum_of_integers(a, b):
    out = np.zeros(16, np.int32)
    larger_of(a, b, out)
    np.testing.assert_array_equal(out, np.maximum(a, b))


@compiled
def smaller_of(a, b, out):
    ops.store(out, 0, ops.minimum(ops.load(a, 0), ops.load(b, 0)))


@given(float_lanes(ANY_FLOATS), float_lanes(ANY_FLOATS), int_lanes(), int_lanes())
def test_minimum_takes_the_second_where_there_is_a_nan(a, b, i, j):
    out, integers = np.zeros(16, np.float32), np.zeros(16, np.int32)
    smaller_of(a, b, out)
    smaller_of(i, j, integers)
    assert_same_bits(out, np.where(a < b, a, b))
    np.testing.assert_array_equal(integers, np.minimum(i, j))


@compiled
def compared(a, b):
    return ops.greater(ops.load(a, 0), ops.load(b, 0)), ops.greater_equal(ops.load(a, 0), ops.load(b, 0))


FEW_FLOATS = st.sampled_from([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45])


@given(*[st.one_of(float_lanes(ANY_FLOATS), float_lanes(FEW_FLOATS))] * 2)
def test_compare_floats_is_false_for_nan(a, b):
    assert compared(a, b) == (mask_of(a > b), mask_of(a >= b))


@compiled
def differing(a, b):
    return ops.not_equal(ops.load(a, 0), ops.load(b, 0))


@given(*[st.one_of(float_lanes(ANY_FLOATS), float_lanes(FEW_FLOATS))] * 2)
def test_nan_differs_from_everything(a, b):
    assert differing(a, b) == mask_of(a != b)


@given(int_lanes(), int_lanes())
def test_compare_integers(a, b):
    assert compared(a, b) == (mask_of(a > b), mask_of(a >= b))


@compiled
def chosen(mask, a, b, out):
    ops.store(out, 0, ops.select(mask, ops.load(a, 0), ops.load(b, 0)))


@given(MASKS, st.one_of(*[st.tuples(lanes, lanes) for lanes in (float_lanes(ANY_FLOATS), int_lanes())]))
def test_select(mask, pair):
    out = np.zeros_like(pair[0])
    chosen(np.uint16(mask), *pair, out)
    assert_same_bits(out, np.where(flags_of(mask), *pair))


@compiled
def closed_up(array, mask, out):
    count = ops.popcount(mask)
    ops.store_first(out, 0, ops.compress(ops.load(array, 0), mask), count)
    return count


@given(st.one_of(float_lanes(ANY_FLOATS), int_lanes()), MASKS)
def test_compress_and_popcount(array, mask):
    out, expected = np.zeros_like(array), np.zeros_like(array)
    kept = array[flags_of(mask)]
    expected[: len(kept)] = kept
    assert closed_up(array, np.uint16(mask), out) == len(kept)
    assert_same_bits(out, expected)


@compiled
def bits_set(mask):
    return ops.popcount(mask)


@pytest.mark.parametrize("mask", [0, 1, 0x8000, 0x5555, 0xFFFF])
def test_popcount(mask):
    assert bits_set(np.uint16(mask)) == mask.bit_count()


@compiled
def keys_of(array, out):
    ops.store(out, 0, ops.order_keys(ops.load(array, 0)))


@given(st.one_of(float_lanes(), float_lanes(FEW_FLOATS.filter(lambda number: number == number))))
def test_order_keys_compare_as_the_numbers_do(array):
    keys = np.zeros(16, np.int32)
    keys_of(array, keys)
    np.testing.assert_array_equal(np.sign(np.subtract.outer(keys.astype(np.int64), keys)), signs(array))


def signs(array):
    """Tell for each pair of numbers whether the first is larger (1), smaller (-1) or equal (0); infinities, too."""
    return np.greater.outer(array, array).astype(np.int64) - np.less.outer(array, array)


def test_order_keys_end_above_the_lowest_integer():
    keys = np.zeros(16, np.int32)
    keys_of(np.full(16, -np.inf, np.float32), keys)
    assert keys[0] == -0x7F800000


@compiled
def keys_of_products(a, b, out):
    ops.store(out, 0, ops.order_keys(ops.multiply(ops.load(a, 0), ops.load(b, 0))))


def test_order_keys_of_a_product_that_underflows_is_that_of_zero():
    """LLVM may fuse the product with what follows: a key made by adding 0.0 came out as that of a negative number."""
    keys = np.ones(16, np.int32)
    keys_of_products(np.full(16, -1e-45, np.float32), np.full(16, 0.25, np.float32), keys)
    np.testing.assert_array_equal(keys, 0)


@compiled
def magnitudes_of(array, out):
    ops.store(out, 0, ops.magnitudes(ops.load(array, 0)))


@given(float_lanes())
def test_magnitudes_compare_as_sizes_do(array):
    sizes = np.zeros(16, np.int32)
    magnitudes_of(array, sizes)
    np.testing.assert_array_equal(sizes, np.abs(array).view(np.int32))


@compiled
def double_bits(number):
    return ops.double_bits_of(number)


@given(st.floats())
def test_double_bits_of(number):
    assert double_bits(number) == np.float64(number).view(np.int64)


@compiled
def bits(number):
    return ops.bits_of(number)


@given(ANY_FLOATS)
def test_bits_of(number):
    assert bits(np.float32(number)) == np.float32(number).view(np.int32)


@compiled
def number(bits):
    return ops.number_of(bits)


@given(ANY_FLOATS)
def test_number_of_undoes_bits_of(value):
    assert_same_bits(np.float32([number(np.float32(value).view(np.int32))]), np.float32([value]))


@compiled
def total_of(array):
    return ops.sum_lanes(ops.load(array, 0))


@given(float_lanes(st.floats(-1e6, 1e6, width=32)))
def test_sum_lanes_in_any_order(array):
    exact = array.astype(np.float64)
    # fifteen additions, each off by at most half a spacing of a partial sum, which the sum of magnitudes bounds
    assert abs(total_of(array) - exact.sum()) <= 15 * 2.0**-24 * np.abs(exact).sum() * 1.000001


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_sum_lanes_keeps_what_is_not_finite(poison):
    array = np.ones(16, np.float32)
    array[11] = poison
    np.testing.assert_equal(total_of(array), np.float32(poison))


@compiled
def top_of(array):
    return ops.largest_lane(ops.load(array, 0))


@given(int_lanes())
def test_largest_lane(array):
    assert top_of(array) == array.max()


def test_every_operation_is_tested():
    source = Path(__file__).read_text(encoding="utf-8")
    emitters = {"spread", "fused_multiply_add"}  # called while code is made, by splat and multiply_add
    assert [name for name in ops.__all__ if f"ops.{name}(" not in source and name not in emitters] == []
