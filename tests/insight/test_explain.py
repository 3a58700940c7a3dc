import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from rich.console import Console
from strategies import networks

import sparsenet
from sparsenet.insight import advice as advice_module
from sparsenet.insight import explain as explain_module
from sparsenet.insight.binding import binding, limits_us, nearest_level
from sparsenet.insight.explain import explain
from sparsenet.insight.layer_times import LayerTimes, time_layers
from sparsenet.insight.predictions import predicted_choices, predicted_us
from sparsenet.insight.what_if import what_if
from sparsenet.layers import BatchNorm, Conv2d, KWinners, Linear, MaxPool2d, ReLU
from sparsenet.network import INPUT, Network
from sparsenet.packing import uniform
from sparsenet.planner.machine import machine
from sparsenet.planner.predicted import Cost

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
    for expected in ("gains nothing", "no weight is zero", "ReLU", "what binds"):
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
    assert row.advice.now_us == pytest.approx(predicted_us(predicted_choices(net)["linear1"]))
    family = row.advice.change.split()[1]
    tried = what_if(net, family=family, layers=["linear1"]).rows[-1].layers[0]
    assert row.advice.then_us == pytest.approx(tried.predicted_us)
    assert row.advice.then_us < row.advice.now_us
    assert row.advice.text.startswith(f"a {family} mask")


def test_advice_to_choose_winners_where_all_inputs_count(monkeypatch):
    monkeypatch.setattr(advice_module, "SHAPED", ())
    net = Network.sequential((64,), [Linear(np.ones((2048, 64))), ReLU(), Linear(np.ones((64, 2048)))])
    first, _, last = explain(compiled(net, batch=16), measure=False).layers
    assert first.advice is None  # its inputs are the network's own
    assert last.advice.change == "k-winners before it (10.0 % active)"


def test_advice_to_send_more_samples(monkeypatch):
    monkeypatch.setattr(advice_module, "SHAPED", ())
    net = Network.sequential((512,), [Linear(np.ones((512, 512)))])
    assert explain(compiled(net), measure=False).layers[0].advice.change == "one of 16 samples in one call"


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


def test_a_kernel_that_nobody_predicts():
    engine = compiled(sparse_network(), kernels={"linear1": "linear_f32_complementary_active"})
    found = explain(engine, measure=False)
    row = found.layers[1]
    assert row.predicted_us is row.speedup is None
    assert row.limit == ""
    assert found.speedup is None
    assert "only by measuring" in found.verdict
    drawn(found)


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
    assert "75.0 % of the layers' time goes into those without weights" in explain(engine).verdict


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
    ("cost", "expected"),
    [
        (Cost(2, 1, 1, 0.1), "arithmetic"),
        (Cost(1, 2, 2.9, 0.1), "scattered addresses"),
        (Cost(1, 2, 3.1, 0.1), "L2 bytes"),
        (Cost(0.01, 0.01, 0.01, 0.1), "call overhead"),
    ],
)
def test_the_largest_part_binds_and_reading_hides_or_is_hidden(cost, expected):
    parts = limits_us(cost, "L2")
    assert binding(parts) == expected
    assert sum(parts.values()) >= cost.us


def test_nothing_binds_what_nobody_predicts():
    assert binding({}) == ""


def test_memory_levels():
    here = machine()
    assert nearest_level(1, here) in ("L1", "L2", "L3", "memory")
    assert nearest_level(10**15, here) == "memory"
