"""Rows far from zero, of tiny and of huge numbers, are normalised as exactly as rows of ordinary ones."""

import numpy as np
import pytest
from error_bound import layer_norm_roundings
from hypothesis import given
from hypothesis import strategies as st

from sparsenet_kernels import reference
from sparsenet_kernels.registry import kernels


@given(
    st.integers(1, 4),
    st.sampled_from([1, 2, 15, 16, 17, 63, 64, 65, 100, 768]),
    st.integers(-100, 100),
    st.sampled_from([0.0, 1.0, -30.0, 1e3, 1e5]),
    st.integers(0, 2**16),
)
def test_rows_of_any_size_and_place(rows, size, exponent, offset, seed):
    r = np.random.default_rng(seed)
    x = np.ldexp(r.normal(size=(2, rows, size)) + offset, exponent).astype(np.float32)
    weight, bias = r.normal(size=(2, size)).astype(np.float32)
    epsilon = np.float32([10.0 ** r.uniform(-8, -1)])
    out = np.full_like(x, np.nan)
    kernels()["layer_norm_f32"].function(x, weight, bias, epsilon, out)
    values = reference.layer_norm(x, weight, bias, float(epsilon[0]))
    bound = layer_norm_roundings(x, values, weight, bias, float(epsilon[0]))
    assert (np.abs(out - values) <= bound).all()


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, 1e-40, 3e36, -16777217.0])
def test_equal_numbers_become_the_bias(value):
    x = np.full((1, 2, 37), value, np.float32)
    weight, bias = np.ones(37, np.float32), np.arange(37, dtype=np.float32)
    out = np.full_like(x, np.nan)
    kernels()["layer_norm_f32"].function(x, weight, bias, np.float32([1e-5]), out)
    np.testing.assert_allclose(out, np.broadcast_to(bias, x.shape), atol=1e-2 if abs(value) > 1e30 else 1e-6)


def test_rows_are_normalised_in_place():
    x = np.random.default_rng(0).normal(size=(3, 2, 50)).astype(np.float32)
    parameters = np.ones(50, np.float32), np.zeros(50, np.float32), np.float32([1e-5])
    out = np.empty_like(x)
    kernels()["layer_norm_f32"].function(x, *parameters, out)
    kernels()["layer_norm_f32"].function(x, *parameters, x)
    np.testing.assert_array_equal(x, out)
