import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenet_kernels import reference


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def poolings(draw):
    """Draw an image and a pooling that fits it; values repeat often, and some are infinite."""
    kernel, stride = draw(pairs(1, 4)), draw(pairs(1, 4))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = [max(1, k - 2 * p) + draw(st.integers(0, 5)) for k, p in zip(kernel, padding, strict=True)]
    shape = (draw(st.integers(0, 2)), draw(st.integers(1, 3)), *size)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return rng.choice([-1.0, -0.25, -0.0, 0.0, 0.5, 1.0], size=shape), kernel, stride, padding


@settings(max_examples=100, deadline=None)
@given(poolings())
def test_pooling_agrees_with_torch(torch, assert_agree, pooling):
    x, kernel, stride, padding = pooling
    functional, tensor = torch.nn.functional, torch.from_numpy(x)
    largest = reference.max_pool2d(x, kernel, stride, padding)
    assert largest.shape[2:] == reference.pool_shape(x.shape[2:], kernel, stride, padding)
    np.testing.assert_array_equal(largest, functional.max_pool2d(tensor, kernel, stride, padding).numpy())
    mean = reference.avg_pool2d(x, kernel, stride, padding)
    assert_agree(mean, functional.avg_pool2d(tensor, kernel, stride, padding), terms=kernel[0] * kernel[1])


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)), st.integers(0, 99))
def test_global_mean_agrees_with_torch(torch, assert_agree, shape, seed):
    x = np.random.default_rng(seed).uniform(-1, 1, shape)
    theirs = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(x), 1)
    assert_agree(reference.global_avg_pool2d(x), theirs, terms=shape[2] * shape[3])


def test_special_values_go_through_the_largest():
    x = np.array([[[[-np.inf, -np.inf, np.nan, 1.0, 2.0, np.inf]]]])
    np.testing.assert_array_equal(reference.max_pool2d(x, (1, 2), (1, 2)), [[[[-np.inf, np.nan, np.inf]]]])


def test_padding_of_more_than_half_the_kernel_is_refused():
    for pool in (reference.max_pool2d, reference.avg_pool2d):
        with pytest.raises(ValueError, match="expected padding of at most half the kernel"):
            pool(np.ones((1, 1, 8, 8)), (3, 3), (1, 1), (1, 2))


def test_a_window_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match="a window of 3x3 does not fit an image of 2x8"):
        reference.pool_shape((2, 8), (3, 3), (1, 1))
