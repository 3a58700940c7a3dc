import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenet_kernels import reference

shapes = st.tuples(st.integers(0, 3), st.integers(1, 5)) | st.tuples(
    st.integers(0, 2), st.integers(1, 4), st.just(3), st.just(2)
)


def drawn(shape, seed, count=1):
    return list(np.random.default_rng(seed).uniform(-1, 1, (count, *shape)))


@settings(max_examples=40, deadline=None)
@given(shapes, st.integers(0, 99), st.integers(2, 4))
def test_relu_add_and_concat_agree_with_torch(torch, assert_agree, shape, seed, count):
    arrays = drawn(shape, seed, count)
    tensors = [torch.from_numpy(array) for array in arrays]
    assert_agree(reference.relu(arrays[0]), torch.relu(tensors[0]), terms=0)
    assert_agree(reference.add(*arrays), sum(tensors), terms=count)
    assert_agree(reference.concat(*arrays), torch.cat(tensors, dim=1), terms=0)


@settings(max_examples=40, deadline=None)
@given(shapes, st.integers(0, 99), st.booleans(), st.booleans(), st.sampled_from([0.1, 1.0]))
def test_batch_norm_agrees_with_torch(torch, shape, seed, with_weight, with_bias, epsilon):
    rng = np.random.default_rng(seed)
    x, mean, weight, bias = rng.uniform(-1, 1, shape), *rng.uniform(-1, 1, (3, shape[1]))
    parameters = [mean, rng.uniform(0, 1, shape[1]), weight if with_weight else None, bias if with_bias else None]
    tensors = [None if array is None else torch.from_numpy(array) for array in parameters]
    theirs = torch.nn.functional.batch_norm(torch.from_numpy(x), *tensors, training=False, eps=epsilon).numpy()
    # |x - mean| <= 2, divided by at least sqrt(0.1): results below 8, from about six roundings
    np.testing.assert_allclose(reference.batch_norm(x, *parameters, epsilon), theirs, rtol=0, atol=48 * 2.3e-16)


@settings(max_examples=40, deadline=None)
@given(shapes, st.integers(0, 99))
def test_affine_is_batch_norm_with_its_numbers_folded(shape, seed):
    rng = np.random.default_rng(seed)
    x, mean, weight, bias = rng.uniform(-1, 1, shape), *rng.uniform(-1, 1, (3, shape[1]))
    scale = weight / np.sqrt(2.0 + 1e-5)
    folded = reference.affine(x, scale, bias - mean * scale)
    # below 3 in size, from about six roundings
    norm = reference.batch_norm(x, mean, np.full(shape[1], 2.0), weight, bias)
    np.testing.assert_allclose(folded, norm, rtol=0, atol=18 * 2.3e-16)


@settings(max_examples=40, deadline=None)
@given(shapes, st.integers(0, 99), st.sampled_from([0.0, 1.0, 700.0, 1e5]), st.sampled_from([1, -1]))
def test_softmax_and_its_logarithm_agree_with_torch(torch, shape, seed, scale, axis):
    x = drawn(shape, seed)[0] * scale
    tensor = torch.from_numpy(x)
    # few terms and the same shift by the largest: what differs is the rounding of exp and log, relative to their size
    rounding = 16 * np.finfo(np.float64).eps
    probability, logarithm = reference.softmax(x, axis), reference.log_softmax(x, axis)
    np.testing.assert_allclose(probability, torch.softmax(tensor, axis).numpy(), rtol=rounding, atol=rounding)
    np.testing.assert_allclose(logarithm, torch.log_softmax(tensor, axis).numpy(), rtol=rounding, atol=rounding)
    assert np.all(np.isfinite(logarithm))


def test_relu_keeps_nan_and_has_no_negative_infinity():
    np.testing.assert_array_equal(reference.relu([np.nan, -np.inf, np.inf]), [np.nan, 0.0, np.inf])


def test_inputs_that_do_not_meet_are_refused():
    with pytest.raises(ValueError, match="expected inputs of one shape"):
        reference.add([[1.0]], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="expected two or more arrays, got 1"):
        reference.add([[1.0]])
    with pytest.raises(ValueError, match="expected two or more arrays, got 0"):
        reference.concat()
    with pytest.raises(ValueError, match="match exactly"):
        reference.concat(np.ones((2, 1)), np.ones((3, 1)))


def test_parameters_must_be_one_per_channel():
    x = np.ones((2, 3, 4, 4))
    with pytest.raises(ValueError, match="reshape"):
        reference.affine(x, np.ones(1), np.ones(3))
    with pytest.raises(ValueError, match="reshape"):
        reference.batch_norm(x, np.ones(3), np.ones(4))
