"""The sorting networks against np.sort, in every lane."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lanes import FLOATS
from numba import config

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd.sorted_eight import MERGE, SORT, largest_eight, ranks_in_lanes
from sparsenet_kernels.simd.tile import tile_store_all

compiled_only = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="tiles exist in compiled code only")
FACTORS = st.sampled_from([0.5, 1.0, 2.0])


def in_order(numbers, pairs):
    numbers = list(numbers)
    for a, b in pairs:
        numbers[a], numbers[b] = max(numbers[a], numbers[b]), min(numbers[a], numbers[b])
    return numbers


def test_the_network_sorts_every_sequence_of_zeros_and_ones():
    """A network of comparisons that sorts these sorts everything (the zero-one principle)."""
    for bits in itertools.product([0, 1], repeat=8):
        assert in_order(bits, SORT) == sorted(bits, reverse=True)


def test_the_merge_finds_the_largest_eight_of_two_sorted_eights():
    for ones_a, ones_b in itertools.product(range(9), repeat=2):
        a, b = [1] * ones_a + [0] * (8 - ones_a), [1] * ones_b + [0] * (8 - ones_b)
        largest = [max(pair) for pair in zip(a, reversed(b), strict=True)]
        assert in_order(largest, MERGE) == sorted(a + b, reverse=True)[:8]


@compiled
def ranked(x, index, step, factor, column, out):
    tile_store_all(ranks_in_lanes(x, index, step, factor, column), out, 0)


@compiled
def largest(x, step, factor, out):
    first, second = ranks_in_lanes(x, 0, step, factor, 0), ranks_in_lanes(x, 8, step, factor, 8)
    tile_store_all(largest_eight(first, second), out, 0)


@compiled_only
@given(arrays(np.float32, (17, 13), elements=FLOATS), arrays(np.float32, 10, elements=FACTORS), st.integers(0, 5))
def test_ranks_in_lanes(x, factor, index):
    column = index % 3
    out = np.zeros((8, 16), np.float32)
    ranked(x, index, 13, factor, column, out)
    rows = [x.ravel()[index + 13 * row :][:8] for row in range(16)]
    with np.errstate(over="ignore"):
        expected = np.sort(np.stack(rows) * factor[column : column + 8])[:, ::-1].T
    np.testing.assert_array_equal(out, expected)


@compiled_only
@given(arrays(np.float32, (16, 16), elements=FLOATS), arrays(np.float32, 16, elements=FACTORS))
def test_largest_eight(x, factor):
    out = np.zeros((8, 16), np.float32)
    largest(x, 16, factor, out)
    with np.errstate(over="ignore"):
        expected = np.sort(x * factor)[:, :7:-1].T
    np.testing.assert_array_equal(out, expected)
