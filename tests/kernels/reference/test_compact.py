import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsenet_kernels import reference

VALUES = st.sampled_from([0.0, 0.0, 0.0, -0.0, 1.0, -2.5, np.inf, np.nan, 5e-324])


@st.composite
def rows(draw):
    shape = draw(st.integers(0, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 10))
    return draw(hnp.arrays(np.float64, shape, elements=VALUES))


@settings(max_examples=200, deadline=None)
@given(rows(), st.integers(0, 3))
def test_lists_hold_the_non_zeros_in_order_and_expand_to_the_rows(x, spare):
    width = int(np.count_nonzero(x, axis=-1).max(initial=0)) + spare
    columns, values = reference.compact(x, width)
    assert (columns.dtype, values.dtype) == (np.int32, np.float64)
    for b, r in np.ndindex(x.shape[:2]):
        places = [d for d, value in enumerate(x[b, r]) if value != 0]
        padding = width - len(places)
        assert columns[b, r].tolist() == places + [-1] * padding
        np.testing.assert_array_equal(values[b, r], [x[b, r, d] for d in places] + [0.0] * padding)
    np.testing.assert_array_equal(reference.expand(columns, values, x.shape[-1]), x)


@settings(max_examples=200, deadline=None)
@given(rows())
def test_flattened_lists_expand_to_the_rows_end_to_end(x):
    B, R, D = x.shape
    columns, values = reference.flatten_active(*reference.compact(x, D), D)
    assert columns.shape == values.shape == (B, 1, R * D)
    np.testing.assert_array_equal(reference.expand(columns, values, R * D), x.reshape(B, 1, R * D))
    expected = reference.compact(x.reshape(B, 1, R * D), R * D)
    np.testing.assert_array_equal(columns, expected[0])
    np.testing.assert_array_equal(values, expected[1])


def test_the_first_minus_one_ends_a_row():
    stale = [[[2, -1, 0]]], [[[1.0, 8.0, 9.0]]]
    assert reference.expand(*stale, 3).tolist() == [[[0.0, 0.0, 1.0]]]
    columns, values = reference.flatten_active(*stale, 3)
    assert columns.tolist() == [[[2, -1, -1]]]
    assert values.tolist() == [[[1.0, 0.0, 0.0]]]


def test_a_listed_zero_stays_listed_when_flattened():
    columns, values = reference.flatten_active([[[1], [0]]], [[[0.0], [3.0]]], 2)
    assert columns.tolist() == [[[1, 2]]]
    assert values.tolist() == [[[0.0, 3.0]]]


def test_a_row_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="expected at most 1 non-zeros in a row, got 2; give a larger width"):
        reference.compact([[[0.0, 0.0], [1.0, 2.0]]], 1)


def test_a_column_outside_the_row_is_refused():
    with pytest.raises(IndexError):
        reference.expand([[[4]]], [[[1.0]]], 4)
