"""The specification of the integer operations, against loops over Python's own integers."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparsenet_kernels import reference

SCALES = st.floats(2.0**-20, 2.0**20, width=32)


def clipped(number):
    return min(max(number, 0), 255)


@given(st.floats(-(2.0**40), 2.0**40, width=32), SCALES, st.integers(0, 255))
def test_quantize(x, scale, zero):
    reciprocal = np.float32(1) / np.float32(scale)
    steps = Fraction(float(np.float32(x) * reciprocal))
    assert reference.quantize([x], scale, zero)[0] == clipped(round(steps) + zero)  # Python rounds halves to even


@pytest.mark.parametrize(("x", "byte"), [(np.inf, 255), (-np.inf, 0), (3e38, 255), (-3e38, 0), (-0.0, 7), (0.0, 7)])
def test_quantize_clips(x, byte):
    assert reference.quantize([x], 2.0**-10, 7)[0] == byte


@given(st.integers(0, 255), SCALES, st.integers(0, 255))
def test_dequantize_is_exact(byte, scale, zero):
    got = Fraction(float(reference.dequantize([byte], scale, zero)[0]))
    assert got == (byte - zero) * Fraction(float(np.float32(scale)))  # eight bits times 24 fit float64


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 31))
def test_requantize(total, shift):
    exact = Fraction(total, 2**shift) + (Fraction(1, 2) if shift else 0)
    assert reference.requantize(total, shift) == clipped(exact.__floor__())


@st.composite
def convolutions(draw):
    groups, taps = draw(st.integers(1, 2)), (draw(st.integers(1, 2)), draw(st.integers(1, 3)))
    pair = st.tuples(st.integers(1, 2), st.integers(1, 2))
    stride, dilation = draw(pair), draw(pair)
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    size = [
        max(1, d * (t - 1) + 1 - 2 * p) + draw(st.integers(0, 2))
        for d, t, p in zip(dilation, taps, padding, strict=True)
    ]
    channels, outputs = draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    x = draw(arrays(np.uint8, (1, groups * channels, *size)))
    weight = draw(arrays(np.int8, (outputs, channels, *taps)))
    bias = draw(arrays(np.int32, outputs))
    settings = {"shift": draw(st.integers(0, 12)), "stride": stride, "padding": padding, "dilation": dilation}
    return x, weight, bias, settings | {"groups": groups, "zero": draw(st.integers(0, 255))}


@given(convolutions())
def test_conv2d(problem):
    x, weight, bias, settings = problem
    out = reference.conv2d_i8(x, weight, bias, **settings)
    for n, i, j in product(*map(range, out.shape[1:])):
        total = int(bias[n]) + sum(
            int(weight[n, c, ky, kx])
            * pixel(
                x,
                settings,
                (n * settings["groups"] // len(weight)) * weight.shape[1] + c,
                at(settings, 0, i, ky),
                at(settings, 1, j, kx),
            )
            for c, ky, kx in product(*map(range, weight.shape[1:]))
        )
        assert out[0, n, i, j] == reference.requantize(total, settings["shift"])


def at(settings, axis, place, tap):
    return place * settings["stride"][axis] - settings["padding"][axis] + tap * settings["dilation"][axis]


def pixel(x, settings, c, i, j):
    inside = 0 <= i < x.shape[2] and 0 <= j < x.shape[3]
    return int(x[0, c, i, j]) if inside else settings["zero"]


def test_the_largest_sums_do_not_overflow():
    x, weight = np.full((1, 300, 1, 1), 255, np.uint8), np.full((1, 300, 1, 1), -128, np.int8)
    lowest = np.int32([-(2**31)])
    assert reference.conv2d_i8(x, weight, lowest, shift=0).item() == 0
    assert reference.conv2d_i8(x, -weight.astype(int), -lowest.astype(int), shift=24).item() == 129


@given(st.data())
def test_linear(data):
    inputs, outputs = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    x, weight = data.draw(arrays(np.uint8, (2, inputs))), data.draw(arrays(np.int8, (outputs, inputs)))
    scale, bias = np.float32([0.5, 0.25, 4.0])[:outputs], np.float32([1.0, 0.0, -8.0])[:outputs]
    out = reference.linear_i8(x, weight, scale, bias)
    for b, n in product(range(2), range(outputs)):
        total = sum(int(weight[n, d]) * int(x[b, d]) for d in range(inputs))
        assert Fraction(out[b, n]) == total * Fraction(float(scale[n])) + Fraction(float(bias[n]))


@given(arrays(np.uint8, (2, 7), elements=st.integers(0, 3) | st.integers(0, 255)), st.integers(0, 9))
def test_k_winners(x, k):
    out = reference.k_winners_i8(x, k)
    for row, got in zip(x, out, strict=True):
        winners = sorted(range(7), key=lambda i: (-int(row[i]), i))[:k]
        assert got.tolist() == [int(row[i]) if i in winners else 0 for i in range(7)]


@pytest.mark.parametrize("scale", [0.0, -1.0, np.inf, np.nan, 1e-46, 1e39, 1e-40])
def test_scales_out_of_range_are_refused(scale):
    with pytest.raises(ValueError, match="positive scale"):
        reference.quantize([1.0], scale)
    with pytest.raises(ValueError, match="positive scale"):
        reference.dequantize([1.0], scale)


@pytest.mark.parametrize("zero", [-1, 256])
def test_zeros_that_are_no_bytes_are_refused(zero):
    with pytest.raises(ValueError, match="zero to be a byte"):
        reference.quantize([1.0], 1.0, zero)
    with pytest.raises(ValueError, match="zero to be a byte"):
        reference.conv2d_i8([[[[1]]]], [[[[1]]]], [0], 0, zero=zero)


@pytest.mark.parametrize("shift", [-1, 32])
def test_shifts_out_of_range_are_refused(shift):
    with pytest.raises(ValueError, match="shift from 0 to 31"):
        reference.requantize([1], shift)


@pytest.mark.parametrize("groups", [0, 2, 3])
def test_groups_that_do_not_divide_are_refused(groups):
    with pytest.raises(ValueError, match="groups"):
        reference.conv2d_i8(np.ones((1, 3, 2, 2)), np.ones((2, 3, 1, 1)), [0, 0], 0, groups=groups)


def test_negative_k_is_refused():
    with pytest.raises(ValueError, match="k to be 0 or more"):
        reference.k_winners_i8([1], -1)
