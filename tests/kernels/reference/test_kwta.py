import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsenet_kernels import reference

# Few distinct values, so that ties are the rule; both zeros, negative values, infinities.
VALUES = st.sampled_from([-np.inf, -3.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf])
FACTORS = st.sampled_from([0.5, 1.0, 2.0, -1.0])  # never 0, whose product with an infinity has no rank


def slow_winners(row, k, factor):
    """Sort the units by rank, then by index; return the row with all but the first k replaced by zero."""
    order = sorted(range(len(row)), key=lambda unit: (-(row[unit] * factor[unit]), unit))
    winners = set(order[:k])
    return [value if unit in winners else 0.0 for unit, value in enumerate(row)]


def assert_same_bits(ours, expected):
    assert ours.dtype == np.float64
    np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(np.signbit(ours), np.signbit(expected))


@st.composite
def rows_and_factors(draw):
    B, R, n = draw(st.integers(0, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 12))
    x = draw(hnp.arrays(np.float64, (B, R, n), elements=VALUES))
    factor = draw(st.none() | hnp.arrays(np.float64, n, elements=FACTORS))
    return x, factor, draw(st.sampled_from([0, 1, n - 1, n, n + 1, 2**70]) | st.integers(0, n))


@settings(max_examples=300, deadline=None)
@given(rows_and_factors())
def test_winners_are_those_of_a_plain_sort(drawn):
    x, factor, k = drawn
    factors = np.ones(x.shape[-1]) if factor is None else factor
    expected = [[slow_winners(row, k, factors) for row in sample] for sample in x.tolist()]
    assert_same_bits(reference.k_winners(x, k, factor), np.reshape(expected, x.shape))


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, (2, 4, 2, 3), elements=VALUES),
    hnp.arrays(np.float64, 4, elements=FACTORS),
    st.integers(0, 5),
)
def test_local_winners_compete_among_channels(x, factor, k):
    ours = reference.k_winners_channels(x, k, factor)
    for b, i, j in np.ndindex(2, 2, 3):
        assert_same_bits(ours[b, :, i, j], np.array(slow_winners(x[b, :, i, j], k, factor)))


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, (2, 3, 1, 4), elements=VALUES),
    hnp.arrays(np.float64, 12, elements=FACTORS),
    st.integers(0, 13),
)
def test_global_winners_compete_in_a_whole_sample(x, factor, k):
    ours = reference.k_winners_all(x, k, factor)
    for sample, winners in zip(x, ours, strict=True):
        assert_same_bits(winners.ravel(), np.array(slow_winners(sample.ravel(), k, factor)))


def test_the_lowest_index_wins_a_tie_and_both_zeros_are_equal():
    assert_same_bits(reference.k_winners([0.0, -0.0, 0.0], 2), np.array([0.0, -0.0, 0.0]))
    assert_same_bits(reference.k_winners([-1.0, -0.0, 0.0], 1), np.array([0.0, -0.0, 0.0]))
    assert_same_bits(reference.k_winners([5.0, 7.0, 7.0, 7.0], 2), np.array([0.0, 7.0, 7.0, 0.0]))


def test_negative_values_can_win_and_keep_their_value_when_boosted():
    assert_same_bits(reference.k_winners([-1.0, -2.0, -3.0], 1, [3.0, 1.0, 0.1]), np.array([0.0, 0.0, -3.0]))


def test_one_factor_may_serve_all():
    assert_same_bits(reference.k_winners([1.0, 2.0], 1, -1.0), np.array([1.0, 0.0]))


def test_an_empty_batch_stays_empty():
    for winners in (reference.k_winners_channels, reference.k_winners_all):
        assert winners(np.ones((0, 3, 2, 2)), 1).shape == (0, 3, 2, 2)


def test_arguments_without_meaning_are_refused():
    with pytest.raises(ValueError, match="expected k to be 0 or more, got -1"):
        reference.k_winners([1.0], -1)
    with pytest.raises(TypeError):
        reference.k_winners([1.0], 0.5)
    with pytest.raises(ValueError, match="broadcast"):
        reference.k_winners([1.0, 2.0, 3.0], 1, [1.0, 2.0])
