import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from rich.console import Console
from strategies import networks

import sparsenet
from sparsenet.explain import changes as changes_module
from sparsenet.explain import explain as explain_module
from sparsenet.explain.advice import as_time
from sparsenet.explain.bottleneck import binding, together_us
from sparsenet.explain.explain import explain
from sparsenet.explain.predictions import forecast
from sparsenet.explain.roofline import roofline
from sparsenet.explain.step_timing import LayerTimes, time_layers
from sparsenet.explain.what_if import what_if
from sparsenet.graph.network import INPUT, Network
from sparsenet.layers import (
    BatchNorm,
    Conv2d,
    Flatten,
    KWinners,
    Linear,
    MaxPool2d,
    Quantize,
    QuantizedLinear,
    ReLU,
)
from sparsenet.machine.calibration import reference_limits
from sparsenet.machine.facts import machine
from sparsenet.packing import uniform

RANDOM = np.random.default_rng(0)


def drawn(thing, width=120):
    console = Console(file=io.StringIO(), width=width)
    console.print(thing)
    return console.file.getvalue()


def compiled(net, **settings):
    return sparsenet.compile(net, threads=1, planner="predict", progress=False, **settings)


def sparse_network(density=0.04):
    weight = RANDOM.standard_normal((128, 256)) * uniform((128, 256), density).keep
    return Network.sequential((256,), [KWinners(25), Linear(weight), KWinners(12), Linear(RANDOM.random((10, 128)))])


def dense_network():
    layers = [Linear(RANDOM.standard_normal((64, 32))), ReLU(), Linear(RANDOM.standard_normal((10, 64)))]
    return Network.sequential((32,), layers)


def test_each_layer_that_runs_has_a_row():
    net = sparse_network()
    found = explain(compiled(net), measure=False)
    assert [row.layer for row in found.layers] == [node.name for node in net.nodes]
    first, last = (row for row in found.layers if row.density is not None)
    assert (first.density, first.active, first.shape) == (10 / 256, 25 / 256, (128,))
    assert last.active == 12 / 128
    for row in (first, last):
        assert row.kernel.startswith("linear_f32_")
        assert row.dense_kernel.startswith("linear_f32_dense_dense")
        assert row.limit in row.limits_us
        assert row.reason
        assert row.speedup == row.dense_predicted_us / row.predicted_us
        assert row.measured_us is row.dense_us is None
    assert first.speedup > 1


@settings(max_examples=15)
@given(net=networks(quantized=True))
def test_every_network_can_be_explained(net):
    found = explain(compiled(net), measure=False, progress=False)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [row["layer"] for row in record["layers"]] == [row.layer for row in found.layers]
    assert record["verdict"]
    assert "<table" in found._repr_html_()


def test_it_fits_a_narrow_terminal_and_names_what_a_file_says():
    net = Network.sequential((256,), [Linear(RANDOM.random((8, 256)))])
    found = explain(compiled(net), measure=False)
    for width in (80, 116, 130):
        text = drawn(found, width)
        assert max(map(len, text.splitlines())) <= width
        assert found.layers[0].kernel in text
        assert found.verdict[:30] in text


def test_a_network_that_gains_nothing_says_so_and_why():
    found = explain(compiled(dense_network()), measure=False)
    assert found.speedup == 1
    for expected in ("gains nothing", "no weight is zero", "sn.what_if", "ReLU", "what binds"):
        assert expected in found.verdict


def test_zeros_that_no_format_leaves_out_are_said_to_be_the_reason():
    weight = RANDOM.standard_normal((256, 256)) * uniform((256, 256), 0.7).keep
    found = explain(compiled(Network.sequential((256,), [Linear(weight)])), measure=False)
    assert "gains nothing" in found.verdict
    assert "69.9 % of the weights are kept, where the dense format cannot leave the others out" in found.verdict


def test_a_network_that_gains_names_the_layer():
    verdict = explain(compiled(sparse_network()), measure=False).verdict
    assert "times as long" in verdict
    assert "linear1" in verdict


def test_a_network_without_weights():
    found = explain(compiled(Network.sequential((4,), [ReLU()])), measure=False)
    assert "no layer has weights" in found.verdict


def test_advice_is_what_the_planner_predicts_for_that_change():
    net = sparse_network()
    row = explain(compiled(net), measure=False).layers[1]
    assert row.advice.now_us == pytest.approx(forecast(net).layers_us["linear1"])
    family = row.advice.change.split()[1]
    tried = what_if(net, family=family, layers=["linear1"]).rows[-1].layers[1]
    assert row.advice.then_us == pytest.approx(tried.predicted_us)
    assert row.advice.then_us < row.advice.now_us
    assert row.advice.text.startswith(f"a {family} mask")


def test_advice_to_choose_winners_where_all_inputs_count(monkeypatch):
    monkeypatch.setattr(changes_module, "SHAPED", ())
    net = Network.sequential((64,), [Linear(np.ones((2048, 64))), ReLU(), Linear(np.ones((64, 2048)))])
    first, _, last = explain(compiled(net, batch=16), measure=False).layers
    assert first.advice is None  # its inputs are the network's own
    assert last.advice.change == "k-winners before it (10.0 % active)"


def test_advice_to_send_more_samples(monkeypatch):
    monkeypatch.setattr(changes_module, "SHAPED", ())
    net = Network.sequential((512,), [Linear(np.ones((512, 512)))])
    assert explain(compiled(net), measure=False).layers[0].advice.change == "16 samples in one call"


def test_without_advice_nothing_is_tried():
    found = explain(compiled(sparse_network()), measure=False, advice=False)
    assert all(row.advice is None for row in found.layers)
    assert found.best_advice is None


def test_the_best_advice_saves_most():
    found = explain(compiled(sparse_network()), measure=False)
    layer, advice = found.best_advice
    saved = [row.advice.now_us - row.advice.then_us for row in found.layers if row.advice]
    assert advice.now_us - advice.then_us == max(saved)
    assert f"{layer}, {advice.change}" in " ".join(drawn(found, 200).split())


def test_sets_are_predicted_once_they_are_packed():
    engine = compiled(sparse_network(), kernels={"linear1": "linear_f32_complementary_active"})
    row = explain(engine, measure=False).layers[1]
    least = forecast(sparse_network()).layers_us["linear1"]
    assert row.predicted_us >= least
    assert row.limit == "scattered addresses"


def test_measured_times_stand_beside_those_of_dense_kernels():
    net = sparse_network()
    x = RANDOM.standard_normal((6, 256))
    found = compiled(net, batch=2).explain(x)
    assert (found.inputs, found.samples) == ("the inputs given", 2)
    for row in found.layers:
        assert row.measured_us >= 0
        assert (row.dense_us is None) == (row.density is None)
    assert found.speedup == found.dense_whole_us / found.whole_us > 0
    text = " ".join(drawn(found, 80).split())
    assert "Measured on the inputs given" in text
    assert "whole" in text


def test_inputs_are_made_up_where_none_are_given():
    found = explain(compiled(dense_network()), rounds=2)
    assert found.inputs == "random numbers"


def test_pooling_counts_where_only_one_of_the_kernels_does_it(monkeypatch):
    layers = [Conv2d(RANDOM.random((16, 2, 3, 3))), MaxPool2d(2)]
    engine = compiled(Network.sequential((2, 8, 8), layers), kernels={"conv2d1": "conv2d_f32_csc_active"})
    conv, pool = (node.name for node in engine.network.nodes)
    own, against = LayerTimes({conv: 5.0, pool: 2.0}, 8.0), LayerTimes({conv: 10.0}, 11.0)
    monkeypatch.setattr(explain_module, "time_layers", lambda *_, **__: [own, against])
    row = explain(engine).layers[0]
    assert (row.measured_us, row.dense_us) == (7.0, 10.0)
    both = LayerTimes({conv: 9.0, pool: 2.0}, 12.0)
    monkeypatch.setattr(explain_module, "time_layers", lambda *_, **__: [own, both])
    assert (explain(engine).layers[0].measured_us, explain(engine).layers[0].dense_us) == (5.0, 9.0)


def test_times_that_the_clock_cannot_tell_give_no_ratio(monkeypatch):
    engine = compiled(dense_network())
    times = LayerTimes({node.name: 0.01 for node in engine.network.nodes}, 1.0)
    monkeypatch.setattr(explain_module, "time_layers", lambda *_, **__: [times, times])
    found = explain(engine)
    assert [row.speedup for row in found.layers] == [None] * 3
    assert found.speedup == 1.0


def test_most_of_the_time_may_go_elsewhere(monkeypatch):
    engine = compiled(dense_network())
    times = LayerTimes({"linear1": 1.0, "relu1": 6.0, "linear2": 1.0}, 8.0)
    monkeypatch.setattr(explain_module, "time_layers", lambda *_, **__: [times, times])
    said = "75.0 % of the layers' time, the largest part, goes into relu1 (a ReLU), which has no weights"
    assert said in explain(engine).verdict


def test_the_same_kernel_is_slower_among_dense_ones_for_its_share_of_the_caches(monkeypatch):
    times = [LayerTimes({"linear1": 5.0, "relu1": 0.1, "linear2": 5.0}, 10.0)]
    times += [LayerTimes({"linear1": 9.0, "relu1": 0.1, "linear2": 5.1}, 14.0)]
    monkeypatch.setattr(explain_module, "time_layers", lambda *_, **__: times)
    found = explain(compiled(dense_network()))
    assert "most of it in linear1, where the same kernel runs with less of the caches" in found.verdict
    assert " ".join(drawn(found).split()).count("In the dense network the same kernel is slower") == 1


def test_batch_norms_are_folded_before_anything_is_said():
    weight = np.eye(8)
    net = Network.sequential((8,), [Linear(weight), BatchNorm(np.ones(8), np.ones(8), np.zeros(8), np.ones(8))])
    assert [row.kind for row in explain(compiled(net), measure=False).layers] == ["Linear"]


def test_the_clock_is_read_for_every_step_of_every_engine():
    engines = [compiled(dense_network()), compiled(sparse_network())]
    ticks = iter(range(0, 10**9, 1000))
    x = RANDOM.standard_normal((4, 32))
    (found,) = time_layers(engines[:1], x, rounds=3, clock=lambda: next(ticks), progress=False)
    assert set(found.layers) == {"linear1", "relu1", "linear2"}
    assert found.whole == 1.0
    assert INPUT not in found.layers


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((2, 1, 1, 0.1), "arithmetic"),
        ((1, 2, 2.9, 0.1), "scattered addresses"),
        ((1, 2, 3.1, 0.1), "L2 bytes"),
        ((0.01, 0.01, 0.01, 0.1), "call overhead"),
        ((0, 0, 0, 0), ""),
    ],
)
def test_the_largest_part_binds_and_reading_hides_or_is_hidden(parts, expected):
    named = dict(zip(("arithmetic", "scattered addresses", "L2 bytes", "call overhead"), parts, strict=True))
    assert binding(named) == expected
    assert together_us(named) == max(parts[0] + parts[1], parts[2]) + parts[3]


def test_bytes_are_named_after_the_level_that_most_time_goes_to():
    assert binding({"arithmetic": 1, "L1 bytes": 0.4, "memory bytes": 0.7, "call overhead": 0.1}) == "memory bytes"


def one_layer(weight, k=None):
    before = [] if k is None else [KWinners(k)]
    return Network.sequential((weight.shape[1],), [*before, Linear(weight)])


@pytest.mark.parametrize(
    ("net", "kernel", "limit"),
    [
        (one_layer(RANDOM.random((512, 512))), "linear_f32_dense_dense", {"L2 bytes", "L3 bytes", "memory bytes"}),
        (one_layer(RANDOM.random((512, 512)), k=50), "linear_f32_csc_active", {"scattered addresses"}),
        (one_layer(RANDOM.random((4, 4))), "linear_f32_dense_dense", {"call overhead"}),
        (
            Network.sequential((8, 16, 16), [Conv2d(RANDOM.random((32, 8, 3, 3)))]),
            "conv2d_f32_dense_dense",
            {"arithmetic"},
        ),
    ],
)
def test_every_limit_binds_some_layer_and_a_roofline_agrees(net, kernel, limit):
    last = net.nodes[-1].name
    engine = compiled(net, kernels={last: kernel})
    x = RANDOM.uniform(-1, 1, (8, *net.input_shape))
    row = explain(engine, x, measure=False, advice=False).layers[-1]
    assert row.limit in limit
    step = next(one for one in roofline(engine, x, rounds=1).steps if one.kernel == row.kernel)
    assert step.bound == row.limit
    assert step.least_us == pytest.approx(row.least_us)


def test_limits_are_those_that_were_measured_or_typical_ones(monkeypatch):
    engine = compiled(dense_network())
    typical = reference_limits(machine())
    monkeypatch.setattr(explain_module, "kept_limits", lambda here: None)
    found = explain(engine, measure=False)
    assert (found.limits, found.limits_measured) == (typical, False)
    assert "this one was not measured yet" in " ".join(drawn(found).split())
    monkeypatch.setattr(explain_module, "limits", lambda: typical)
    assert explain(engine, rounds=1).limits_measured


def test_the_share_of_the_limit_is_of_what_was_measured(monkeypatch):
    engine = compiled(dense_network())
    times = LayerTimes({node.name: 2.0 for node in engine.network.nodes}, 6.0)
    monkeypatch.setattr(explain_module, "time_layers", lambda *_, **__: [times, times])
    row = explain(engine).layers[0]
    assert row.share_of_limit == row.least_us / 2.0
    assert f"would take {as_time(row.least_us)} µs" in drawn(explain(engine), 200)


def bytes_layer(mask):
    weight = RANDOM.integers(1, 100, mask.shape).astype(np.int8) * mask
    last = QuantizedLinear(weight, np.zeros(len(mask)), np.ones(len(mask)), mask=mask)
    return Network.sequential((mask.shape[1],), [Quantize(1 / 127), last])


@pytest.mark.skipif("avx512vbmi" not in machine().features, reason="no other processor has the lookup kernel")
def test_a_format_that_a_mask_fills_badly_names_the_mask_that_fills_it():
    mask = uniform((512, 512), 0.05)
    found = explain(compiled(bytes_layer(mask.keep)), measure=False)
    row = found.layers[-1]
    assert (row.format, row.zeros) == ("lookup", "the mask fills the lookup format 40.2 %")
    assert row.fuller.change == "a partitioned mask (4.7 % kept)"
    assert row.fuller.then_us < row.fuller.now_us / 2
    shown = " ".join(drawn(found, 200).split())
    assert f"The mask fills the lookup format 40.2 %: {row.fuller.text}." in shown


def test_a_mask_that_fills_its_format_is_left_alone():
    net = one_layer(RANDOM.random((256, 256)) * sparsenet.packing.masks.blocks((256, 256), 0.1).keep, k=64)
    row = explain(compiled(net), measure=False).layers[-1]
    assert (row.format, row.fuller) == ("blocks", None)
    assert row.fill == 1


def convolutions(scope="channels", k=4):
    layers = [
        *(Conv2d(RANDOM.standard_normal((32, 1, 3, 3))), KWinners(k, scope), Conv2d(RANDOM.random((64, 32, 3, 3)))),
        *(ReLU(), Flatten(), Linear(RANDOM.standard_normal((10, 64 * 16 * 16)))),
    ]
    return Network.sequential((1, 20, 20), layers)


def test_a_float32_network_is_told_to_round_and_where_that_helps():
    found = explain(compiled(convolutions()), measure=False)
    assert found.rounding.change.startswith("rounding to int8 (sn.quantize), which helps conv2d2 most")
    assert found.rounding.then_us < found.rounding.now_us == pytest.approx(forecast(convolutions()).us)
    assert "would make this network" in " ".join(drawn(found, 80).split())
    assert found.to_dict()["rounding"]["text"] == found.rounding.text


@pytest.mark.parametrize("net", [bytes_layer(np.eye(64, dtype=bool)), sparse_network()], ids=["bytes", "linear"])
def test_what_is_rounded_or_cannot_be_is_not_told_to(net):
    assert explain(compiled(net), measure=False).rounding is None


def test_winners_that_take_most_of_the_time_are_named_and_advised_on():
    net = Network.sequential((64, 28, 28), [KWinners(5000), Conv2d(RANDOM.random((8, 64, 1, 1)))])
    found = explain(compiled(net), measure=False)
    winners = found.layers[0]
    assert winners.advice.change.startswith("choosing 6 of the 64 channels at each place")
    assert winners.advice.then_us < winners.advice.now_us == winners.predicted_us
    assert "the largest part, goes into kwinners1 (choosing winners), which has no weights" in found.verdict
    assert "choosing 6 of the 64 channels" in " ".join(drawn(found, 80).split())


def test_few_winners_are_found_faster():
    few, many = (
        Network.sequential((64, 14, 14), [KWinners(k, "channels"), Conv2d(RANDOM.random((8, 64, 1, 1)))])
        for k in (6, 16)
    )
    assert explain(compiled(few), measure=False).layers[0].advice is None
    assert explain(compiled(many), measure=False).layers[0].advice.change.startswith("choosing 8 of the 64")


def test_a_network_of_branches_and_a_batch():
    nodes = [
        sparsenet.Node("left", Linear(RANDOM.random((32, 64))), ("input",)),
        sparsenet.Node("right", Linear(RANDOM.random((32, 64))), ("input",)),
        sparsenet.Node("sum", sparsenet.Add(), ("left", "right")),
    ]
    engine = sparsenet.compile(Network((64,), nodes, "sum"), batch=40, planner="predict", progress=False)
    found = explain(engine, rounds=2)
    assert [row.layer for row in found.layers] == ["left", "right", "sum"]
    assert found.samples == engine._chunk
    assert "gains nothing" in found.verdict or "times as long" in found.verdict


def test_what_relu_leaves_active_is_counted_and_no_more_promised_than_is_left(monkeypatch):
    layers = [Linear(RANDOM.standard_normal((512, 256))), ReLU(), Linear(RANDOM.random((64, 512)))]
    engine = compiled(Network.sequential((256,), layers), kernels={"linear2": "linear_f32_dense_active"})
    x = RANDOM.standard_normal((32, 256))
    found = explain(engine, x, measure=False)
    last = found.layers[-1]
    assert last.active == 1
    assert last.found_active == pytest.approx(np.mean(x @ layers[0].weight.T > 0), abs=0.01)  # of the first 16 calls
    assert "of its inputs were not zero" in " ".join(drawn(found, 200).split())
    half = last.advice.now_us / 2
    times = LayerTimes(dict.fromkeys(("linear1", "relu1", "linear2"), half), 3 * half)
    monkeypatch.setattr(explain_module, "time_layers", lambda *_, **__: [times, times])
    measured = explain(engine, x).layers[-1].advice
    assert (measured.now_us, measured.measured) == (half, True)
    assert measured.then_us == last.advice.then_us
    assert measured.text.endswith("measured")
