"""The sorting networks against np.sort, in every lane."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lanes import FLOATS
from numba import config
from numba.core.errors import TypingError

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd.sorted_lanes import (
    joining,
    merging,
    put_in_order,
    ranks_in_lanes,
    run_at,
    sorted_largest,
    sorted_run,
    sorting,
)
from sparsenet_kernels.simd.tile import tile_store_all

compiled_only = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="tiles exist in compiled code only")
FACTORS = st.sampled_from([0.5, 1.0, 2.0])
RUNS = arrays(np.float32, (32, 16), elements=FLOATS)


def in_order(rows, pairs):
    """Put the columns of an array of zeros and ones in order, the larger first."""
    rows = np.array(rows)
    for a, b in pairs:
        rows[:, [a, b]] = np.stack([rows[:, a] | rows[:, b], rows[:, a] & rows[:, b]], axis=1)
    return rows


def falling(rows):
    return np.sort(rows)[:, ::-1]


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
def test_a_network_sorts_every_sequence_of_zeros_and_ones(size):
    """A network of comparisons that sorts these sorts everything (the zero-one principle)."""
    every = np.arange(2**size)[:, None] >> np.arange(size) & 1
    np.testing.assert_array_equal(in_order(every, sorting(size)), falling(every))


def test_networks_are_as_small_as_their_docstring_says():
    assert (len(sorting(8)), len(sorting(16))) == (19, 63)


@pytest.mark.parametrize("size", [2, 4, 8, 16])
def test_joining_sorts_two_sorted_halves(size):
    half = np.tri(size // 2 + 1, size // 2, -1, dtype=int)
    halves = np.array([np.concatenate(pair) for pair in itertools.product(half, repeat=2)])
    np.testing.assert_array_equal(in_order(halves, joining(size)), falling(halves))


@pytest.mark.parametrize("size", [8, 16])
def test_merging_sorts_the_largest_of_two_runs(size):
    runs = np.tri(size + 1, size, -1, dtype=int)
    pairs = list(itertools.product(runs, repeat=2))
    largest = np.array([a | b[::-1] for a, b in pairs])
    expected = falling(np.array([np.concatenate(pair) for pair in pairs]))[:, :size]
    np.testing.assert_array_equal(in_order(largest, merging(size)), expected)


@compiled
def eight_ranked(x, index, width, last, factor, column, out):
    tile_store_all(ranks_in_lanes(8, x, index, width, last, factor, column), out, 0)


@compiled
def sixteen_ranked(x, index, width, last, factor, column, out):
    tile_store_all(ranks_in_lanes(16, x, index, width, last, factor, column), out, 0)


@compiled
def eight_largest(runs, out):
    tile_store_all(sorted_largest(run_at(8, runs, 0), run_at(8, runs, 128)), out, 0)


@compiled
def sixteen_largest(runs, out):
    tile_store_all(sorted_largest(run_at(16, runs, 0), run_at(16, runs, 256)), out, 0)


@compiled
def sixteen_sorted(runs, out):
    tile_store_all(sorted_run(run_at(16, runs, 0)), out, 0)


@compiled
def two_in_order(runs, first, second):
    put_in_order(runs, 16 * first, 16 * second)


@compiled_only
@pytest.mark.parametrize(("size", "ranked"), [(8, eight_ranked), (16, sixteen_ranked)])
@given(st.data(), st.integers(8, 40), st.integers(0, 15), st.integers(0, 5))
def test_ranks_in_lanes(size, ranked, data, width, last, index):
    x = data.draw(arrays(np.float32, index + (last + 1) * width, elements=FLOATS))
    factor = data.draw(arrays(np.float32, width, elements=FACTORS))
    column = data.draw(st.integers(0, width - 1))
    out = np.zeros((size, 16), np.float32)
    ranked(x, index, width, last, factor, column, out)
    with np.errstate(over="ignore"):
        ranks = (x[index:].reshape(-1, width) * factor)[np.minimum(np.arange(16), last), column : column + size]
    expected = np.full((16, size), -np.inf, np.float32)
    expected[:, : ranks.shape[1]] = ranks
    np.testing.assert_array_equal(out.T, falling(expected))


@compiled_only
@pytest.mark.parametrize(("size", "largest"), [(8, eight_largest), (16, sixteen_largest)])
@given(RUNS)
def test_sorted_largest(size, largest, numbers):
    runs = numbers[: 2 * size].copy()
    runs[:size], runs[size:] = falling(runs[:size].T).T, falling(runs[size:].T).T
    out = np.zeros((size, 16), np.float32)
    largest(runs, out)
    np.testing.assert_array_equal(out.T, falling(runs.T)[:, :size])


@compiled_only
@given(RUNS, st.integers(0, 16))
def test_sorted_run(numbers, turn):
    bitonic = np.sort(numbers[:16], axis=0)
    bitonic[turn:] = bitonic[turn:][::-1].copy()
    out = np.zeros((16, 16), np.float32)
    sixteen_sorted(bitonic, out)
    np.testing.assert_array_equal(out.T, falling(bitonic.T))


@compiled_only
@given(RUNS, st.integers(0, 15), st.integers(16, 31))
def test_put_in_order(numbers, first, second):
    runs, expected = numbers.copy(), numbers.copy()
    expected[first], expected[second] = (
        np.maximum(numbers[first], numbers[second]),
        np.minimum(numbers[first], numbers[second]),
    )
    two_in_order(runs, first, second)
    np.testing.assert_array_equal(runs, expected)


@compiled_only
def test_how_many_is_literal():
    flexible = compiled(lambda size, runs: run_at(size + 1, runs, 0))
    with pytest.raises(TypingError, match="expected a literal number of vectors"):
        flexible(7, np.zeros((8, 16), np.float32))
