"""The formats of eight-bit weights: any mask comes back, malformed arrays are refused."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet_kernels import formats

KINDS = {
    "blocks": (formats.pack_blocks4x16, formats.unpack_blocks4x16),
    "lookup": (formats.pack_lookup, formats.unpack_lookup),
}
SIZES = st.integers(1, 5) | st.sampled_from([15, 16, 17, 33, 63, 64, 65, 129])


@pytest.fixture(params=KINDS, scope="session")
def kind(request):
    return KINDS[request.param]


@st.composite
def matrices(draw):
    """Draw weights from all zero to no zero, and a mask that keeps some zeros, or none."""
    shape = draw(SIZES), draw(SIZES)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    kept = rng.random(shape) < draw(st.sampled_from([0.0, 0.02, 0.3, 1.0]))
    values = rng.choice([-128, -1, 1, 127] if draw(st.booleans()) else [-2, 0, 5], shape)
    return np.where(kept, values, 0).astype(np.int8), kept if draw(st.booleans()) else None


@given(matrices())
def test_weights_come_back(kind, drawn):
    (pack, unpack), (weight, mask) = kind, drawn
    packed = pack(weight, mask)
    unpacked = unpack(packed)
    assert np.array_equal(unpacked, weight)
    assert unpacked.dtype == np.int8
    assert packed.shape == weight.shape
    assert packed.nnz == np.count_nonzero(weight if mask is None else mask)
    assert packed.fill == (packed.nnz / packed.weights.size if packed.weights.size else 1.0)


@given(matrices())
def test_weights_may_be_of_any_number_type(kind, drawn):
    (pack, unpack), (weight, mask) = kind, drawn
    assert np.array_equal(unpack(pack(weight.astype(np.float64), mask)), weight)


def test_copies_are_checked_and_locked(kind):
    pack, unpack = kind
    packed = pack(np.eye(20, 70, dtype=np.int8))
    for twin in (pickle.loads(pickle.dumps(packed)), copy.deepcopy(packed), replace(packed)):
        assert np.array_equal(unpack(twin), unpack(packed))
        assert not twin.weights.flags.writeable


def test_whole_blocks_fill_blocks():
    mask = np.kron(np.eye(3, 5, dtype=bool), np.ones((16, 4), bool))
    packed = formats.pack_blocks4x16(mask.astype(np.int8), mask)
    assert packed.fill == 1.0
    assert len(packed.weights) == 3


def test_four_of_64_fill_lookups():
    rng = np.random.default_rng(0)
    mask = rng.random((32, 3, 64)).argsort(axis=-1).reshape(32, 192) < 4
    packed = formats.pack_lookup(mask.astype(np.int8))
    assert packed.fill == 1.0
    assert len(packed.weights) == 2 * 3


def test_five_of_64_take_two_lookups():
    weight = np.zeros((16, 64), np.int8)
    weight[3, :5] = 1
    assert len(formats.pack_lookup(weight).weights) == 2


@given(matrices())
def test_dense_weights_lie_in_tiles(drawn):
    weight, _ = drawn
    packed = formats.pack_dense_i8(weight)
    N, D = weight.shape
    assert packed.shape == (-(-N // 16), -(-D // 64) * 16, 64)
    unpacked = packed.reshape(len(packed), -1, 16, 4).swapaxes(1, 2).reshape(16 * len(packed), -1)
    assert np.array_equal(unpacked[:N, :D], weight)
    assert np.count_nonzero(packed) == np.count_nonzero(weight)


def test_numbers_are_padded_to_tiles():
    padded = formats.padded_to_tiles(np.arange(1, 18))
    assert padded.dtype == np.float32
    assert padded.tolist() == [*range(1, 18), *[0] * 15]


@pytest.mark.parametrize("wrong", [[[128]], [[-129]], [[0.5]], [[np.nan]], [[np.inf]]])
def test_weights_that_are_no_bytes_are_refused(kind, wrong):
    with pytest.raises(ValueError, match="whole numbers from -128 to 127"):
        kind[0](wrong)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (3, 0), (1, 1, 1)])
def test_shapes_that_are_no_matrix_are_refused(kind, shape):
    with pytest.raises(ValueError, match="expected"):
        kind[0](np.zeros(shape, np.int8))


def test_sums_beyond_int32_are_refused(kind):
    with pytest.raises(ValueError, match="sums within int32, but output 1 may reach"):
        kind[0](np.repeat(np.int8([[0], [-128]]), 65_794, axis=1))


@pytest.mark.parametrize(
    ("mask", "message"),
    [([[False, True]], "drops 1 weights"), ([[True]], "bool mask of the weights' shape"), ([[1, 1]], "bool mask")],
)
def test_masks_that_do_not_fit_are_refused(kind, mask, message):
    with pytest.raises(ValueError, match=message):
        kind[0]([[1, 0]], mask)


def damaged(packed, name, place, value):
    array = getattr(packed, name).copy()
    array[place] = value
    return replace(packed, **{name: array})


COMMON = [
    ("indptr", 0, 1, "start at 0"),
    ("indptr", 1, 100, "never to decrease"),
    ("indptr", -1, 100, "entries"),
]


def test_weights_beyond_the_layer_are_refused(kind):
    with pytest.raises(ValueError, match="weights of 0 beyond 7 outputs and 9 inputs"):
        damaged(kind[0](np.eye(7, 9, dtype=np.int8)), "weights", (0, -4), 1)


@pytest.mark.parametrize(
    ("name", "place", "value", "message"), [*COMMON, ("starts", 0, 8, "multiples of 16"), ("starts", 0, 32, "starts")]
)
def test_malformed_blocks_are_refused(name, place, value, message):
    packed = formats.pack_blocks4x16(np.eye(23, 9, dtype=np.int8))
    with pytest.raises(ValueError, match=message):
        damaged(packed, name, place, value)


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        *COMMON,
        ("offsets", 0, 32, "multiples of 64"),
        ("offsets", 0, 64, "offsets"),
        ("indices", (0, 0), 64, "below 64"),
    ],
)
def test_malformed_lookups_are_refused(name, place, value, message):
    packed = formats.pack_lookup(np.eye(23, 9, dtype=np.int8))
    with pytest.raises(ValueError, match=message):
        damaged(packed, name, place, value)


def test_weights_stored_twice_are_refused():
    packed = formats.pack_lookup([[5, 6]])
    with pytest.raises(ValueError, match="one slot for each weight"):
        damaged(packed, "indices", (0, 1), 0)


def test_blocks_stored_twice_are_refused():
    packed = formats.pack_blocks4x16(np.eye(32, 4, dtype=np.int8) + np.eye(32, 4, -16, dtype=np.int8))
    with pytest.raises(ValueError, match="rising starts"):
        damaged(packed, "starts", 1, 0)


@pytest.mark.parametrize("nnz", [0, 65])
def test_wrong_counts_are_refused(kind, nnz):
    with pytest.raises(ValueError, match="count the kept weights"):
        replace(kind[0]([[1]]), nnz=nnz)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8])
def test_weights_of_another_type_are_refused(kind, dtype):
    packed = kind[0]([[1]])
    with pytest.raises(ValueError, match="weights to be int8"):
        replace(packed, weights=packed.weights.astype(dtype))
