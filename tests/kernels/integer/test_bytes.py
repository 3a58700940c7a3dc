"""Every operation on byte vectors against what it means in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import config

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd import bytes as simd
from sparsenet_kernels.simd.ops import compress, lanes_from, load, store

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="vector operations exist in compiled code only")

INT32 = np.iinfo(np.int32)
EDGES = {"u8": [0, 1, 127, 128, 254, 255], "i8": [-128, -127, -1, 0, 1, 127]}


def vectors(dtype, lanes=64):
    """Draw vectors, the ends of the range more often than chance has it."""
    name, limits = np.dtype(dtype).name, np.iinfo(dtype)
    edges = EDGES["u8" if name == "uint8" else "i8"]
    elements = st.integers(int(limits.min), int(limits.max)) | st.sampled_from(edges)
    return arrays(dtype, lanes, elements=elements, fill=st.sampled_from(edges))


MASKS = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**63, 2**64 - 1, 0x5555555555555555])


def bits(mask):
    return np.array([mask >> lane & 1 for lane in range(64)], bool)


def mask_of(flags):
    return sum(1 << lane for lane, flag in enumerate(flags) if flag)


@compiled
def run_dot4(total, u, s, out):
    store(out, 0, simd.dot4(load(total, 0), simd.load_u8(u, 0), simd.load_i8(s, 0)))


@given(vectors(np.int32, 16), vectors(np.uint8), vectors(np.int8))
def test_dot4(total, u, s):
    out = np.empty(16, np.int32)
    run_dot4(total, u, s, out)
    exact = total + (u.astype(np.int64) * s).reshape(16, 4).sum(axis=1)
    assert np.array_equal(out, exact.astype(np.int32))  # the cast wraps, as the sums do


@pytest.mark.parametrize("weight", [-128, 127])
def test_dot4_does_not_saturate(weight):
    out, total = np.empty(16, np.int32), np.zeros(16, np.int32)
    run_dot4(total, np.full(64, 255, np.uint8), np.full(64, weight, np.int8), out)
    assert (out == 4 * 255 * weight).all()


@compiled
def run_pairs(a, b, out):
    simd.store_u8(out, 0, simd.lookup(simd.load_u8(a, 0), simd.load_u8(b, 0)))
    simd.store_u8(out, 64, simd.maximum_u8(simd.load_u8(a, 0), simd.load_u8(b, 0)))
    return simd.reaching_u8(simd.load_u8(a, 0), simd.load_u8(b, 0)), simd.above_u8(
        simd.load_u8(a, 0), simd.load_u8(b, 0)
    )


@given(vectors(np.uint8), vectors(np.uint8))
def test_lookup_maximum_and_comparisons(a, b):
    out = np.empty(128, np.uint8)
    reaching, above = run_pairs(a, b, out)
    assert np.array_equal(out[:64], a[b & 63])
    assert np.array_equal(out[64:], np.maximum(a, b))
    assert (reaching, above) == (mask_of(a >= b), mask_of(a > b))


def test_lookup_of_every_index():
    table, out = np.arange(100, 164, dtype=np.uint8), np.empty(128, np.uint8)
    for turn in range(256):
        indices = (np.arange(64) + turn).astype(np.uint8)
        run_pairs(table, indices, out)
        assert np.array_equal(out[:64], table[indices & 63])


@compiled
def run_masked(mask, a, b, out):
    simd.store_u8(out, 0, simd.select_u8(mask, simd.load_u8(a, 0), simd.load_u8(b, 0)))
    simd.store_u8(out, 64, simd.compress_u8(simd.load_u8(a, 0), mask))
    return simd.popcount64(mask)


@given(MASKS, vectors(np.uint8), vectors(np.uint8))
def test_select_compress_and_popcount(mask, a, b):
    out = np.empty(128, np.uint8)
    count = run_masked(np.uint64(mask), a, b, out)
    chosen = bits(mask)
    assert count == chosen.sum()
    assert np.array_equal(out[:64], np.where(chosen, a, b))
    assert np.array_equal(out[64 : 64 + count], a[chosen])


@compiled
def run_lowest_bits(mask, count):
    return simd.lowest_bits(mask, count)


@given(MASKS, st.integers(0, 64) | st.integers(-(2**40), 2**40) | st.sampled_from([255, 256, 257, 2**32, -1]))
def test_lowest_bits(mask, count):
    kept = np.flatnonzero(bits(mask))[: max(count, 0)]
    assert run_lowest_bits(np.uint64(mask), count) == sum(1 << int(lane) for lane in kept)


@compiled
def run_narrow(sums, shift, out):
    parts = load(sums, 0), load(sums, 16), load(sums, 32), load(sums, 48)
    simd.store_u8(out, 0, simd.narrow_u8(parts[0], parts[1], parts[2], parts[3], shift))


@compiled
def run_shifted(sums, shift, out):
    parts = load(sums, 0), load(sums, 16), load(sums, 32), load(sums, 48)
    simd.store_u8(out, 0, simd.shifted_u8(parts[0], parts[1], parts[2], parts[3], shift))


@given(vectors(np.int32), st.integers(0, 31), st.integers(0, 31))
def test_shifted(sums, shift, smaller):
    sums, out = sums >> smaller, np.empty(64, np.uint8)
    run_shifted(sums, shift, out)
    assert np.array_equal(out, np.clip(sums.astype(np.int64) >> shift, 0, 255))


@given(vectors(np.int32), st.integers(0, 31), st.integers(0, 31))
def test_narrow(sums, shift, smaller):
    half = 1 << shift >> 1
    sums = np.minimum(sums >> smaller, INT32.max - half).astype(np.int32)
    out = np.empty(64, np.uint8)
    run_narrow(sums, shift, out)
    assert np.array_equal(out, np.clip((sums.astype(np.int64) + half) >> shift, 0, 255))


@compiled
def run_groups(u, s, at, number, out, signed):
    simd.store_u8(out, 0, simd.repeat4(u, at))
    simd.store_u8(out, 64, simd.splat_u8(number))
    total = simd.dot4(load(signed, 16), simd.splat_u8(1), simd.repeat4(s, at))
    store(signed, 0, total)
    store(signed, 16, compress(lanes_from(0), simd.nonzero_groups(simd.load_u8(u, 0))))
    return simd.popcount64(simd.nonzero_groups(simd.load_u8(u, 0)))


@given(vectors(np.uint8), vectors(np.int8), st.integers(0, 60), st.integers(0, 255), MASKS)
def test_repeat_splat_and_groups(u, s, at, number, mask):
    u = np.where(bits(mask), u, 0).astype(np.uint8)
    out, signed = np.empty(128, np.uint8), np.zeros(32, np.int32)
    count = run_groups(u, s, at, number, out, signed)
    assert np.array_equal(out[:64], np.tile(u[at : at + 4], 16))
    assert (out[64:] == number).all()
    assert (signed[:16] == s[at : at + 4].astype(int).sum()).all()
    assert np.array_equal(signed[16 : 16 + count], np.flatnonzero(u.reshape(16, 4).any(axis=1)))


@compiled
def run_to_float(value, out):
    store(out, 0, simd.to_float(load(value, 0)))


@given(vectors(np.int32, 16))
def test_to_float(value):
    out = np.empty(16, np.float32)
    run_to_float(value, out)
    assert np.array_equal(out, value.astype(np.float32))


@compiled
def run_to_int(value, out):
    store(out, 0, simd.to_int(load(value, 0)))


@given(arrays(np.float32, 16, elements=st.floats(width=32, allow_nan=False)))
def test_to_int(value):
    out = np.empty(16, np.int32)
    run_to_int(value, out)
    assert np.array_equal(out, np.rint(np.clip(value, -(2.0**30), 2.0**30)).astype(np.int32))


@pytest.mark.parametrize("half", [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
def test_to_int_rounds_halves_to_even(half):
    out = np.empty(16, np.int32)
    run_to_int(np.full(16, half, np.float32), out)
    assert (out == round(half)).all()
