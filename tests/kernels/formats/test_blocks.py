"""Blocks: how full they are, what validation refuses, and where the sums of a convolution lie."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet_kernels import formats, reference

SIZES = st.integers(1, 5) | st.sampled_from([15, 16, 17, 33, 48])


@given(SIZES, SIZES, st.sampled_from([0.0, 0.05, 0.5, 1.0]), st.integers(0, 2**16))
def test_only_blocks_that_keep_a_weight_are_stored(N, D, density, seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((N, D)) < density
    weight = np.where(mask, rng.integers(-2, 3, (N, D)), 0).astype(np.float32)
    packed = formats.pack_blocks(weight, mask)
    wide = np.zeros((-(-N // 16) * 16, D), bool)
    wide[:N] = mask
    columns, blocks = np.nonzero(wide.reshape(-1, 16, D).any(axis=1).T)
    np.testing.assert_array_equal(packed.starts, 16 * blocks)
    np.testing.assert_array_equal(np.diff(packed.indptr), np.bincount(columns, minlength=D))
    np.testing.assert_array_equal(formats.unpack_blocks(packed), weight)
    assert packed.nnz == mask.sum()
    assert packed.fill == (mask.sum() / (16 * len(blocks)) if len(blocks) else 1.0)


def test_whole_blocks_are_full():
    mask = np.repeat(np.eye(3, dtype=bool), 16, axis=0)
    packed = formats.pack_blocks(mask.astype(np.float32))
    assert (packed.fill, packed.nnz, packed.size_bytes) == (1.0, 48, 4 * (4 + 3 + 48))


def small():
    return formats.pack_blocks(np.repeat([[1.0, 0.0, 2.0], [3.0, 0.0, 0.0]], [16, 2], axis=0))


def ints(*numbers):
    return np.array(numbers, np.int32)


def changed(place, value):
    values = small().values.copy()
    values[place] = value
    return values


MALFORMED = [
    ("shape", (0, 3), "expected shape to be"),
    ("shape", (18, 4), r"expected indptr to have shape \(5,\), got \(4,\)"),
    ("nnz", 33, "expected nnz to count the kept weights, got 33 for 34 that are not zero"),
    ("nnz", 49, "expected nnz to count the kept weights, got 49"),
    ("indptr", ints(0, 2, 1, 3), "expected indptr to start at 0 and never to decrease"),
    ("indptr", ints(1, 2, 2, 3), "expected indptr to start at 0"),
    ("indptr", ints(0, 2, 2, 4), r"to have shape \(4,\), got \(3,\)"),
    ("starts", ints(0, 16, 32), "expected 0 <= starts < 32"),
    ("starts", ints(0, 8, 0), "expected starts to be multiples of 16, got 8"),
    ("starts", ints(16, 0, 0), "expected rising starts in each run"),
    ("starts", np.array([0, 16, 0]), "to be int32, got int64"),
    ("values", np.ones((3, 15), np.float32), r"expected values to have shape \(3, 16\)"),
    ("values", np.ones((3, 16)), "expected values to be float32, got float64"),
    ("values", changed((0, 3), np.nan), r"expected values to be finite in float32, got values\[0, 3\] = nan"),
    ("values", changed((1, 2), 1.0), "expected values of 0 beyond 18 outputs, got others"),
]


@pytest.mark.parametrize(("field", "value", "message"), MALFORMED)
def test_malformed_arrays_are_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(small(), **{field: value})


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(
    SIZES, st.integers(1, 3), pairs, pairs, st.tuples(st.integers(0, 4), st.integers(0, 4)), pairs, st.integers(0, 99)
)
def test_a_block_is_added_at_one_distance_from_its_input(N, C, kernel, stride, padding, dilation, seed):
    """Walk the blocks as the kernel does, in NumPy, with whole numbers."""
    rng = np.random.default_rng(seed)
    reach = [dilation[axis] * (kernel[axis] - 1) + 1 for axis in (0, 1)]
    size = tuple(max(1, reach[axis] - 2 * padding[axis]) + int(rng.integers(0, 4)) for axis in (0, 1))
    out = reference.conv2d_shape(size, kernel, stride, padding, dilation)
    weight = (rng.integers(-3, 4, (N, C, *kernel)) * (rng.random((N, C, *kernel)) < 0.3)).astype(np.float32)
    x = rng.integers(-4, 5, (C, *size))
    padded = formats.PaddedSums(N, size, out, kernel, stride, padding, dilation)
    groups, members, offsets, values = padded.grouped(formats.pack_blocks_conv2d(weight))
    sums = np.zeros((padded.parts, padded.places * padded.lanes))
    for part, channel, z in walked(groups, members):
        for (y, column), number in np.ndenumerate(x[channel]):
            place = (y * padded.row + column) * padded.lanes + offsets[z]
            assert 0 <= place <= sums.shape[1] - 16
            sums[part, place:][:16] += number * values[z]
    places = sums.reshape(padded.parts, padded.places, padded.lanes).transpose(1, 0, 2)[padded.first :]
    rows = [[(oy * padded.row + ox) for ox in range(0, out[1] * stride[1], stride[1])] for oy in strided(out, stride)]
    expected = reference.conv2d(x[None].astype(np.float64), weight, None, stride, padding, dilation)[0]
    found = places[np.array(rows)].reshape(*out, -1)[..., :N]
    np.testing.assert_array_equal(found, np.moveaxis(expected, 0, -1))


def strided(out, stride):
    return range(0, out[0] * stride[0], stride[0])


def walked(groups, members):
    """Yield the part, the channel and the number of every block, in the order in which the kernel meets them."""
    channels, z = iter(members.tolist()), 0
    for (part, column), count in np.ndenumerate(groups):
        for channel in (next(channels) for _ in range(count)):
            for _ in range(6 - column):
                yield part, channel, z
                z += 1


@given(st.integers(1, 200), st.integers(1, 30), st.integers(0, 99))
def test_groups_hold_every_block_once(N, C, seed):
    rng = np.random.default_rng(seed)
    weight = (rng.random((N, C, 5, 5)) < 0.05).astype(np.float32)
    padded = formats.PaddedSums(N, (14, 14), (10, 10), (5, 5), (1, 1), (0, 0), (1, 1))
    packed = formats.pack_blocks_conv2d(weight)
    groups, members, offsets, values = padded.grouped(packed)
    assert members.size == groups.sum()
    assert len(offsets) == len(values) == len(packed.values) == groups @ range(6, 0, -1) @ np.ones(len(groups))
    assert padded.lanes * padded.parts >= N > padded.lanes * (padded.parts - 1)
