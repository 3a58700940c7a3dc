import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenet_kernels import reference


@settings(max_examples=40, deadline=None)
@given(B=st.integers(0, 4), D=st.integers(1, 20), N=st.integers(1, 9), with_bias=st.booleans(), seed=st.integers(0, 99))
def test_linear_agrees_with_torch(torch, assert_agree, B, D, N, with_bias, seed):
    rng = np.random.default_rng(seed)
    x, weight, bias = rng.uniform(-1, 1, (B, D)), rng.uniform(-1, 1, (N, D)), rng.uniform(-1, 1, N)
    tensors = [torch.from_numpy(array) for array in (x, weight, bias)]
    theirs = torch.nn.functional.linear(*tensors[:2], tensors[2] if with_bias else None)
    assert_agree(reference.linear(x, weight, bias if with_bias else None), theirs, terms=D + 1)


def test_inputs_of_less_precision_become_float64():
    third = np.full((1, 1), 1 / 3, np.float32)
    assert reference.linear(third, third).dtype == np.float64
    assert reference.linear(third, third)[0, 0] == np.float64(third[0, 0]) ** 2


@pytest.mark.parametrize(("x", "weight", "bias"), [((2, 3), (4, 5), None), ((2, 3), (4, 3), 1), ((2, 3), (4, 3), 5)])
def test_shapes_that_do_not_meet_are_refused(x, weight, bias):
    with pytest.raises(ValueError, match=r"mismatch|reshape"):
        reference.linear(np.ones(x), np.ones(weight), None if bias is None else np.ones(bias))
