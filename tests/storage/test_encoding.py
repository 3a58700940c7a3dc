"""Which encoding a weight gets, and what the rounded ones do at the edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from storage.samples import sparse

from sparsenet.errors import SparsenetError
from sparsenet.storage.container import pack, unpack
from sparsenet.storage.encoding import decode_weight, encode_weight

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def weights(elements=FLOATS):
    return hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=elements, fill=FLOATS)


def total_bytes(tensors):
    return sum(array.nbytes for array in tensors.values())


@given(weights(), st.floats(0, 1), st.booleans())
def test_float32_keeps_every_bit_but_the_sign_of_zero(weight, density, masked):
    mask = np.random.default_rng(0).random(weight.shape) < density
    weight = np.where(mask, weight, np.float32(0))
    record, tensors = encode_weight(weight, mask if masked else None, "float32")
    back, back_mask = decode_weight(record, tensors, "weight")
    assert back.tobytes() == (weight + np.float32(0)).tobytes()
    assert back_mask.tobytes() == mask.tobytes() if masked else back_mask is None


@given(weights())
def test_int8_never_leaves_float32_nor_changes_a_sign(weight):
    record, tensors = encode_weight(weight, None, "int8")
    back, _ = decode_weight(record, tensors, "weight")
    assert np.isfinite(back).all()
    assert (back * np.sign(weight) >= 0).all()
    # half a step; scales below the smallest float32 become 1 or are rounded, which costs at most a few of those
    step = np.abs(weight).max(1, keepdims=True).astype(np.float64) / 127
    assert (np.abs(back.astype(np.float64) - weight) <= step * 0.5001 + 128 * 2.0**-149).all()


@pytest.mark.parametrize(("density", "places"), [(0.03, "columns"), (0.25, "bits"), (1.0, "all")])
@pytest.mark.parametrize("values", ["float32", "int8"])
def test_the_smallest_encoding_is_chosen(density, places, values):
    weight = sparse((64, 800), density)
    record, tensors = encode_weight(weight, None, values)
    assert record.places == places
    value, scales = {"float32": (4, 0), "int8": (1, 4 * 64)}[values]
    kept = np.count_nonzero(weight)
    index = {"columns": 2 * kept + 4 * 64, "bits": weight.size // 8, "all": 0}[places]
    assert total_bytes(tensors) == kept * value + scales + index


@pytest.mark.parametrize(("kept", "places"), [(32, "all"), (31, "bits"), (16, "bits"), (0, "bits")])
def test_the_mask_is_the_places(kept, places):
    mask = np.arange(32).reshape(4, 8) < kept
    record, tensors = encode_weight(mask.astype(np.float32), mask, "int8")
    assert (record.places, record.mask) == (places, True)
    assert np.array_equal(decode_weight(record, tensors, "weight")[1], mask)


def test_columns_take_two_bytes_as_long_as_they_fit():
    for width, expected in ((2**16, np.uint16), (2**16 + 1, np.uint32)):
        weight = np.zeros((1, width), np.float32)
        weight[0, -1] = 1
        record, tensors = encode_weight(weight, None, "float32")
        assert record.places == "columns"
        assert tensors[".columns"].dtype == expected
        assert np.array_equal(decode_weight(record, tensors, "weight")[0], weight)


def test_weights_that_a_mask_has_zeroed_take_no_room():
    weight = -np.ones((8, 400), np.float32) * (np.arange(400) == 3)
    assert np.signbit(weight).all()
    assert encode_weight(weight, None, "float32")[1][".values"].size == 8


def test_rows_without_weights_are_stored():
    weight = np.zeros((300, 300), np.float32)
    for values in ("float32", "float16", "int8"):
        record, tensors = encode_weight(weight, None, values)
        assert tensors[".values"].size == 0
        assert not decode_weight(record, tensors, "weight")[0].any()


def test_float16_refuses_what_it_cannot_hold():
    with pytest.raises(SparsenetError, match=r"expected weights of at most 65504.0 for float16, got 70000.0"):
        encode_weight(np.array([[7e4]], np.float32), None, "float16")


def test_transposed_arrays_are_written_in_order():
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    tensors, document = unpack(pack({"a": array}, "{}"))
    assert np.array_equal(tensors["a"], array)
    assert document == b"{}"
