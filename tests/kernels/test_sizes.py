"""The sizes that are tried: pairs are all there, and so are the numbers of a kernel's source."""

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet_kernels.registry import kernel, kernels, registered_temporarily
from sparsenet_kernels.testing.sizes import LONG, named_numbers, paired, sizes_to_try
from sparsenet_kernels.testing.suites import suite_of

FAR = 300


def beyond(n):
    return n >= 77


@given(st.integers(1, 7), st.lists(st.integers(1, 99), min_size=1, max_size=13, unique=True))
def test_every_two_dimensions_meet_in_every_pair(count, levels):
    letters = "BCDHNRW"[:count]
    rows = list(paired(letters, levels))
    assert all(set(row.values()) <= set(levels) for row in rows)
    for a, b in combinations(letters, 2):
        assert {(row[a], row[b]) for row in rows} == set(product(levels, repeat=2))


def test_numbers_of_the_source_are_tried_and_pairs_of_them():
    with registered_temporarily():

        @kernel("relu", variant="mine", arguments="x f32[B, N]; out f32[B, N]")
        def mine(x, out):
            if x.shape[0] == 45 and x.shape[1] > FAR and beyond(x.shape[1]):
                out[0, 0] = 99999.0 + 99999

        mine_too = kernels()["relu_f32__mine"]
    assert named_numbers(mine_too) == [45, 77, 300]
    tried = [tuple(sizes.values()) for sizes in sizes_to_try(mine_too, "BN")]
    assert {(45, 301), (46, 300), (301, 77)} <= set(tried)
    assert {44, 45, 46} <= {samples for samples, _ in tried}
    assert {76, 77, 78, 299, 300, 301, *LONG} <= {n for _, n in tried}
    assert len(set(tried)) == len(tried)


@pytest.mark.parametrize("name", sorted(kernels()))
def test_problems_of_all_sizes_are_few(name):
    problems = suite_of(kernels()[name]).sizes(kernels()[name])
    assert 100 < len(problems) < 700
    assert len(set(problems.values())) == len(problems)
