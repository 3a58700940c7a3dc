"""Every operation on vectors of int16 against what it means in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import config

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd import shorts as simd
from sparsenet_kernels.simd.bytes import load_u8
from sparsenet_kernels.simd.ops import load, store

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="vector operations exist in compiled code only")

EDGES = st.sampled_from([-(2**15), -(2**15) + 1, -1, 0, 1, 2**14, 2**15 - 1])
SHORTS = st.integers(-(2**15), 2**15 - 1) | EDGES


def lanes(dtype=np.int16, size=32, elements=SHORTS):
    return arrays(dtype, size, elements=elements, fill=EDGES if dtype is np.int16 else st.just(1))


@compiled
def copy(array, index, out, place):
    simd.store_i16(out, place, simd.load_i16(array, index))


@given(lanes(size=96), st.integers(0, 64), st.integers(0, 64))
def test_load_and_store(array, index, place):
    out, expected = np.zeros((2, 2, 96), np.int16), np.zeros(384, np.int16)
    copy(array.reshape(3, 32), index, out, place)
    expected[place : place + 32] = array[index : index + 32]
    assert (out.ravel() == expected).all()


@compiled
def fill(number, out):
    simd.store_i16(out, 0, simd.splat_i16(number))


@given(SHORTS)
def test_splat(number):
    out = np.zeros(32, np.int16)
    fill(number, out)
    assert (out == number).all()


@compiled
def pairwise(a, b, out):
    x, y = simd.load_i16(a, 0), simd.load_i16(b, 0)
    simd.store_i16(out, 0, simd.add_i16(x, y))
    simd.store_i16(out, 32, simd.add_clipped_i16(x, y))
    simd.store_i16(out, 64, simd.multiply_high_i16(x, y))
    simd.store_i16(out, 96, simd.maximum_i16(x, y))


@given(lanes(), lanes())
def test_arithmetic(a, b):
    out, wide = np.empty((4, 32), np.int16), a.astype(np.int32)
    pairwise(a, b, out)
    assert (out[0] == (wide + b).astype(np.int16)).all()
    assert (out[1] == np.clip(wide + b, -(2**15), 2**15 - 1)).all()
    assert (out[2] == ((wide * b + 2**14) >> 15).astype(np.int16)).all()
    assert (out[3] == np.maximum(a, b)).all()


@compiled
def choose(a, b, out):
    x, y = simd.load_i16(a, 0), simd.load_i16(b, 0)
    mask = simd.reaching_i16(x, y)
    simd.store_i16(out, 0, simd.select_i16(mask, y, x))
    return mask


@given(lanes(), lanes())
def test_masks(a, b):
    out = np.empty(32, np.int16)
    mask = choose(a, b, out)
    assert [mask >> lane & 1 for lane in range(32)] == list(a >= b)
    assert (out == np.minimum(a, b)).all()


@compiled
def add_products(total, a, b, out):
    store(out, 0, simd.dot2(load(total, 0), simd.load_i16(a, 0), simd.load_i16(b, 0)))


@given(lanes(np.int32, 16, st.integers(-(2**31), 2**31 - 1)), lanes(), lanes())
def test_dot2(total, a, b):
    out = np.empty(16, np.int32)
    add_products(total, a, b, out)
    exact = total + (a.astype(np.int64) * b).reshape(16, 2).sum(axis=1)
    assert (out == exact.astype(np.int32)).all()  # the cast wraps, as the sums do


@compiled
def widen(value, out):
    simd.store_i16(out, 0, simd.widen_u8(load_u8(value, 0), 0))
    simd.store_i16(out, 32, simd.widen_u8(load_u8(value, 0), 1))


@given(lanes(np.uint8, 64, st.integers(0, 255)))
def test_widen(value):
    out = np.empty(64, np.int16)
    widen(value, out)
    assert (out == value).all()
