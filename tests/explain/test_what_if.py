import io
import json

import numpy as np
import pytest
from rich.console import Console

import sparsenet
from sparsenet.errors import SparsenetError
from sparsenet.explain.variants import all_kept, image_channels, mask_for, masked, with_winners, with_winners_before
from sparsenet.explain.what_if import CALL_US
from sparsenet.graph.network import Network
from sparsenet.layers import (
    Conv2d,
    Flatten,
    KWinners,
    Linear,
    MaxPool2d,
    QuantizedConv2d,
    QuantizedLinear,
    ReLU,
    kept_count,
)
from sparsenet.packing import FAMILIES, uniform

RANDOM = np.random.default_rng(0)


def convolutional(relu=False):
    """Two convolutions and two linear layers: enough for every rule, small enough to be quick."""
    last = RANDOM.standard_normal((4, 32)) if relu else RANDOM.standard_normal((4, 32)) / 2
    layers = [
        *(Conv2d(RANDOM.standard_normal((16, 1, 3, 3))), MaxPool2d(2), ReLU() if relu else KWinners(4, "channels")),
        *(Conv2d(RANDOM.standard_normal((16, 16, 3, 3))), MaxPool2d(2), ReLU() if relu else KWinners(4, "channels")),
        *(Flatten(), Linear(RANDOM.standard_normal((32, 64))), ReLU() if relu else KWinners(8), Linear(last)),
    ]
    return Network.sequential((1, 14, 14), layers)


def weighted(row):
    return [layer for layer in row.layers if layer.density is not None]


def quantized():
    return sparsenet.quantize(convolutional(), RANDOM.uniform(0, 1, (8, 1, 14, 14)), progress=False)


@pytest.mark.parametrize("net", [convolutional(), quantized()], ids=["float32", "int8"])
def test_every_family_has_its_row(net):
    found = sparsenet.what_if(net, density=0.2, progress=False)
    assert [row.name for row in found.rows] == ["as it is", "dense kernels", *FAMILIES]
    for row in found.rows:
        assert [layer.layer for layer in weighted(row)] == ["conv2d1", "conv2d2", "linear1", "linear2"]
        assert row.predicted_us == pytest.approx(row.call_us + sum(layer.predicted_us for layer in row.layers))
        assert row.measured_us is None
    for row in found.rows[2:]:
        first, *changed, last = weighted(row)
        assert all(layer.family in FAMILIES and 0 < layer.density <= 0.35 for layer in changed)
        assert row.density < 0.4
        assert first.density == last.density == 1
        assert first.family == last.family == ""
    assert found.best in found.rows[2:]
    assert found.best.predicted_us == min(row.predicted_us for row in found.rows[2:])
    json.dumps(found.to_dict(), allow_nan=False)
    assert "<table" in found._repr_html_()


def test_the_dense_row_has_no_zeros():
    weight = RANDOM.standard_normal((64, 64)) * uniform((64, 64), 0.1).keep
    rows = sparsenet.what_if(Network.sequential((64,), [Linear(weight)]), family="blocks").rows
    assert rows[0].layers[0].density < 0.11
    assert rows[1].layers[0].density == 1
    assert rows[1].density == 1
    assert rows[2].layers[0].density == pytest.approx(rows[0].layers[0].density, abs=1 / 64)


def test_a_family_without_such_a_mask_says_what_came_instead():
    net = Network.sequential((64,), [Linear(np.ones((64, 64)))])
    row = sparsenet.what_if(net, density=0.1, family="taps").rows[-1]
    assert row.layers[0].family == "blocks"
    assert row.notes[0].startswith("linear1: blocks instead of taps: expected a density")
    console = Console(file=io.StringIO(), width=80)
    console.print(sparsenet.what_if(net, density=0.1, family="taps"))
    assert "blocks instead of taps" in console.file.getvalue()
    assert max(map(len, console.file.getvalue().splitlines())) <= 80


def test_a_layer_that_no_mask_fits_keeps_its_weights():
    sizes = (512, 256), (64, 512), (4, 64), (4, 4)
    net = Network.sequential((256,), [Linear(RANDOM.random(size)) for size in sizes])
    row = sparsenet.what_if(net, density=0.05, family="blocks", layers=["linear2", "linear4"]).rows[-1]
    assert [layer.family for layer in weighted(row)] == ["", "blocks", "", ""]
    assert row.notes[0].startswith("linear4 keeps its own weights: expected a density that keeps at least one")


def test_winners_and_the_call_are_predicted():
    found = sparsenet.what_if(convolutional(), active=0.25)
    kinds = [layer.kind for layer in found.best.layers]
    assert kinds == ["Conv2d", "KWinners", "Conv2d", "KWinners", "Linear", "KWinners", "Linear"]  # poolings run along
    assert all(layer.predicted_us > 0 for layer in found.best.layers)
    assert found.best.call_us > CALL_US
    shared = sparsenet.what_if(convolutional(), active=0.25, batch=16).best
    assert shared.call_us < found.best.call_us
    more = [layer.predicted_us for layer in sparsenet.what_if(convolutional(), active=1.0).best.layers]
    assert sum(more) > sum(layer.predicted_us for layer in found.best.layers)


def test_complementary_masks_say_what_their_own_kernel_would_take():
    net = Network.sequential((256,), [KWinners(25), Linear(RANDOM.random((128, 256)))])
    row = sparsenet.what_if(net, density=0.05, family="complementary").rows[-1]
    assert row.notes[0].startswith("linear1: sets overlaid in their own kernel would take ")
    assert row.layers[-1].kernel in row.notes[0]
    in_bytes = sparsenet.what_if(quantized(), density=0.2, family="complementary").rows[-1]
    assert all("no kernel overlays sets of bytes" in note for note in in_bytes.notes)
    console = Console(file=io.StringIO(), width=80)
    console.print(sparsenet.what_if(net, density=0.05, family="complementary"))
    assert "sets overlaid in their own kernel" in console.file.getvalue()


def test_that_nothing_is_faster_is_said():
    net = Network.sequential((64,), [Linear(np.ones((64, 64)))])
    console = Console(file=io.StringIO(), width=80)
    console.print(sparsenet.what_if(net, density=1.0, family="uniform"))
    assert "None of them is faster than the network as it is." in console.file.getvalue()


def test_a_network_without_weights_may_have_fewer_winners():
    found = sparsenet.what_if(Network.sequential((64,), [KWinners(32)]), active=0.1)
    assert found.best.density is None
    console = Console(file=io.StringIO(), width=80)
    console.print(found)
    assert "kwinners1" in console.file.getvalue()


def test_only_fewer_winners():
    found = sparsenet.what_if(convolutional(), active=0.25)
    assert [row.name for row in found.rows] == ["as it is", "dense kernels", "its own masks"]
    assert [layer.family for layer in weighted(found.best)] == [""] * 4


def test_layers_may_be_named():
    found = sparsenet.what_if(convolutional(), density=0.25, family="uniform", layers=["conv2d1", "linear2"])
    assert [layer.family for layer in weighted(found.best)] == ["uniform", "", "", "uniform"]


def test_relu_becomes_winners_where_there_are_none():
    net = with_winners(convolutional(relu=True), 0.25)
    winners = [node.layer for node in net.nodes if isinstance(node.layer, KWinners)]
    assert [(layer.k, layer.scope) for layer in winners] == [(4, "channels"), (4, "channels"), (8, "all")]


def test_winners_keep_their_scope_and_factor():
    factor = np.linspace(1, 2, 20)
    net = Network.sequential((20,), [KWinners(10, factor=factor), Linear(np.ones((2, 20)))])
    layer = with_winners(net, 0.05)["kwinners1"]
    assert layer.k == 1
    np.testing.assert_array_equal(layer.factor, np.float32(factor))


def test_winners_before_a_layer():
    net = with_winners_before(convolutional(relu=True), "conv2d2", 0.25)
    assert net["conv2d2 winners"].k == 4
    assert net["conv2d2 winners"].scope == "channels"
    assert net.output_shape == (4,)


@pytest.mark.parametrize("net", [convolutional(), quantized()], ids=["float32", "int8"])
def test_every_network_is_timed_on_request(net):
    x = RANDOM.uniform(0, 1, (8, 1, 14, 14)).astype(np.float32)
    found = sparsenet.what_if(
        net, density=0.2, active=0.25, family="blocks", batch=2, measure=True, examples=x, progress=False
    )
    assert all(row.measured_us > 0 for row in found.rows)
    assert (found.density, found.active, found.batch) == (0.2, 0.25, 2)
    console = Console(file=io.StringIO(), width=80)
    console.print(found)
    for expected in ("measured", "20.0 % of weights kept", "25.0 % active", "2 samples"):
        assert expected in console.file.getvalue()


def test_inputs_are_made_up_where_none_are_given():
    net = Network.sequential((64,), [Linear(np.ones((16, 64)))])
    assert all(row.measured_us > 0 for row in sparsenet.what_if(net, density=0.5, family="uniform", measure=True).rows)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"density": 5}, "did you pass a percentage"),
        ({"density": 0.1, "active": 10}, "did you pass a percentage"),
        ({"density": 0.1, "family": "cubes"}, "expected a family of masks"),
        ({"density": 0.1, "layers": ["conv9"]}, "expected layers with weights"),
        ({}, "a density to give it"),
        ({"density": 0.1, "layers": []}, "at least one layer"),
        ({"density": 0.1, "batch": 0}, "batch of at least 1"),
        ({"density": 1e-6}, "no layer can be changed: conv2d2 keeps its own weights: expected a density"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(SparsenetError, match=message):
        sparsenet.what_if(convolutional(), **settings)


def test_what_has_no_weights_cannot_get_masks():
    with pytest.raises(SparsenetError, match="a network with weights to change"):
        sparsenet.what_if(Network.sequential((4,), [ReLU()]), density=0.5)


def test_winners_need_somebody_to_choose_them():
    with pytest.raises(SparsenetError, match="k-winners or ReLU"):
        sparsenet.what_if(Network.sequential((4,), [Linear(np.eye(4))]), active=0.5)


@pytest.mark.parametrize("settings", [{"active": "0.1"}, {"active": True}])
def test_wrong_types_are_refused(settings):
    with pytest.raises(TypeError, match="expected active to be a number"):
        sparsenet.what_if(convolutional(), **settings)
    with pytest.raises(TypeError, match="expected a Network"):
        sparsenet.what_if("spoken-digits")
    with pytest.raises(TypeError, match="names of layers in a list"):
        sparsenet.what_if(convolutional(), density=0.5, layers="conv2d1")


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_sums_stay_as_large_under_another_mask(density):
    layer = Linear(RANDOM.standard_normal((256, 1024)))
    other = masked(layer, uniform((256, 1024), density).keep)
    x = RANDOM.standard_normal((1024, 64))
    # both are means over 16,384 sums, each within about 1 % of its expectation; 10 % leaves room for the weights' draw
    assert np.std(other.weight @ x) == pytest.approx(np.std(layer.weight @ x), rel=0.1)
    assert kept_count(other) == round(density * 1024) * 256


def test_sums_of_bytes_stay_as_large_by_shift_and_by_scale():
    weight = RANDOM.integers(1, 100, (16, 16, 3, 3)).astype(np.int8)
    conv = masked(QuantizedConv2d(weight, np.zeros(16, np.int32), 8), uniform(weight.shape, 1 / 16).keep)
    assert conv.shift == 6  # a sixteenth of the terms make random sums a quarter as large
    linear = masked(QuantizedLinear(weight[:, 0, 0], np.zeros(16), np.ones(16)), uniform((16, 3), 1.0).keep)
    assert linear.scale[0] == 1


def test_weights_are_drawn_from_the_layers_own():
    layer = masked(Linear(np.zeros((4, 4))), np.eye(4, dtype=bool))
    assert (layer.weight[np.eye(4, dtype=bool)] != 0).all()


def test_all_kept_fills_layers_of_bytes_alone():
    weight = np.eye(8, dtype=np.int8)
    net = Network.sequential((8,), [sparsenet.Quantize(0.1), QuantizedLinear(weight, np.zeros(8), np.ones(8))])
    assert kept_count(all_kept(net)["quantizedlinear1"]) == 64
    floats = Network.sequential((8,), [Linear(np.eye(8))])
    assert kept_count(all_kept(floats)["linear1"]) == 8


def test_channels_of_a_flattened_image():
    net = convolutional()
    nodes = {node.name: node for node in net.nodes}
    assert image_channels(net, nodes["linear1"]) == 16
    assert image_channels(net, nodes["linear2"]) is None
    assert image_channels(quantized(), next(node for node in quantized().nodes if node.name == "linear1")) == 16


def test_blocks_are_as_deep_as_the_arithmetic_likes():
    floats = mask_for(Linear(np.ones((32, 64))), "blocks", 0.25, None)
    in_bytes = mask_for(QuantizedLinear(np.ones((32, 64), np.int8), np.zeros(32), np.ones(32)), "blocks", 0.25, None)
    assert (floats.fills, in_bytes.fills) == ("blocks", "blocks4x16")
