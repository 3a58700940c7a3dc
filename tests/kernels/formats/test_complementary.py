"""Complementary sets: what packs, how well, and what validation refuses."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsenet_kernels import formats

masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 12)))


def complementary_mask(D, S, P, seed):
    """Cut S random permutations of the D inputs into P kernels each: within a set, no input is used twice."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((S, P, D), dtype=bool)
    for s in range(S):
        for kernel, inputs in enumerate(np.array_split(rng.permutation(D), P)):
            mask[s, kernel, inputs] = True
    return mask.reshape(S * P, D)


def slow_overlaps(mask, sets):
    """Count by looking at each set and each input."""
    return sum(
        sum(mask[n, d] for n in range(len(mask)) if sets[n] == s) > 1
        for s, d in itertools.product(set(sets), range(mask.shape[1]))
    )


@settings(max_examples=200, deadline=None)
@given(st.data(), masks)
def test_overlaps_are_those_of_a_plain_count(data, mask):
    sets = data.draw(hnp.arrays(np.int64, len(mask), elements=st.integers(0, min(2, len(mask) - 1))))
    assert formats.overlaps(mask, sets) == slow_overlaps(mask, sets.tolist())


@settings(max_examples=200, deadline=None)
@given(masks)
def test_sets_never_share_an_input_and_a_slot_tells_its_output(mask):
    packed = formats.pack_complementary(mask)
    S = packed.outputs.shape[1]
    assert slow_overlaps(mask, packed.sets.tolist()) == 0
    assert set(packed.sets.tolist()) == set(range(S))
    assert packed.fill == np.count_nonzero(mask) / (mask.shape[1] * S)
    for d, s in np.ndindex(packed.outputs.shape):
        users = [n for n in range(len(mask)) if mask[n, d] and packed.sets[n] == s]
        assert packed.outputs[d, s] == (users[0] if users else -1)
        assert packed.values[d, s] == len(users)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 130), st.integers(1, 5), st.integers(1, 7), st.integers(0, 99))
def test_a_mask_built_in_sets_is_packed_in_its_sets(D, S, P, seed):
    P = min(P, D)
    mask = complementary_mask(D, S, P, seed)
    built = np.repeat(np.arange(S), P)
    assert formats.overlaps(mask, built) == 0
    packed = formats.pack_complementary(mask)
    np.testing.assert_array_equal(packed.sets, built)
    assert packed.fill == 1.0


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(1, 5), st.integers(1, 6), st.integers(0, 99))
def test_a_mask_built_in_sets_with_inputs_to_spare_needs_no_more_sets(D, S, P, seed):
    P = min(P, D)
    mask = complementary_mask(D, S, P, seed)
    mask &= np.random.default_rng(seed).random(mask.shape) < 0.6
    assert formats.pack_complementary(mask).sets.max() < S


@pytest.mark.parametrize("seed", range(50))
def test_kernels_of_uneven_size_built_in_sets_need_no_more_sets(seed):
    # Fullest first needs more sets for about one of eight such masks, and each input is spared by one set, so that the
    # bound is never met: both orders are tried, and the better must be kept.
    D, S, P = 40, 4, 4
    rng = np.random.default_rng(seed)
    mask = np.zeros((S, P, D), dtype=bool)
    for s in range(S):
        inputs = [d for d in rng.permutation(D) if d % S != s]
        owner = np.searchsorted(np.sort(rng.integers(0, len(inputs), P - 1)), np.arange(len(inputs)), side="right")
        mask[s, owner, inputs] = True
    assert formats.pack_complementary(mask.reshape(S * P, D)).sets.max() < S


@pytest.mark.parametrize(("D", "S", "P"), [(1600, 60, 25), (1600, 8, 8)], ids=["linear", "conv2d"])
def test_the_layers_of_the_spoken_word_network_pack_full(D, S, P):
    packed = formats.pack_complementary(complementary_mask(D, S, P, seed=0))
    assert packed.outputs.shape == (D, S)
    assert packed.fill == 1.0


def test_a_convolution_built_in_sets_packs_full():
    mask = complementary_mask(3 * 3 * 16, 4, 6, seed=0)
    weight = formats.conv2d_weight(mask, (3, 3))
    packed = formats.pack_complementary_conv2d(weight)
    np.testing.assert_array_equal(packed.sets, np.repeat(np.arange(4), 6))
    assert packed.fill == 1.0


def test_the_fullest_come_first_where_that_needs_fewer_sets():
    mask = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 1], [1, 0, 1, 1]])
    assert formats.pack_complementary(mask).sets.max() + 1 == 3  # {3, 2}, {4, 0}, {5, 1}
    in_order = [0, 0, 1, 0, 2, 3]  # what first fit finds without sorting
    assert formats.overlaps(mask, in_order) == 0
    assert formats.pack_complementary(mask, in_order).outputs.shape == (4, 4)


def test_the_worst_masks_fit():
    dense = formats.pack_complementary(np.ones((5, 3)))
    assert (dense.outputs.shape, dense.fill) == ((3, 5), 1.0)
    empty = formats.pack_complementary(np.zeros((5, 3)))
    assert (empty.outputs.shape, empty.fill, empty.nnz) == ((3, 1), 0.0, 0)


def test_groups_share_sets():
    packed = formats.pack_complementary_conv2d(np.ones((6, 1, 3, 3)), groups=6)
    assert packed.outputs.shape == (54, 1)
    assert packed.fill == 1.0


def test_given_sets_are_kept_and_may_leave_a_set_empty():
    packed = formats.pack_complementary([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]], sets=[2, 2, 0])
    assert packed.sets.tolist() == [2, 2, 0]
    assert packed.outputs.tolist() == [[-1, -1, 0], [2, -1, 1]]
    assert packed.values.tolist() == [[0.0, 0.0, 1.0], [3.0, 0.0, 2.0]]


def test_given_sets_that_share_inputs_are_refused():
    with pytest.raises(ValueError, match="share no input, got 2 shared; leave `sets` out"):
        formats.pack_complementary(np.ones((3, 2)), sets=[1, 1, 1])


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([0, 1], r"expected one integer set for each of 3 outputs, got int\d\d of shape \(2,\)"),
        ([0.0, 1.0, 2.0], "expected one integer set for each of 3 outputs, got float64"),
        ([0, 1, 3], r"expected 0 <= sets < 3, got sets\[2\] = 3"),
        ([0, -1, 2], r"expected 0 <= sets < 3, got sets\[1\] = -1"),
    ],
)
def test_malformed_given_sets_are_refused(sets, message):
    for refuse in (formats.pack_complementary, formats.overlaps):
        with pytest.raises(ValueError, match=message):
            refuse(np.eye(3), sets)


def test_a_mask_of_a_convolution_must_be_a_matrix_to_count_overlaps():
    with pytest.raises(ValueError, match=r"expected a mask of shape \(N, D\), got \(1, 1, 1, 1\)"):
        formats.overlaps(np.ones((1, 1, 1, 1)), [0])


def ints(*numbers):
    return np.array(numbers, np.int32)


# Set 0 holds outputs 0 and 1, set 1 holds output 2; output 2 does not use input 1.
SMALL = formats.Complementary((3, 2), ints([0, 2], [1, -1]), np.array([[1, 2], [3, 0]], np.float32), ints(0, 0, 1))

MALFORMED = [
    ("shape", (3, 0), "expected shape to be"),
    ("shape", (3, 3), r"expected outputs to have shape \(3, 2\), got \(2, 2\)"),
    ("outputs", np.array([[0, 2], [1, -1]], np.int64), "expected outputs to be int32, got int64"),
    ("outputs", ints(0, 1), r"expected outputs to have shape \(2, 1\), got \(2,\)"),
    ("outputs", np.empty((2, 0), np.int32), r"expected outputs to have shape \(2, 1\), got \(2, 0\)"),
    ("outputs", np.asfortranarray(SMALL.outputs), "expected outputs to be C-contiguous"),
    ("outputs", ints([0, 3], [1, -1]), r"expected -1 <= outputs < 3, got outputs\[0, 1\] = 3"),
    ("outputs", ints([0, 2], [1, -2]), r"expected -1 <= outputs < 3, got outputs\[1, 1\] = -2"),
    (
        "outputs",
        ints([2, 2], [1, -1]),
        r"expected each output once per row.*, got outputs\[0, 0\] = 2",
    ),
    ("outputs", ints([0, 1], [1, -1]), r"expected each output once per row.*, got outputs\[0, 1\] = 1"),
    ("outputs", ints([0, -1], [1, -1]), r"expected 0 in empty slots, got values\[0, 1\] = 2"),
    ("values", np.ones((2, 2)), "expected values to be float32, got float64"),
    ("values", np.ones((2, 3), np.float32), r"expected values to have shape \(2, 2\), got \(2, 3\)"),
    (
        "values",
        np.array([[1, 2], [np.nan, 0]], np.float32),
        r"finite in float32, got values\[1, 0\] = nan",
    ),
    ("values", np.array([[1, 2], [3, np.nan]], np.float32), "expected values to be finite"),
    ("sets", np.array([0, 0, 1], np.int64), "expected sets to be int32, got int64"),
    ("sets", ints(0, 0), r"expected sets to have shape \(3,\), got \(2,\)"),
    ("sets", ints(0, 0, 2), r"expected 0 <= sets < 2, got sets\[2\] = 2"),
    ("sets", ints(0, 0, 0), r"expected each output once per row.*, got outputs\[0, 1\] = 2"),
]


@pytest.mark.parametrize(("field", "value", "message"), MALFORMED)
def test_malformed_arrays_are_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **{field: value})


@pytest.mark.parametrize("field", ["outputs", "values", "sets"])
def test_what_is_no_array_is_refused(field):
    with pytest.raises(TypeError, match=f"expected {field} to be a NumPy array, got list"):
        dataclasses.replace(SMALL, **{field: getattr(SMALL, field).tolist()})
