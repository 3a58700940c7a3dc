"""pack, then unpack: every format, any mask."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsenet_kernels import formats, reference

VALUES = st.sampled_from([0.0, 0.0, 0.0, -0.0, 1.0, -2.5, 2.0**-149, -(2.0**127)])  # to the ends of float32
sizes = st.integers(1, 8) | st.sampled_from([31, 63, 64, 65])  # around the words in which sets are packed


@st.composite
def matrices(draw):
    """Draw weights (N, D): mostly zero, all zero, or without a zero."""
    shape = draw(st.integers(1, 9)), draw(sizes)
    weight = draw(hnp.arrays(np.float32, shape, elements=VALUES | st.just(0.0)))
    return draw(st.sampled_from([weight, weight * 0, np.where(weight == 0, np.float32(1), weight)]))


@st.composite
def kernels(draw):
    """Draw the weights of a convolution (N, C / G, kh, kw) and G."""
    groups = draw(st.integers(1, 3))
    shape = groups * draw(st.integers(1, 3)), *(draw(st.integers(1, 3)) for _ in range(3))
    return draw(hnp.arrays(np.float32, shape, elements=VALUES)), groups


def with_mask(draw, weight):
    """Draw a mask that keeps all non-zero weights and some zeros."""
    return (weight != 0) | draw(hnp.arrays(np.bool_, weight.shape))


def kept_by(kind, packed):
    """Return the mask that a format holds: unpack it with every weight replaced by one."""
    ones = np.ones_like(packed.values)
    if kind.packed is formats.Complementary:
        ones[packed.outputs < 0] = 0
    return kind.unpack(dataclasses.replace(packed, values=ones)) != 0


@settings(max_examples=150, deadline=None)
@given(matrices())
def test_a_matrix_comes_back(kind, weight):
    packed = kind.pack(weight)
    unpacked = kind.unpack(packed)
    np.testing.assert_array_equal(unpacked, weight)
    assert unpacked.dtype == np.float32
    assert packed.shape == weight.shape
    assert packed.nnz == np.count_nonzero(weight)
    kind.validate(packed)


@settings(max_examples=150, deadline=None)
@given(kernels())
def test_a_convolution_comes_back(kind, drawn):
    weight, groups = drawn
    packed = kind.pack_conv2d(weight, groups)
    matrix = kind.unpack(packed)
    np.testing.assert_array_equal(matrix, formats.conv2d_matrix(weight, groups))
    np.testing.assert_array_equal(formats.conv2d_weight(matrix, weight.shape[2:], groups), weight)
    assert packed.nnz == np.count_nonzero(weight)


@settings(max_examples=100, deadline=None)
@given(st.data(), matrices())
def test_a_mask_keeps_zeros(exact_kind, data, weight):
    mask = with_mask(data.draw, weight)
    packed = exact_kind.pack(weight, mask=mask)
    np.testing.assert_array_equal(exact_kind.unpack(packed), weight)
    np.testing.assert_array_equal(kept_by(exact_kind, packed), mask)
    assert packed.nnz == np.count_nonzero(mask)


@settings(max_examples=100, deadline=None)
@given(st.data(), kernels())
def test_a_mask_keeps_zeros_of_a_convolution(exact_kind, data, drawn):
    weight, groups = drawn
    mask = with_mask(data.draw, weight)
    packed = exact_kind.pack_conv2d(weight, groups, mask=mask)
    np.testing.assert_array_equal(kept_by(exact_kind, packed), formats.conv2d_matrix(mask, groups))


@settings(max_examples=50, deadline=None)
@given(kernels(), st.integers(0, 99))
def test_a_column_is_one_tap_of_one_channel(drawn, seed):
    weight, groups = drawn
    channels, kh, kw = weight.shape[1:]
    x = np.random.default_rng(seed).integers(-4, 5, (1, channels * groups, kh + 1, kw + 2)).astype(np.float64)
    weight = np.clip(weight, -3, 3).round()  # small integers: both sums are exact
    out = reference.conv2d(x, weight, groups=groups)
    matrix = formats.conv2d_matrix(weight, groups)
    for i, j in np.ndindex(out.shape[2:]):
        patch = x[0, :, i : i + kh, j : j + kw].transpose(1, 2, 0).ravel()  # ky, kx, c
        np.testing.assert_array_equal(matrix @ patch, out[0, :, i, j])


def test_any_layout_and_float_type_packs_alike(kind):
    weight = np.array([[1.0, 0.0, 2.5], [0.0, 0.0, -4.0]])
    read_only = weight.copy()
    read_only.flags.writeable = False
    backwards = weight[::-1, ::-1].copy()[::-1, ::-1]
    for same in (read_only, backwards, np.asfortranarray(weight), weight.astype(np.float16), weight.tolist()):
        np.testing.assert_array_equal(kind.unpack(kind.pack(same)), weight)


def test_a_float64_weight_below_float32_counts_as_zero(kind):
    assert kind.pack([[1e-60, 1.0]]).nnz == 1


def test_arrays_are_read_only_also_after_a_copy_or_a_pickle(kind):
    packed = kind.pack([[1.0, 0.0], [0.0, 2.0]])
    for one in (packed, copy.deepcopy(packed), pickle.loads(pickle.dumps(packed)), dataclasses.replace(packed)):
        arrays = [value for value in vars(one).values() if isinstance(value, np.ndarray)]
        assert not any(array.flags.writeable for array in arrays)
        assert one.size_bytes == sum(array.nbytes for array in arrays)
        with pytest.raises(ValueError, match="read-only"):
            one.values[...] = 1
        np.testing.assert_array_equal(kind.unpack(one), [[1.0, 0.0], [0.0, 2.0]])


def test_the_arrays_of_a_caller_stay_writable():
    values = np.ones(1, np.float32)
    formats.Csc((1, 1), np.array([0, 1], np.int32), np.zeros(1, np.int32), values)
    assert values.flags.writeable


@pytest.mark.parametrize(
    ("weight", "mask", "message"),
    [
        (np.ones((2, 0)), None, r"expected weights of shape \(N, D\), neither zero, got \(2, 0\)"),
        (np.ones((0, 2)), None, "neither zero"),
        (np.ones(3), None, r"expected weights of shape \(N, D\)"),
        (np.ones((1, 1, 1, 1)), None, r"expected weights of shape \(N, D\)"),
        ([[1.0, np.nan]], None, "finite in float32, got values"),
        ([[1.0, -np.inf]], None, "finite in float32"),
        ([[1e39]], None, "finite in float32"),
        ([[1.0, 2.0]], [[True, False]], "the mask drops 1 weights that are not zero"),
        ([[1.0, 2.0]], [[1, 1]], "expected a bool mask"),
        ([[1.0, 2.0]], [[True]], r"expected a bool mask of the weights' shape \(1, 2\), got bool \(1, 1\)"),
        (np.broadcast_to(np.float32(0), (2**16, 2**15)), None, r"expected fewer than 2\*\*31 weights"),
    ],
)
def test_what_cannot_be_packed_is_refused(kind, weight, mask, message):
    with pytest.raises(ValueError, match=message):
        kind.pack(weight, mask=mask)


@pytest.mark.parametrize(
    ("shape", "groups", "message"),
    [
        ((2, 3), 1, r"expected weights of shape \(N, C / groups, kh, kw\)"),
        ((2, 3, 0, 1), 1, "none zero"),
        ((3, 1, 1, 1), 2, "expected groups to divide the 3 outputs, got 2"),
        ((3, 1, 1, 1), 0, "expected groups to divide"),
    ],
)
def test_what_is_no_convolution_is_refused(kind, shape, groups, message):
    with pytest.raises(ValueError, match=message):
        kind.pack_conv2d(np.ones(shape), groups)
    with pytest.raises(ValueError, match=message):
        formats.conv2d_matrix(np.ones(shape), groups)


def test_a_matrix_that_does_not_divide_into_taps_is_refused():
    for groups in (0, 2, 5):
        with pytest.raises(ValueError, match=f"expected {groups} groups of 1x3 taps, got a matrix of shape"):
            formats.conv2d_weight(np.ones((4, 9)), (1, 3), groups)
