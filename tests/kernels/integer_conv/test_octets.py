"""Sets of eight channels: what is packed is what was given, and nothing malformed gets through."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet_kernels.formats import Octets, octet_offsets, pack_octets, padded_conv2d_matrix, unpack_octets

FIELDS = ("outputs", "kernel", "tables", "chosen", "indptr", "sets", "rows", "weights")


@st.composite
def filters(draw):
    """Draw filters of which 16 outputs share channels, or any, and the channels of the image in memory."""
    groups = draw(st.sampled_from([1, 1, 2]))
    N, C = draw(st.integers(1, 40)) * groups, draw(st.sampled_from([1, 8, 9, 64, 70]))
    shape = N, C, draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    if draw(st.booleans()):
        kept = np.repeat(rng.random((-(-N // 16), C, 1, 1)) < 0.2, 16, axis=0)[:N]
    else:
        kept = rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 1.0]))
    weight = np.where(kept, rng.integers(-128, 128, shape), 0).astype(np.int8)
    return weight, -(-C * groups // 64) * 64, groups


@given(filters())
def test_octets_hold_the_filters(drawn):
    weight, channels, groups = drawn
    packed = pack_octets(weight, channels, groups)
    N, _, kh, kw = weight.shape
    expected = padded_conv2d_matrix(weight, channels, groups).reshape(N, kh, kw, channels).transpose(0, 3, 1, 2)
    assert np.array_equal(unpack_octets(packed, channels), expected)
    assert packed.nnz == np.count_nonzero(weight)
    assert packed.weights.any(axis=(1, 2, 3)).all()  # no tile is kept in vain
    assert packed.set_count % 4 == 0
    again = pickle.loads(pickle.dumps(packed))
    assert np.array_equal(again.weights, packed.weights)
    assert not again.weights.flags.writeable


def test_shared_channels_fill_their_sets():
    weight = np.zeros((64, 64, 5, 5), np.int8)
    weight[:16, 8:16] = weight[16:32, 8:16] = weight[32:48, 40:48] = weight[48:, 40:56] = 1
    packed = pack_octets(weight, 64)
    assert packed.fill == 1.0
    assert packed.set_count == 4
    assert len(packed.weights) == 5 * 5
    assert np.unique(packed.sets).size == 3  # blocks with the same channels share their set


def test_sets_choose_from_one_table_each():
    weight = np.zeros((16, 128, 1, 1), np.int8)
    weight[:, [60, 70]] = 1
    packed = pack_octets(weight, 128)
    assert packed.tables.tolist() == [0, 64]
    assert packed.sets.tolist() == [0, 8]
    assert packed.chosen[:, 0].tolist() == [60, 6]


def test_offsets_lead_to_the_rows():
    packed = pack_octets(np.ones((1, 9, 2, 3), np.int8), 64)
    assert packed.sets.tolist() == [0, 0, 1, 1]
    assert octet_offsets(packed, (7, 5), dilation=3).tolist() == [0, 8 * 15, 8 * 35, 8 * 50]


@pytest.mark.parametrize("channels", [0, 60, 65])
def test_channels_come_in_tables(channels):
    with pytest.raises(ValueError, match="a multiple of 64, got"):
        pack_octets(np.ones((1, 1, 1, 1), np.int8), channels)


def test_weights_are_bytes():
    with pytest.raises(ValueError, match="of int8, got float64"):
        pack_octets(np.ones((1, 1, 1, 1)), 64)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("outputs", 0, "expected outputs and filters"),
        ("kernel", (2, 0), "expected outputs and filters"),
        ("indptr", np.array([0, 2, 1, 4, 4], np.int32), "never to decrease"),
        ("indptr", np.array([0, 4], np.int32), "expected indptr to have shape"),
        ("sets", np.array([0, 0, 1, 8], np.int32), "expected 0 <= sets < 8"),
        ("sets", np.array([1, 1, 0, 0], np.int32), "rising sets and rows"),
        ("rows", np.array([0, 2, 0, 1], np.int32), "expected 0 <= rows < 2"),
        ("rows", np.array([0, 0, 0, 1], np.int32), "rising sets and rows"),
        ("tables", np.array([32], np.int32), "multiples of 64"),
        ("tables", np.array([-64], np.int32), "multiples of 64"),
        ("chosen", np.full((1, 64), 64, np.uint8), "chosen channels below 64, got 64"),
        ("weights", np.ones((4, 6, 16, 4), np.uint8), "expected weights to be int8"),
    ],
)
def test_malformed_octets_are_refused(field, value, message):
    packed = pack_octets(np.ones((1, 9, 2, 3), np.int8), 64)
    fields = {name: getattr(packed, name) for name in FIELDS}
    with pytest.raises(ValueError, match=message):
        Octets(**(fields | {field: value}))
