import numpy as np
import pytest
from hypothesis import given, settings
from strategies import networks

from sparsenet.explain.predictions import dense_plan, forecast
from sparsenet.graph.network import INPUT, Network
from sparsenet.layers import Conv2d, KWinners, Linear, MaxPool2d, ReLU
from sparsenet.lowering.cost import CALL_NS
from sparsenet.lowering.lower import lower, pooled_at_once
from sparsenet.machine.facts import machine
from sparsenet.passes import fold_batchnorm

RANDOM = np.random.default_rng(0)


@settings(max_examples=25)
@given(net=networks(quantized=True))
def test_every_layer_that_runs_is_predicted(net):
    folded = fold_batchnorm(net)
    found = forecast(folded)
    runs = {step.layer or INPUT for step in lower(folded, 1, machine(), {}).draft.steps}
    assert runs - set(pooled_at_once(folded).values()) <= found.layers_us.keys() <= {INPUT, *folded.shapes}
    assert all(time_us > 0 for time_us in found.layers_us.values())
    assert found.us == pytest.approx(sum(found.layers_us.values()))


def test_samples_share_calls():
    net = Network.sequential((4,), [ReLU()])
    alone, shared = (forecast(net, batch).layers_us["relu1"] for batch in (1, 16))
    assert alone - shared == pytest.approx(CALL_NS / 1000 * 15 / 16)


@pytest.mark.parametrize(
    ("slower", "faster"),
    [
        (KWinners(1000), KWinners(8, "channels")),
        (KWinners(32, "channels"), KWinners(8, "channels")),
        (MaxPool2d(3, stride=1, padding=1), MaxPool2d(2)),
        (KWinners(8, "channels"), ReLU()),
    ],
)
def test_what_is_more_to_do_takes_longer(slower, faster):
    first, second = (Network.sequential((64, 14, 14), [layer]) for layer in (slower, faster))
    assert forecast(first).layers_us[first.output] > forecast(second).layers_us[second.output]


def test_a_pooling_that_a_convolution_computes_or_pays_for_counts_once():
    net = Network.sequential((2, 8, 8), [Conv2d(RANDOM.random((16, 2, 3, 3))), MaxPool2d(2)])
    for kernel in ("conv2d_pool2_f32_dense_dense", "conv2d_f32_csc_active"):
        assert list(forecast(net, kernels={"conv2d1": kernel}).layers_us) == [INPUT, "conv2d1"]


def test_a_dense_plan_takes_what_its_kernels_take():
    net = Network.sequential((64,), [KWinners(6), Linear(np.eye(64))])
    found = dense_plan(net).forecast
    assert found.layers_us["linear1"] == found.choices["linear1"].cost.us
    assert found.layers_us["kwinners1"] == forecast(net).layers_us["kwinners1"]
