import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenet_kernels import reference


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convolutions(draw):
    """Draw shapes of x and weight and the settings; the window fits, sometimes exactly, sometimes with a remainder."""
    kernel, stride, dilation, padding = draw(pairs(1, 3)), draw(pairs(1, 3)), draw(pairs(1, 2)), draw(pairs(0, 2))
    groups, channels, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    size = [max(1, r - 2 * p) + draw(st.integers(0, 4)) for r, p in zip(reach, padding, strict=True)]
    x_shape = (draw(st.integers(0, 2)), groups * channels, *size)
    return x_shape, (groups * outputs, channels, *kernel), (stride, padding, dilation, groups)


@settings(max_examples=150, deadline=None)
@given(convolutions(), st.booleans(), st.integers(0, 99))
def test_conv2d_agrees_with_torch(torch, assert_agree, convolution, with_bias, seed):
    x_shape, weight_shape, settings_ = convolution
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(-1, 1, shape) for shape in (x_shape, weight_shape, weight_shape[0])]
    arrays[2] = arrays[2] if with_bias else None
    ours = reference.conv2d(*arrays, *settings_)
    tensors = [None if array is None else torch.from_numpy(array) for array in arrays]
    assert_agree(ours, torch.nn.functional.conv2d(*tensors, *settings_), terms=np.prod(weight_shape[1:]) + 1)
    assert ours.shape[2:] == reference.conv2d_shape(x_shape[2:], weight_shape[2:], *settings_[:3])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stride": (0, 1)}, "expected stride to be two integers, 1 or more"),
        ({"dilation": (1, 0)}, "expected dilation to be two integers, 1 or more"),
        ({"padding": (0, -1)}, "expected padding to be two integers, 0 or more"),
        ({"stride": (1, 1, 1)}, "expected stride to be two integers"),
        ({"dilation": (1, 4)}, "a window of 2x5 does not fit an image of 4x4"),
        ({"groups": 3}, "expected groups to divide 4 channels and 2 outputs, got 3"),
        ({"groups": 0}, "expected groups to divide"),
        ({"groups": 2}, "expected weights of 2 channels"),
    ],
)
def test_impossible_settings_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        reference.conv2d(np.ones((1, 4, 4, 4)), np.ones((2, 4, 2, 2)), **changed)


def test_a_bias_of_another_size_is_refused():
    with pytest.raises(ValueError, match="reshape"):
        reference.conv2d(np.ones((1, 1, 4, 4)), np.ones((2, 1, 2, 2)), np.ones(1))
