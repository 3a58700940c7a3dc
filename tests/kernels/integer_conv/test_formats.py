"""Tiles, slots and lookups of convolutions: what is packed is what was given, and nothing malformed gets through."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparsenet_kernels import reference
from sparsenet_kernels.formats import (
    Tiles,
    conv2d_matrix,
    output_blocks,
    pack_bias,
    pack_lookup_conv2d,
    pack_slots,
    pack_tiles,
    pack_tiles_conv2d,
    padded_conv2d_matrix,
    slot_rows,
    spread_pixels_weight,
    tap_offsets,
    unpack_lookup,
    unpack_tiles,
)

INT8 = st.integers(-128, 127)


@st.composite
def matrices(draw):
    depth = draw(st.sampled_from([4, 8, 64]))
    shape = draw(st.integers(1, 70)), depth * draw(st.integers(1, 4))
    density, seed = draw(st.sampled_from([0.0, 0.02, 0.3, 1.0])), draw(st.integers(0, 999))
    rng = np.random.default_rng(seed)
    return depth, np.where(rng.random(shape) < density, rng.integers(-128, 128, shape), 0).astype(np.int8)


@given(matrices())
def test_tiles_hold_the_matrix(drawn):
    depth, weight = drawn
    packed = pack_tiles(weight, depth)
    assert np.array_equal(unpack_tiles(packed), weight)
    assert packed.nnz == np.count_nonzero(weight)
    assert len(packed.indptr) == output_blocks(len(weight)) + 1
    assert packed.weights.any(axis=(1, 2, 3)).all()  # no tile is kept in vain
    again = pickle.loads(pickle.dumps(packed))
    assert np.array_equal(again.weights, packed.weights)
    assert not again.weights.flags.writeable


def test_fill_counts_slots():
    assert pack_tiles(np.eye(16, 16, dtype=np.int8), 4).fill == 1 / 16
    assert pack_tiles(np.zeros((3, 8), np.int8), 4).fill == 1.0


@given(arrays(np.int8, (6, 3, 2, 3), elements=INT8), st.sampled_from([1, 2]), st.integers(0, 2))
def test_a_convolution_keeps_its_taps(weight, groups, more):
    channels = 64 * (more + 1)
    matrix = conv2d_matrix(weight, groups).reshape(6, 6, 3 * groups)
    padded = padded_conv2d_matrix(weight, channels, groups).reshape(6, 6, channels)
    assert np.array_equal(padded[:, :, : 3 * groups], matrix)
    assert not padded[:, :, 3 * groups :].any()
    packed = pack_tiles_conv2d(weight, channels, 64, groups)
    assert np.array_equal(unpack_tiles(packed), padded.reshape(6, -1))
    lookup = unpack_lookup(pack_lookup_conv2d(weight, channels, groups))
    assert np.array_equal(lookup[:6], padded.reshape(6, -1))
    assert not lookup[6:].any()


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_offsets_lead_to_the_taps(kernel_height, kernel_width, down, right, vectors):
    channels, width = 4 * vectors, 1 + (kernel_width - 1) * right
    image = np.arange((1 + (kernel_height - 1) * down) * width * channels).reshape(-1, width, channels)
    columns = np.arange(0, kernel_height * kernel_width * channels, 4, dtype=np.int32)
    offsets = tap_offsets(columns, channels, kernel_width, width, (down, right))
    assert offsets.dtype == np.int32
    assert np.array_equal(image.ravel()[offsets], image[::down, ::right, ::4].ravel())


@given(st.integers(1, 8), st.integers(1, 9), st.integers(0, 3), st.integers(0, 999))
def test_a_filter_on_slots_is_the_filter_on_pixels(kernel_height, kernel_width, more, seed):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-128, 128, (2, 1, kernel_height, kernel_width)).astype(np.int8)
    height, width = kernel_height + more, kernel_width + 1
    image = rng.integers(0, 256, (1, 1, height, width))
    spread = spread_pixels_weight(weight)
    slots = slots_of(image[0, 0], kernel_height)
    assert len(slots) == slot_rows(height, kernel_height)
    assert np.array_equal(
        reference.conv2d(np.moveaxis(slots, -1, 0)[None], spread), reference.conv2d(image, weight.astype(float))
    )
    assert np.array_equal(np.sort(spread[spread != 0]), np.sort(weight[weight != 0]))


def slots_of(image, kernel_height):
    """Build slots pixel by pixel, as the drawing in the module's text has them; 0 where there is no pixel."""
    rows, right = slot_rows(len(image), kernel_height), 4 if 4 < kernel_height < 8 else 0
    wide = np.zeros((rows + 8, image.shape[1] + 4), int)
    wide[: len(image), : image.shape[1]] = image
    slots = np.zeros((rows, image.shape[1], 8), int)
    for y, x in np.ndindex(slots.shape[:2]):
        slots[y, x, :4] = wide[y : y + 4, x]
        slots[y, x, 4:] = wide[y + right, x : x + 4]
    return slots


def test_slots_of_five_rows_lie_in_one_row():
    assert pack_slots(np.ones((65, 1, 5, 8), np.int8)).shape == (8, 16, 16, 4)
    for filters in ((6, 5), (5, 9)):
        with pytest.raises(ValueError, match="expected filters of at most 5 x 8"):
            pack_slots(np.ones((1, 1, *filters), np.int8))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack_tiles(np.ones((2, 4)), 4), "expected weights .* of int8, got float64"),
        (lambda: pack_tiles(np.ones((2, 6), np.int8), 4), "a multiple of 4 and divides 6 inputs"),
        (lambda: pack_tiles(np.ones((2, 6), np.int8), 6), "a multiple of 4"),
        (lambda: pack_tiles(np.ones((2, 0), np.int8), 4), "expected"),
        (lambda: pack_tiles_conv2d(np.ones((1, 3, 1, 1), np.int8), 2, 4), "expected 3 channels or more, got 2"),
        (lambda: pack_tiles_conv2d(np.ones((1, 3, 1, 1)), 4, 4), "expected weights of int8"),
        (lambda: pack_lookup_conv2d(np.ones((1, 3, 1, 1), np.int8), 60), "a multiple of 64, got 60"),
        (lambda: spread_pixels_weight(np.ones((1, 2, 3, 3), np.int8)), "expected filters"),
        (lambda: spread_pixels_weight(np.ones((1, 1, 9, 3), np.int8)), "at most 8 rows"),
        (lambda: pack_bias(np.zeros(1, np.int32), np.ones((1, 4), np.int8), 32), "shift from 0 to 31"),
        (lambda: pack_bias(np.array([2**31 - 1], np.int32), np.ones((1, 4), np.int8), 0), "output 0 can reach"),
        (lambda: pack_bias(np.array([2**30], np.int32), np.ones((1, 4), np.int8), 31), "output 0 can reach"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_largest_sum_that_fits_is_taken():
    weight = np.full((1, 1), -128, np.int8)
    assert pack_bias(np.array([2**31 - 1 - 128 * 255], np.int32), weight, 0)[0] == 2**31 - 1 - 128 * 255


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("indptr", np.array([0, 2, 1, 2, 2], np.int32), "never to decrease"),
        ("indptr", np.array([1, 2, 2, 2, 2], np.int32), "start at 0"),
        ("indptr", np.array([0, 2], np.int32), "expected indptr to have shape"),
        ("columns", np.array([4, 0], np.int32), "rising columns"),
        ("columns", np.array([0, 8], np.int32), "expected 0 <= columns < 8"),
        ("columns", np.array([0, 3], np.int32), "multiples of the depth 4"),
        ("weights", np.ones((2, 1, 16, 4), np.int8), "zeros behind output 2"),
        ("weights", np.ones((2, 1, 16, 4), np.uint8), "expected weights to be int8"),
        ("depth", 8, "expected"),
        ("shape", (3, 0), "expected"),
    ],
)
def test_malformed_tiles_are_refused(field, value, message):
    packed = pack_tiles(np.ones((3, 8), np.int8), 4)
    fields = {name: getattr(packed, name) for name in ("shape", "depth", "indptr", "columns", "weights")}
    with pytest.raises(ValueError, match=message):
        Tiles(**(fields | {field: value}))


def test_tiles_can_be_copied():
    packed = pack_tiles(np.ones((3, 8), np.int8), 4)
    assert np.array_equal(copy.deepcopy(packed).weights, packed.weights)
    assert packed.size_bytes == packed.weights.nbytes + packed.indptr.nbytes + packed.columns.nbytes
