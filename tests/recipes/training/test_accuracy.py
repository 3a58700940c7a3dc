import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from sparsenet.errors import SparsenetError
from sparsenet.recipes.training.accuracy import Accuracy, accuracy, wilson

COUNTS = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_interval_is_that_of_scipy(counts):
    right, samples = counts
    wanted = binomtest(right, samples).proportion_ci(0.95, method="wilson")
    assert wilson(right, samples) == pytest.approx((wanted.low, wanted.high), abs=1e-12)  # a few roundings of 1e-16


@pytest.mark.parametrize(("right", "samples"), [(0, 0), (3, 2), (-1, 2)])
def test_counts_that_cannot_be_are_refused(right, samples):
    with pytest.raises(SparsenetError, match="right <= samples"):
        wilson(right, samples)


def test_accuracy_counts_what_is_right():
    assert accuracy([2, 3, 4, 4], [2, 3, 3, 4]) == Accuracy(3, 4)
    assert Accuracy(3, 4).to_dict()["share_right"] == 0.75
