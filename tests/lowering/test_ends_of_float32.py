"""Layers at the ends of float32: they give what the reference gives, or are refused by name."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sparsenet as sn

LARGEST = float(np.finfo(np.float32).max)
SIZES = [0.0, 1e-45, 1e-38, 1e-20, 1.0, 1e20, 1e38, LARGEST]
numbers = st.sampled_from([*SIZES, *(-size for size in SIZES)])


def compiled(net, **settings):
    return sn.compile(net, threads=1, planner="predict", progress=False, **settings)


def agree(net, x):
    """Check that an answer is the reference's, rounded, and that an error is only raised where a value is too large."""
    meant = net.reference(x)
    try:
        y = compiled(net, batch=len(x))(x)
    except sn.RangeError:
        return bool((np.abs(meant) > LARGEST).any())
    return np.allclose(y, meant, rtol=1e-6, atol=1e-44)


@given(st.lists(numbers, min_size=2, max_size=2))
def test_softmax_and_its_logarithm(logits):
    for layer in (sn.Softmax(), sn.LogSoftmax()):
        assert agree(sn.Network.sequential((2,), [layer]), np.float32([logits]))


@given(st.lists(numbers, min_size=4, max_size=4))
def test_means_of_large_numbers(values):
    x = np.float32(values).reshape(1, 1, 2, 2)
    for layer in (sn.AvgPool2d(2), sn.AvgPool2d(2, padding=1, stride=1), sn.GlobalAvgPool2d()):
        y = compiled(sn.Network.sequential((1, 2, 2), [layer]))(x)
        meant = sn.Network.sequential((1, 2, 2), [layer]).reference(x)
        # of terms that cancel, float32 keeps what is left of the largest
        np.testing.assert_allclose(y, meant, rtol=1e-6, atol=max(1e-44, np.abs(x).max() * 2.0**-23))


@given(
    st.lists(numbers, min_size=66, max_size=66), st.sampled_from([1.2e-38, 1e-20, 1.0, 1e20, 8e37]), st.integers(0, 255)
)
def test_quantize_clips_what_is_too_large(values, scale, zero):
    x = np.float32(values).reshape(1, 66)
    for shape in ((66,), (1, 6, 11), (3, 2, 11)):
        net = sn.Network.sequential(shape, [sn.Quantize(scale, zero), sn.Dequantize(1.0)])
        given = x.reshape(1, *shape)
        np.testing.assert_array_equal(compiled(net)(given), net.reference(given))


def has_norm(net):
    return any(isinstance(node.layer, sn.BatchNorm) for node in net.nodes)


@pytest.mark.parametrize("variance", [1e-45, 1e-38, 1e-20, 1.0, 1e20, LARGEST])
@pytest.mark.parametrize("weight", [1e-45, 1e-30, -1e-20, 1.0, 1e15])
def test_batch_norms_by_themselves_and_folded(variance, weight):
    norm = sn.BatchNorm([0.0], [variance], [weight], [0.0], epsilon=0.0)
    scale = abs(weight) / np.sqrt(np.float64(np.float32(variance)))
    x = np.float32([[1.0], [1e20], [1e38], [1e-20]])
    # of a weight that decay has made denormal, nothing is left where it is folded
    for before in ([], *([sn.Linear([[first]])] for first in (1e-3, 1e-36) if weight > 1e-40)):
        net = sn.Network.sequential((1,), [*before, norm])
        meant = net.reference(x)
        if scale > LARGEST and has_norm(sn.fold_batchnorm(net)):
            with pytest.raises(
                sn.RangeError, match="layer 'batchnorm1': expected a scale and a shift that float32 can"
            ):
                compiled(net)
            continue
        engine = compiled(net)
        for sample, wanted in zip(x[:, None], meant[:, 0], strict=True):
            try:
                got = engine(sample)[0, 0]
            except sn.RangeError:
                assert abs(wanted) > LARGEST or scale * 1e38 > LARGEST
            else:
                # a product below the normal range, in the sum before, loses digits
                assert got == pytest.approx(wanted, rel=1e-6, abs=1e-44 + 1e-45 * scale)


def test_the_reference_goes_beyond_float32_and_says_where_it_ends():
    layers = [sn.Linear([[3e38]])] * 8
    x = np.float32([[1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sn.Network.sequential((1,), layers[:7]).reference(x)[0, 0] > 1e260
        with pytest.raises(sn.RangeError, match="layer 'linear9': a value leaves float64 in sample 1"):
            sn.Network.sequential((1,), [*layers, layers[0]]).reference([[0.0], [1.0]])


def test_profile_and_explain_say_it_too():
    layers = [sn.Linear([[3e38, 3e38]]), sn.Linear([[1.0], [2.0]])]
    engine = compiled(sn.Network.sequential((2,), layers), batch=2)
    with pytest.raises(sn.RangeError, match=r"layer 'linear1': a value leaves float32 .* in sample 1; scale the"):
        engine.profile([[0, 0], [9, 9.0]])
    with pytest.raises(sn.RangeError, match="layer 'linear1'"):
        engine.explain([[9, 9.0]], measure=False)
    steps = engine.profile([[0.1, 0.1], [0.2, 0.1]]).steps
    assert [step.kernel for step in steps if step.kernel.startswith("watch")] == ["watch_f32"]
    assert [row.layer for row in engine.explain(measure=False).layers] == ["linear1", "linear2"]


def test_quantize_names_the_layer_whose_values_or_scales_leave_float32():
    def net(first, last):
        layers = [sn.Conv2d(np.full((2, 1, 3, 3), first)), sn.ReLU(), sn.Flatten(), sn.Linear(np.full((3, 8), last))]
        return sn.Network.sequential((1, 4, 4), layers)

    x = np.ones((5, 1, 4, 4), np.float32)
    x[:3] = 0
    with pytest.raises(sn.RangeError, match=r"layer 'conv2d1': a value leaves float32 .* in sample 3"):
        sn.quantize(net(3e38, 1.0), x, progress=False)
    quantized = sn.quantize(net(1e-37, 3e-37), x * np.float32(3e38), progress=False)
    np.testing.assert_allclose(compiled(quantized)(x[4:] * 3e38), net(1e-37, 3e-37).reference(x[4:] * 3e38), rtol=0.02)
