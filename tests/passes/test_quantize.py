"""Quantising keeps what a network means, nearly; says what it did; and asks for real inputs."""

import io
import itertools
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import inputs, networks

import sparsenet as sn
from sparsenet.passes import calibration as calibrating
from sparsenet.passes.quant_params import QuantParams, quantized_conv2d, quantized_linear, steps_for
from sparsenet.storage import from_bytes, to_bytes


def normal(*shape, seed=0, density=1.0):
    r = np.random.default_rng(seed)
    return (r.normal(size=shape) * (r.random(shape) < density)).astype(np.float32)


def speech_like(*between):
    """Two convolutions with ``between`` and pooling after each, then two linear layers; 3 outputs."""
    layers = [
        sn.Conv2d(normal(16, 1, 3, 3, seed=1) / 3, normal(16, seed=2) / 4),
        sn.MaxPool2d(2),
        *between,
        sn.Conv2d(normal(16, 16, 3, 3, seed=3, density=0.5) / 9, normal(16, seed=4) / 4),
        *between,
        sn.Flatten(),
        sn.Linear(normal(40, 16 * 5 * 5, seed=5, density=0.1) / 6, normal(40, seed=6) / 4),
        sn.KWinners(10),
        sn.Linear(normal(3, 40, seed=7) / 6),
    ]
    return sn.Network.sequential((1, 16, 16), layers, ["a", "b", "c"], {"title": "A sample"})


def images(count=40, seed=8):
    return np.tanh(normal(count, 1, 16, 16, seed=seed))


def kinds(net):
    return [type(node.layer).__name__ for node in net.nodes]


def relative_error(net, quantized, x):
    wanted = net.reference(x)
    return np.sqrt(np.square(quantized.reference(x) - wanted).sum() / np.square(wanted).sum())


def layers_of(quantized):
    return quantized.details["quantization"]["layers"]


WINNERS = sn.KWinners(4, scope="channels")


def test_convolutions_and_what_follows_them_are_done_on_bytes():
    quantized = sn.quantize(speech_like(WINNERS), images())
    assert kinds(quantized) == [
        *("Quantize", "QuantizedConv2d", "MaxPool2d", "KWinners", "QuantizedConv2d", "KWinners", "Flatten"),
        *("QuantizedLinear", "KWinners", "Quantize", "QuantizedLinear"),
    ]
    assert quantized.labels == ("a", "b", "c")
    assert quantized.details["title"] == "A sample"
    assert quantized.output == speech_like().output


def test_a_rectifier_on_bytes_is_nothing():
    quantized = sn.quantize(speech_like(sn.ReLU()), images())
    assert "ReLU" not in kinds(quantized)
    assert all(layer.get("zero", 0) == 0 for name, layer in layers_of(quantized).items() if name != "quantize1")


# three times what was seen, 0.013, 0.037 and 0.13: of k-winners, close ones change places
@pytest.mark.parametrize(("between", "most"), [((sn.ReLU(),), 0.04), ((), 0.11), ((WINNERS,), 0.4)])
def test_the_answer_stays_close_on_inputs_not_calibrated_on(between, most):
    net = speech_like(*between)
    error = relative_error(net, sn.quantize(net, images()), images(seed=9))
    assert 0 < error < most


def test_values_below_zero_survive_where_nothing_removes_them():
    net = speech_like()
    quantized = sn.quantize(net, images())
    assert layers_of(quantized)["conv2d1"]["zero"] > 0
    assert quantized["conv2d2"].zero == layers_of(quantized)["conv2d1"]["zero"]


def test_winners_below_zero_are_counted():
    """Outputs that are all negative: every winner is lost, and the report says so."""
    layers = [sn.Conv2d(np.full((3, 1, 1, 1), -1.0)), sn.KWinners(2, "channels"), sn.Conv2d(normal(1, 3, 1, 1))]
    net = sn.Network.sequential((1, 2, 2), layers)
    quantized = sn.quantize(net, np.ones((5, 1, 2, 2)))
    assert layers_of(quantized)["conv2d1"]["winners_below_zero_share"] == 1.0
    assert not quantized.reference(np.ones((1, 1, 2, 2))).any()


def test_zeros_and_masks_are_kept():
    net = speech_like(WINNERS)
    quantized = sn.quantize(net, images())
    for name in ("conv2d1", "conv2d2", "linear1"):
        before, after = net[name], quantized[name]
        assert not after.weight[before.weight == 0].any()
        lost = np.count_nonzero((before.weight != 0) & (after.weight == 0))
        assert layers_of(quantized)[name]["weights_rounded_to_zero"] == lost
        assert np.array_equal(after.weight != 0 if after.mask is None else after.mask, before.weight != 0)
        assert np.abs(after.weight.astype(int)).max() <= 127
    assert layers_of(quantized)["conv2d2"]["weights_rounded_to_zero"] > 0
    assert repr(quantized).partition(" layers")[2] == repr(net).partition(" layers")[2]


def test_a_mask_stays_as_it_is():
    mask = np.arange(18).reshape(2, 1, 3, 3) % 3 > 0
    conv = sn.Conv2d(np.where(mask, np.arange(18).reshape(mask.shape) % 5, 0), mask=mask)
    net = sn.Network.sequential((1, 5, 5), [conv, sn.ReLU(), sn.Conv2d(np.ones((1, 2, 1, 1)))])
    assert np.array_equal(sn.quantize(net, images()[..., :5, :5])["conv2d1"].mask, mask)


def test_batch_norms_are_folded_first():
    norm = sn.BatchNorm(normal(8), np.ones(8))
    layers = [sn.Conv2d(normal(8, 1, 3, 3)), norm, sn.ReLU(), sn.Conv2d(normal(2, 8, 3, 3)), sn.Flatten()]
    net = sn.Network.sequential((1, 16, 16), layers)
    assert "BatchNorm" not in kinds(sn.quantize(net, images()))


def test_what_cannot_be_done_on_bytes_stays_in_float32():
    """A skip connection, means, and k-winners among all: bytes before and after, float32 for them."""
    nodes = [
        sn.Node("first", sn.Conv2d(normal(4, 4, 3, 3, seed=1) / 6, padding=1), ("input",)),
        sn.Node("relu", sn.ReLU(), ("first",)),
        sn.Node("add", sn.Add(), ("relu", "input")),
        sn.Node("winners", sn.KWinners(60), ("add",)),
        sn.Node("second", sn.Conv2d(normal(4, 4, 3, 3, seed=2) / 6, normal(4)), ("winners",)),
        sn.Node("mean", sn.GlobalAvgPool2d(), ("second",)),
        sn.Node("flat", sn.Flatten(), ("mean",)),
        sn.Node("quantize1", sn.Linear(normal(3, 4)), ("flat",)),
    ]
    net = sn.Network((4, 8, 8), nodes, "quantize1")
    x = normal(30, 4, 8, 8)
    quantized = sn.quantize(net, x)
    read = {node.name: (type(node.layer).__name__, node.inputs) for node in quantized.nodes}
    assert read["add"] == ("Add", ("dequantize1", "input"))
    assert read["dequantize1"] == ("Dequantize", ("first",))
    assert read["winners"] == ("KWinners", ("add",))
    assert read["quantize3"] == ("Quantize", ("winners",))
    assert read["second"] == ("QuantizedConv2d", ("quantize3",))
    assert read["mean"] == ("GlobalAvgPool2d", ("dequantize2",))
    assert read["quantize4"] == ("Quantize", ("flat",))
    assert read["quantize1"] == ("QuantizedLinear", ("quantize4",))
    assert layers_of(quantized)["quantize1"]["arithmetic"] == "int8"
    assert relative_error(net, quantized, x) < 0.1


@pytest.mark.parametrize("layer", [sn.ReLU(), WINNERS])
def test_where_one_reader_needs_what_is_below_zero_it_is_kept_for_all(layer):
    nodes = [
        sn.Node("first", sn.Conv2d(normal(8, 1, 3, 3, seed=1)), ("input",)),
        sn.Node("above", layer, ("first",)),
        sn.Node("left", sn.Conv2d(normal(2, 8, 3, 3, seed=2)), ("above",)),
        sn.Node("right", sn.Conv2d(normal(2, 8, 3, 3, seed=3)), ("first",)),
        sn.Node("sum", sn.Add(), ("left", "right")),
    ]
    net = sn.Network((1, 16, 16), nodes, "sum")
    quantized = sn.quantize(net, images())
    assert layers_of(quantized)["first"]["zero"] > 0
    assert {"first", "above"} - quantized.byte_valued == {"above"}
    assert relative_error(net, quantized, images(seed=9)) < 0.08  # three times what was seen, 0.020 and 0.025


def test_a_value_is_turned_once_for_all_that_read_it():
    nodes = [
        sn.Node("left", sn.Conv2d(normal(2, 1, 3, 3)), ("input",)),
        sn.Node("right", sn.Conv2d(normal(2, 1, 3, 3, seed=1)), ("input",)),
        sn.Node("both", sn.Concat(), ("left", "right")),
        sn.Node("twice", sn.Add(), ("both", "both")),
        sn.Node("more", sn.Add(), ("left", "right")),
        sn.Node("end", sn.Concat(), ("twice", "more")),
    ]
    quantized = sn.quantize(sn.Network((1, 16, 16), nodes, "end"), images())
    assert sorted(kinds(quantized)).count("Quantize") == 1
    assert sorted(kinds(quantized)).count("Dequantize") == 2


@pytest.mark.parametrize(
    "layer",
    [sn.KWinners(2, "channels", factor=np.linspace(1, 2, 4)), sn.KWinners(9), sn.Reshape((4, 4, 9)), sn.Softmax()],
)
def test_layers_that_need_float32_get_it(layer):
    layers = [sn.Conv2d(normal(4, 1, 3, 3)), layer, sn.Conv2d(normal(2, 4, 3, 3)), sn.Flatten()]
    net = sn.Network.sequential((1, 8, 8), layers)
    quantized = sn.quantize(net, images()[..., :8, :8])
    name = net.nodes[1].name
    assert name not in quantized.byte_valued
    assert kinds(quantized)[-2:] == ["Dequantize", "Flatten"]  # the end of the network is in float32 as well


def linear_chain(sizes, between, seed=0):
    r = np.random.default_rng(seed)
    layers = []
    for fan_in, outputs in itertools.pairwise(sizes):
        weight = r.normal(size=(outputs, fan_in)) / np.sqrt(fan_in) * (r.random((outputs, fan_in)) < 0.5)
        layers += [sn.Linear(weight, r.normal(size=outputs) / 4), *between(outputs)]
    return sn.Network.sequential((sizes[0],), layers[: -len(between(1))] if between(1) else layers)


BETWEEN = {
    "nothing": lambda n: [],
    "relu": lambda n: [sn.ReLU()],
    "winners": lambda n: [sn.KWinners(max(1, n // 8))],
    "winners of channels": lambda n: [sn.KWinners(max(1, n // 4), "channels")],
    "both": lambda n: [sn.ReLU(), sn.KWinners(max(1, n // 8), factor=np.linspace(1, 2, n))],
}


def test_linear_layers_are_done_on_bytes_and_a_rectifier_before_bytes_is_nothing():
    net = linear_chain((64, 256, 256, 10), BETWEEN["relu"])
    quantized = sn.quantize(net, normal(100, 64))
    assert kinds(quantized) == ["Quantize", "QuantizedLinear"] * 3
    assert {said.get("arithmetic", "int8") for said in layers_of(quantized).values()} == {"int8"}
    assert relative_error(net, quantized, normal(50, 64, seed=1)) < 0.03  # twice what was seen, 0.013


def test_a_rectifier_that_others_read_stays():
    nodes = [
        sn.Node("a", sn.Linear(normal(6, 6)), ("input",)),
        sn.Node("relu", sn.ReLU(), ("a",)),
        sn.Node("b", sn.Linear(normal(6, 6, seed=1)), ("relu",)),
        sn.Node("sum", sn.Add(), ("b", "relu")),
    ]
    net = sn.Network((6,), nodes, "sum")
    quantized = sn.quantize(net, normal(50, 6))
    read = {node.name: node.inputs for node in quantized.nodes}
    assert read["quantize2"] == ("a",)
    assert read["sum"] == ("b", "relu")
    assert relative_error(net, quantized, normal(50, 6, seed=1)) < 0.03


@pytest.mark.parametrize("name", BETWEEN)
@given(st.lists(st.sampled_from([1, 2, 15, 16, 17, 63, 64, 65, 100, 257]), min_size=2, max_size=4), st.integers(0, 99))
def test_chains_of_linear_layers_stay_close(name, sizes, seed):
    """Each layer's bytes and weights are off by half a step of 255 and of 127 of their range."""
    net = linear_chain(sizes, BETWEEN[name], seed)
    quantized = sn.quantize(net, normal(64, sizes[0], seed=seed + 1000))
    weighted = [node.layer for node in quantized.nodes if isinstance(node.layer, sn.QuantizedLinear)]
    assert len(weighted) == len(sizes) - 1
    assert not any(isinstance(node.layer, sn.Linear) for node in quantized.nodes)
    if "winners" not in name and name != "both":  # rounding decides who wins
        x = normal(64, sizes[0], seed=seed + 1000)
        wanted = net.reference(x)
        # a step of each of up to three layers, against values of which a few are much larger than most
        assert np.abs(quantized.reference(x) - wanted).max() <= 0.1 * np.abs(wanted).max() + 1e-6


@pytest.mark.parametrize("name", BETWEEN)
@given(st.lists(st.sampled_from([1, 3, 16, 33, 64, 130, 257]), min_size=2, max_size=4), st.integers(0, 99))
def test_the_engine_computes_chains_of_linear_layers_to_the_bit(name, sizes, seed):
    """With scales that are powers of two nothing is rounded but by the layers that mean to."""
    r = np.random.default_rng(seed)
    layers = []
    for fan_in, outputs in itertools.pairwise(sizes):
        weight = r.integers(-127, 128, (outputs, fan_in)) * (r.random((outputs, fan_in)) < r.choice([0.05, 0.4, 1.0]))
        scale = 2.0 ** -r.integers(8, 12, outputs)
        layers += [
            sn.Quantize(2.0 ** -r.integers(0, 3), int(r.integers(0, 256))),
            sn.QuantizedLinear(weight.astype(np.int8), r.integers(-64, 64, outputs) / 64, scale),
            *([] if name == "both" else BETWEEN[name](outputs)),
        ]
    net = sn.Network.sequential((sizes[0],), layers)
    x = (r.integers(-400, 400, (5, sizes[0])) / 8).astype(np.float32)
    engine = sn.compile(net, batch=5, planner="predict", progress=False)
    np.testing.assert_array_equal(engine(x), net.reference(x))


def test_layers_that_cannot_be_rounded_stay_float32_with_a_warning_that_names_them():
    weight = np.where(np.arange(70_000) % 2, 1.0, -1.0).reshape(
        1, -1
    )  # any input: sums beyond int32 cannot be ruled out
    net = sn.Network.sequential((70_000,), [sn.Linear(weight), sn.Linear([[1.0], [2.0]])])
    with pytest.warns(sn.QuantizationWarning, match=r"layer 'linear1' stays float32: QuantizedLinear: expected sums"):
        quantized = sn.quantize(net, np.linspace(0, 1, 70_000).reshape(1, -1))
    assert kinds(quantized) == ["Linear", "Quantize", "QuantizedLinear"]
    assert "expected sums" in layers_of(quantized)["linear1"]["reason"]


def test_linear_layers_stay_float32_where_that_is_asked_for():
    net = speech_like(WINNERS)
    quantized = sn.quantize(net, images(), keep_float32=["linear2"])
    assert kinds(quantized)[-3:] == ["QuantizedLinear", "KWinners", "Linear"]
    assert layers_of(quantized)["linear2"] == {"arithmetic": "float32", "reason": "it was asked to stay so"}
    assert kinds(sn.quantize(net, images(), keep_float32=["linear1"]))[-6:-3] == ["Flatten", "Dequantize", "Linear"]
    with pytest.raises(sn.SparsenetError, match="got 'conv2d1'; there are linear1, linear2"):
        sn.quantize(net, images(), keep_float32=["conv2d1"])
    with pytest.raises(TypeError, match="collection of names"):
        sn.quantize(net, images(), keep_float32="linear2")


@pytest.mark.filterwarnings("ignore:the calibration data are zero", "ignore:at .* calibration samples reach")
@given(st.data())
def test_any_network_can_be_quantised(data):
    net = data.draw(networks())
    x = data.draw(inputs(net, batch=4))
    quantized = sn.quantize(net, x)
    assert quantized.output_shape == net.output_shape
    assert np.isfinite(quantized.reference(x)).all()
    assert quantized.details["quantization"]["samples"] == 4
    assert from_bytes(to_bytes(quantized)).details == quantized.details
    assert not any(isinstance(node.layer, sn.Conv2d) for node in quantized.nodes)


@given(st.integers(0, 10**6), st.floats(-20, 20), st.floats(-20, 20), st.integers(0, 255), st.integers(0, 255))
def test_a_convolution_is_rounded_by_half_a_step_of_each_weight(seed, before_log, after_log, zero_before, zero_after):
    """What comes out is wrong by half a step of every weight, of the bias and of the output at most, or clipped."""
    r = np.random.default_rng(seed)
    layer = sn.Conv2d(r.normal(size=(3, 2, 2, 2)), r.normal(size=3) * r.choice([0.0, 1.0, 1e6]))
    before, after = QuantParams(2.0**before_log, zero_before), QuantParams(2.0**after_log, zero_after)
    made = quantized_conv2d(layer, before, after)
    step = before.scale * made.weight_scale
    assert made.after.scale == pytest.approx(step * 2.0**made.layer.shift)
    assert made.after.scale >= after.scale * (1 - 1e-9)
    x = r.integers(0, 256, (2, 2, 4, 4)).astype(float)
    net = sn.Network.sequential((2, 4, 4), [sn.Quantize(1.0), made.layer, sn.Dequantize(1.0)])
    real = sn.Network.sequential((2, 4, 4), [layer]).reference((x - before.zero) * before.scale)
    wanted = real / made.after.scale + zero_after
    error = np.abs(net.reference(x) - np.clip(wanted, 0, 255))
    weights = 0.5 * step * np.abs(x - before.zero).sum() + 0.5 * step
    assert error.max() <= 0.5 + weights / made.after.scale + 1e-6


def test_all_outputs_share_their_scale_and_the_weights_use_int8():
    layer = sn.Conv2d(normal(64, 8, 3, 3) / 8)
    for after in np.geomspace(0.01, 0.1, 9):
        made = quantized_conv2d(layer, QuantParams(0.01, 0), QuantParams(float(after), 0))
        assert 63 <= np.abs(made.layer.weight.astype(int)).max() <= 127
        assert made.after.scale == pytest.approx(after)


def test_a_convolution_of_zeros_keeps_its_bias():
    made = quantized_conv2d(sn.Conv2d(np.zeros((2, 1, 1, 1)), [0.5, -3.0]), QuantParams(0.1, 9), QuantParams(0.01, 0))
    assert made.layer.bias.tolist() == [50 << 8, -(256 << 8)]


def test_a_linear_layer_scales_each_output_and_takes_the_zero_point():
    weight = normal(5, 30) * np.array([[1e-6], [1.0], [1e6], [0.0], [1.0]])
    layer, before = sn.Linear(weight, normal(5, seed=1)), QuantParams(0.25, 77)
    made = quantized_linear(layer, before)
    assert np.abs(made.weight.astype(int)).max(1).tolist() == [127, 127, 127, 0, 127]
    x = np.random.default_rng(2).integers(0, 256, (9, 30)).astype(float)
    net = sn.Network.sequential((30,), [sn.Quantize(1.0), made])
    real = sn.Network.sequential((30,), [layer]).reference((x - 77) * 0.25)
    # half a step of each weight; scale and bias are float32
    bound = made.scale * 0.5 * np.abs(x - 77).sum(1, keepdims=True) + np.abs(made.bias) * 2.0**-23
    assert (np.abs(net.reference(x) - real) <= bound + made.scale * 2.0**-23 * 127 * 255 * 30).all()


@pytest.mark.parametrize(
    ("lowest", "highest", "share", "expected"),
    [
        (-1.0, 1.0, 1.0, QuantParams(float(np.float32(2 / 255)), 128)),
        (0.0, 255.0, 0.5, QuantParams(0.5, 0)),
        (3.0, 255.0, 1.0, QuantParams(1.0, 0)),
        (-255.0, -5.0, 1.0, QuantParams(1.0, 255)),
        (0.0, 0.0, 1.0, QuantParams(1.0, 0)),
        (0.0, 1e-44, 1.0, QuantParams(2.0**-100, 0)),
    ],
)
def test_steps_cover_their_range_and_zero(lowest, highest, share, expected):
    assert steps_for(lowest, highest, share) == expected


def test_sums_that_could_overflow_are_refused_by_name():
    weight = np.where(np.arange(70_000) % 2, 1.0, -1.0).reshape(1, -1, 1, 1)  # whose sums are small in practice
    net = sn.Network.sequential((70_000, 1, 1), [sn.Conv2d(weight)])
    with pytest.raises(sn.GraphError, match=r"layer 'conv2d1': QuantizedConv2d: expected sums of at most 2147483647"):
        sn.quantize(net, np.linspace(0, 1, 70_000).reshape(1, -1, 1, 1))


def test_batches_are_streamed_and_read_once():
    net, x = speech_like(WINNERS), images()
    whole = sn.quantize(net, x)
    streamed = sn.quantize(net, (part for part in np.split(x, [3, 3, 20])))
    assert streamed.details == whole.details
    assert to_bytes(streamed) == to_bytes(whole)


def test_ranges_are_of_all_samples_and_few_are_kept(monkeypatch):
    monkeypatch.setattr(calibrating, "MOST_SAMPLES", 4)
    net = sn.Network.sequential((2,), [sn.ReLU()])
    x = normal(500, 2)
    observed = calibrating.observe(net, x, progress=False)
    assert observed.count == 500
    assert observed.ranges == {"input": (x.min(), x.max()), "relu1": (0.0, x.max())}
    kept = observed.values["input"]
    assert kept.shape == (4, 2)
    assert all((x == sample).all(1).any() for sample in kept)
    assert not any((x[:4] == sample).all(1).any() for sample in kept)  # not merely the first: chosen among all


def test_large_networks_keep_fewer_samples(monkeypatch):
    monkeypatch.setattr(calibrating, "MOST_ELEMENTS", 10)
    net = sn.Network.sequential((2,), [sn.ReLU()])
    assert len(calibrating.observe(net, normal(9, 2), progress=False).values["relu1"]) == 2


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (
            np.zeros((0, 1, 16, 16)),
            sn.SparsenetError,
            "expected calibration data, got no samples; give some real inputs",
        ),
        ([], sn.SparsenetError, "got no samples"),
        (np.zeros((1, 16, 16)), sn.SparsenetError, r"of shape \(B, 1, 16, 16\), got \(1, 16, 16\)"),
        ([images(2), images(2)[0]], sn.SparsenetError, r"of shape \(B, 1, 16, 16\), got \(1, 16, 16\)"),
        (images(2) * np.nan, sn.SparsenetError, "expected finite input, got NaN or infinity"),
        ([images(2), np.full((1, 1, 16, 16), 1e300)], sn.SparsenetError, "expected finite input, got NaN or infinity"),
        (
            [(images(8), np.zeros(8))],
            sn.SparsenetError,
            r"are the others labels\? Give the inputs: \(batch\[0\] for batch",
        ),
        ([[images(8), np.zeros(8)]], sn.SparsenetError, "a list of 2 parts of which the first is one"),
        ([{"x": images(2)}], TypeError, r"got a dict; give its inputs: \(b\['x'\] for b in data\)"),
        ([[[1.0, 2.0], [3.0]]], sn.SparsenetError, "whose parts have different shapes"),
        (iter([]), sn.SparsenetError, "an iterator gives its data only once"),
        (None, TypeError, "expected an array or an iterable of arrays, got NoneType"),
        ("clips", TypeError, "expected an array or an iterable of arrays, got str"),
        ([["a"]], TypeError, "expected calibration data of numbers, got <U1"),
    ],
)
def test_calibration_data_that_cannot_be_right_are_refused(data, kind, message):
    with pytest.raises(kind, match=message):
        sn.quantize(speech_like(), data)


def test_a_quantised_network_is_not_quantised_again():
    quantized = sn.quantize(speech_like(), images(4))
    with pytest.raises(sn.SparsenetError, match="got one that is quantised: layer 'quantize1' is a Quantize"):
        sn.quantize(quantized, images(4))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False)])
def test_progress_is_shown_when_asked_for(progress, shown, monkeypatch):
    monkeypatch.setattr("sparsenet.progress.PATIENCE_S", -1.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    sn.quantize(speech_like(), images(4), progress=progress)
    assert ("calibrating" in sys.stderr.getvalue()) is shown
    assert ("quantising" in sys.stderr.getvalue()) is shown


def test_nothing_is_written_where_nobody_watches(capfd):
    sn.quantize(speech_like(), images(4))
    assert capfd.readouterr() == ("", "")


ORDINARY = {
    "uniform": lambda r, shape: r.uniform(-1, 1, shape),
    "normal": lambda r, shape: r.normal(size=shape),
    "rectified": lambda r, shape: np.maximum(r.normal(size=shape), 0),
    "bytes": lambda r, shape: r.integers(0, 256, shape),
    "one kind": lambda r, shape: np.ones(shape),
    "zeros": lambda r, shape: np.zeros(shape),
    "mostly zero": lambda r, shape: r.normal(size=shape) * (r.random(shape) < 0.01),
    "loud and quiet": lambda r, shape: (
        r.normal(size=shape) * 10 ** r.uniform(-3, 0, (shape[0], *[1] * (len(shape) - 1)))
    ),
}


def convolutions(seed=0):
    r = np.random.default_rng(seed)
    layers = [sn.Conv2d(r.normal(size=(6, 2, 3, 3))), sn.ReLU(), sn.MaxPool2d(2), sn.Flatten()]
    return sn.Network.sequential((2, 6, 6), [*layers, sn.Linear(r.normal(size=(5, 24)))])


@pytest.mark.parametrize("kind", ORDINARY)
@given(st.integers(0, 999), st.sampled_from([1, 9, 10, 50, 200]))
def test_ordinary_data_are_not_clipped(kind, seed, samples):
    x = ORDINARY[kind](np.random.default_rng(seed), (samples, 2, 6, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("error" if kind in ("uniform", "normal", "rectified") else "ignore")
        quantized = sn.quantize(convolutions(), x)
    assert "outliers" not in quantized.details["quantization"]


@pytest.mark.parametrize("kind", ["uniform", "normal", "rectified"])
@given(st.integers(0, 999), st.sampled_from([-1e6, -1e4, -100.0, 30.0, 100.0, 1e4, 1e30]), st.integers(1, 2))
def test_a_few_outliers_are_clipped_with_a_warning(kind, seed, glitch, glitches):
    """The error on ordinary inputs is nearly what it is without them."""
    r = np.random.default_rng(seed)
    net, x = convolutions(), ORDINARY[kind](r, (100, 2, 6, 6)).astype(np.float32)
    seen = x.copy()
    for sample in r.choice(100, glitches, replace=False):
        seen[sample, r.integers(2), r.integers(6), r.integers(6)] = glitch
    with pytest.warns(sn.QuantizationWarning, match=rf"{glitches} of 100 calibration samples .* at 'input', to"):
        quantized = sn.quantize(net, seen)
    said = quantized.details["quantization"]["outliers"]["input"]
    assert said["samples"] == glitches
    assert np.float32(glitch) in np.float32(said["seen"])
    plain, clipped = (relative_error(net, one, x) for one in (sn.quantize(net, x), quantized))
    assert clipped < 1.5 * plain


def test_a_chain_of_layers_may_be_long():
    layers = [sn.Conv2d(normal(2, 2, 1, 1)), *[sn.MaxPool2d(1)] * 1100, sn.ReLU()]
    net = sn.Network.sequential((2, 1, 1), layers)
    assert layers_of(sn.quantize(net, np.ones((2, 2, 1, 1))))["conv2d1"]["zero"] == 0


def test_tensors_are_calibration_data_whatever_their_dtype():
    torch = pytest.importorskip("torch", reason="needs the extra train")
    net, x = convolutions(), normal(20, 2, 6, 6)
    wanted = to_bytes(sn.quantize(net, x))
    assert to_bytes(sn.quantize(net, torch.from_numpy(x).requires_grad_())) == wanted
    assert to_bytes(sn.quantize(net, torch.from_numpy(x).double().split(7))) == wanted
    sn.quantize(net, torch.from_numpy(x).bfloat16())
    assert to_bytes(sn.quantize(net, x.astype(">f4"))) == wanted


@pytest.mark.parametrize("how", ["five of 200", "a whole sample", "the only sample", "zeros"])
def test_data_that_leave_ordinary_values_no_steps_are_told_of(how):
    r = np.random.default_rng(0)
    net = sn.Network.sequential((3, 8, 8), [sn.Conv2d(r.normal(size=(4, 3, 3, 3))), sn.ReLU(), sn.Flatten()])
    data = r.uniform(-1, 1, (200, 3, 8, 8))
    glitched = data.copy()
    glitched[:5, 0, 0, 0] = 1e4
    given = {
        "five of 200": glitched,
        "a whole sample": np.concatenate([data, data[:1] * 1e3]),
        "the only sample": glitched[:1],
        "zeros": 0 * data,
    }[how]
    with pytest.warns(sn.QuantizationWarning, match="are zero" if how == "zeros" else "one of 255 steps"):
        sn.quantize(net, given, progress=False)


def test_what_was_measured_stays_with_the_network_that_it_was_measured_on():
    net = sn.load("spoken-digits-float32")
    made = sn.quantize(net, np.random.default_rng(0).uniform(-1, 1, (20, 1, 32, 32)), progress=False)
    assert "accuracy" not in made.details
    assert "speed" not in made.details
    assert made.details["float32"] == {name: net.details[name] for name in ("accuracy", "speed")}
