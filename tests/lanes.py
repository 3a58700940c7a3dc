"""Sixteen numbers as NumPy has them, and as hypothesis draws them."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

FLOATS = st.floats(width=32, allow_nan=False)
ANY_FLOATS = st.floats(width=32)
INTEGERS = st.integers(-(2**31), 2**31 - 1)
MASKS = st.integers(0, 2**16 - 1)
COUNTS = st.integers(0, 16)


def float_lanes(elements=FLOATS, size=16):
    return arrays(np.float32, size, elements=elements)


def small_lanes(size=16):
    """Draw numbers whose products and sums are exact."""
    return arrays(np.float32, size, elements=st.integers(-100, 100))


def int_lanes(size=16):
    return arrays(np.int32, size, elements=INTEGERS)


def mask_of(flags):
    """Pack 16 flags into a mask, bit i for lane i."""
    return int(np.packbits(np.asarray(flags), bitorder="little").view(np.uint16)[0])


def flags_of(mask):
    return (mask >> np.arange(16)) & 1 == 1


def assert_same_bits(got, expected):
    np.testing.assert_array_equal(got.view(np.int32), np.asarray(expected, got.dtype).view(np.int32))
