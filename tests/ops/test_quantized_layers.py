"""What quantised layers mean, in whole numbers, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from same_network import assert_same_network
from strategies import inputs, networks

import sparsenet as sn
from sparsenet.explain.work import work
from sparsenet.graph.reference import evaluate
from sparsenet.graph.summary import density
from sparsenet.layers import as_pair
from sparsenet.ops.shapes import infer_shape
from sparsenet.storage import from_bytes, to_bytes

I8, I32 = np.int8, np.int32


def convolution(**settings):
    made = {"weight": np.ones((2, 1, 3, 3), I8), "bias": np.zeros(2, I32), "shift": 3, **settings}
    return sn.QuantizedConv2d(**made)


def linear(**settings):
    made = {"weight": np.ones((2, 4), I8), "bias": np.zeros(2), "scale": np.ones(2), **settings}
    return sn.QuantizedLinear(**made)


def shifted_sums(layer, x):
    """Compute the convolution of bytes (B, C, H, W) place by place, in Python's own integers."""
    (sh, sw), (ph, pw), (dh, dw) = map(as_pair, (layer.stride, layer.padding, layer.dilation))
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=layer.zero).astype(object)
    N, C, kh, kw = layer.weight.shape
    out = np.zeros((len(x), *infer_shape(layer, (x.shape[1:],))), int)
    for b, n, i, j in np.ndindex(out.shape):
        first = n // (N // layer.groups) * C
        top, left = i * sh, j * sw
        seen = padded[b, first : first + C, top : top + kh * dh : dh, left : left + kw * dw : dw][:, :kh, :kw]
        acc = int(layer.bias[n]) + int((seen * layer.weight[n].astype(object)).sum())
        assert abs(acc) < 2**31
        out[b, n, i, j] = min(max((acc + (1 << layer.shift >> 1)) >> layer.shift, 0), 255)
    return out


@given(st.data())
def test_networks_on_bytes_mean_what_whole_numbers_say(data):
    net = data.draw(networks(quantized=True, max_layers=3))
    values = evaluate(net, data.draw(inputs(net, batch=data.draw(st.integers(0, 2)))))
    for node in net.nodes:
        x, y, layer = values[node.inputs[0]], values[node.name], node.layer
        if node.name in net.byte_valued:
            assert np.array_equal(y, np.clip(np.rint(y), 0, 255))
        if isinstance(layer, sn.QuantizedConv2d):
            assert np.array_equal(y, shifted_sums(layer, x.astype(int)))
        elif isinstance(layer, sn.QuantizedLinear):
            sums = x.astype(np.int64) @ layer.weight.T.astype(np.int64)
            assert np.abs(sums).max(initial=0) < 2**31
            assert np.array_equal(y, sums * layer.scale.astype(float) + layer.bias)
        elif isinstance(layer, sn.Dequantize):
            assert np.array_equal(y, (x - layer.zero) * layer.scale)


@pytest.mark.parametrize("zero", [0, 3, 255])
def test_quantize_rounds_halves_to_even(zero):
    net = sn.Network.sequential((9,), [sn.Quantize(0.5, zero), sn.Dequantize(1.0)])
    x = np.array([-1e30, -0.75, -0.25, -0.0, 0.25, 0.75, 1.25, 126.5, 3e38])
    steps = np.array([-1e30, -2, 0, 0, 0, 2, 2, 253, 1e30])
    assert np.array_equal(net.reference(x[None])[0], np.clip(steps + zero, 0, 255))


def test_quantize_multiplies_by_the_float32_reciprocal():
    scale = np.float32(1 / 49)
    x = (np.arange(250, dtype=np.float32) + np.float32(0.5)) * scale
    net = sn.Network.sequential((len(x),), [sn.Quantize(scale), sn.Dequantize(1.0)])
    expected = np.clip(np.rint(x * (np.float32(1) / scale)), 0, 255)
    assert np.array_equal(net.reference(x[None])[0], expected)
    assert not np.array_equal(expected, np.clip(np.rint(x / scale), 0, 255))  # where a division would differ


def test_padding_counts_as_the_zero_point():
    layer = convolution(weight=np.full((1, 1, 3, 3), 2), bias=[5], shift=0, padding=1, zero=7)
    net = sn.Network.sequential((1, 1, 1), [sn.Quantize(1.0), layer, sn.Dequantize(1.0)])
    assert net.reference([[[[4.0]]]]).item() == 5 + 2 * (8 * 7 + 4)


@pytest.mark.parametrize(
    ("acc", "shift", "expected"),
    [
        (-9, 0, 0),
        (255, 0, 255),
        (256, 0, 255),
        (3, 1, 2),
        (5, 2, 1),
        (6, 2, 2),
        (-1, 1, 0),
        (2**30 - 1, 30, 1),
        (2**29 - 1, 30, 0),
        (2**30 - 1, 31, 0),
    ],
)
def test_sums_are_shifted_with_rounding_and_clipped(acc, shift, expected):
    layer = convolution(weight=np.zeros((1, 1, 1, 1), I8), bias=[acc], shift=shift)
    net = sn.Network.sequential((1, 1, 1), [sn.Quantize(1.0), layer, sn.Dequantize(1.0)])
    assert net.reference(np.zeros((1, 1, 1, 1))).item() == expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sn.Quantize(0.0), "Quantize: expected a positive scale that float32 can hold and divide by, got 0.0"),
        (lambda: sn.Quantize(float("nan")), "expected a finite scale"),
        (lambda: sn.Quantize(1e-40), "expected a positive scale"),
        (lambda: sn.Dequantize(1.0, zero=256), "Dequantize: expected zero from 0 to 255, got 256"),
        (lambda: convolution(shift=32), "expected shift from 0 to 31, got 32"),
        (lambda: convolution(zero=-1), "expected zero from 0 to 255"),
        (lambda: convolution(groups=3), "expected groups that divide the outputs, got 3 groups for 2"),
        (lambda: convolution(bias=np.zeros(3, I32)), r"expected a bias of shape \(2,\), got \(3,\)"),
        (
            lambda: convolution(bias=np.array([0, 2**31])),
            "expected bias from -2147483648 to 2147483647, got 0 to 2147483648",
        ),
        (lambda: convolution(weight=np.full((2, 1, 3, 3), 128)), "expected weight from -128 to 127, got 128 to 128"),
        (lambda: convolution(weight=np.ones((2, 9), I8)), r"expected weight of shape \(N, C / groups, kh, kw\)"),
        (lambda: convolution(mask=np.zeros((2, 1, 3, 3), bool)), "expected weights of zero outside the mask, got 18"),
        (lambda: linear(scale=np.zeros(2)), "expected positive scales, got 0.0"),
        (lambda: linear(scale=np.ones(3)), r"expected a scale of shape \(2,\), got \(3,\)"),
        (lambda: linear(bias=np.full(2, np.inf)), "expected finite float32 values in bias"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(make, message):
    with pytest.raises(sn.GraphError, match=message):
        make()


def test_weights_that_are_not_integers_are_a_type_error():
    with pytest.raises(TypeError, match="expected weight to hold integers, got float64"):
        convolution(weight=np.ones((2, 1, 3, 3)))
    with pytest.raises(TypeError, match="expected bias to hold integers, got float32"):
        convolution(bias=np.zeros(2, np.float32))


def test_a_sum_that_just_fits_is_taken_and_one_more_is_not():
    """255 times the sum of 66,311 weights of 127 is 57,122 below 2**31 - 1."""
    weight = np.full((1, 66_311, 1, 1), 127, I8)
    left = 2**31 - 1 - 255 * 127 * 66_311
    for bias in (left, -left):
        assert sn.QuantizedConv2d(weight, [bias], 0).bias[0] == bias
        with pytest.raises(
            sn.GraphError, match="expected sums of at most 2147483647 for every input, got weights that"
        ):
            sn.QuantizedConv2d(weight, [bias + np.sign(bias)], 0)
    with pytest.raises(sn.GraphError, match="expected sums of at most 2147483647"):
        sn.QuantizedConv2d(weight, [left], 1)  # half a step is added before the shift
    with pytest.raises(sn.GraphError, match="expected sums of at most"):
        linear(weight=np.full((2, 70_000), -127, I8))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([convolution()], "expected bytes, got float32; is a Quantize"),
        ([sn.Flatten(), linear(weight=np.ones((2, 16), I8))], "expected bytes, got float32; is a Quantize"),
        ([sn.Dequantize(1.0)], "expected bytes, got float32"),
        ([sn.Quantize(1.0), sn.Quantize(1.0)], "expected float32, got bytes; is a Dequantize"),
        ([sn.Quantize(1.0), sn.ReLU()], "expected float32, got bytes"),
        (
            [sn.Quantize(1.0), sn.MaxPool2d(2), sn.Conv2d(np.ones((1, 1, 1, 1)))],
            r"'conv2d1' \(Conv2d\): expected float32",
        ),
        ([sn.Quantize(1.0), sn.MaxPool2d(2)], "expected an output in float32, got bytes; end with a Dequantize"),
        (
            [sn.Quantize(1.0), convolution(weight=np.ones((2, 3, 3, 3), I8))],
            r"expected 3 input channels, got shape \(1,",
        ),
        ([sn.Quantize(1.0), sn.Flatten(), linear()], "expected a vector of 4 inputs"),
    ],
)
def test_bytes_and_floats_do_not_mix(layers, message):
    with pytest.raises(sn.GraphError, match=message):
        sn.Network.sequential((1, 4, 4), layers)


def test_bytes_and_floats_do_not_join():
    nodes = [sn.Node("q", sn.Quantize(1.0), ("input",)), sn.Node("c", sn.Concat(), ("q", "input"))]
    with pytest.raises(sn.GraphError, match="expected inputs that are all float32 or all bytes, got both"):
        sn.Network((3,), nodes, "c")


def test_a_network_knows_which_values_are_bytes():
    layers = [sn.Quantize(1.0), convolution(), sn.Flatten(), linear(weight=np.ones((2, 8), I8)), sn.KWinners(1)]
    net = sn.Network.sequential((1, 4, 4), layers)
    assert net.byte_valued == {"quantize1", "quantizedconv2d1", "flatten1"}


def test_weights_are_counted():
    mask = np.arange(8).reshape(2, 4) < 6
    layers = [sn.Quantize(1.0), sn.KWinners(1), linear(weight=mask * np.arange(8).reshape(2, 4), mask=mask)]
    net = sn.Network.sequential((4,), layers)
    assert density(layers[2]) == 0.75
    assert "6 of 8 weights" in repr(net)
    row = work(net)[-1]
    assert (row.dense, row.weight_sparse, row.active, row.dense_bytes, row.sparse_bytes) == (8, 6, 0.25, 8, 6 * 5)


def test_a_zero_point_makes_every_input_count():
    net = sn.Network.sequential((4,), [sn.KWinners(1), sn.Quantize(1.0, 9), linear()])
    assert work(net)[-1].active == 1.0


def test_arrays_are_copied_and_read_only():
    weight = np.ones((2, 4), np.int64)
    layer = linear(weight=weight)
    weight[:] = 0
    assert layer.weight.all()
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 2


@given(networks(quantized=True))
def test_the_same_means_the_same_after_storing(net):
    assert_same_network(from_bytes(to_bytes(net)), net)
