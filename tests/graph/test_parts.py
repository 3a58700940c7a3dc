"""Values inside a network can be seen, and a layer can be replaced."""

import numpy as np
import pytest
from hypothesis import given
from same_network import assert_same_network
from storage.samples import branched, quantized
from strategies import inputs, networks

import sparsenet as sn
from sparsenet.graph.reference import evaluate


@given(networks(quantized=True).flatmap(lambda net: inputs(net).map(lambda x: (net, x))))
def test_each_value_inside_a_network_can_be_its_output(pair):
    net, x = pair
    values = evaluate(net, x)
    for node in net.nodes:
        part = net.upto(node.name)
        np.testing.assert_array_equal(part.reference(x), values[node.name])
        assert {kept.name for kept in part.nodes} <= {other.name for other in net.nodes} | {part.output}


@pytest.mark.parametrize("make", [branched, quantized])
def test_parts_compile(make):
    net = make()
    x = np.random.default_rng(0).uniform(-1, 1, (3, *net.input_shape)).astype(np.float32)
    values = evaluate(net, x)
    for node in net.nodes:
        part = sn.compile(net.upto(node.name), batch=3, planner="predict", progress=False)
        # sums of a few tens of terms of order one, each rounded to float32
        np.testing.assert_allclose(part(x), values[node.name], rtol=1e-4, atol=1e-5)


def test_a_part_has_no_labels_and_no_details():
    net = sn.load("spoken-digits")
    assert (net.upto("conv2").labels, net.upto("conv2").details) == ((), {})
    assert net.upto("conv2").output_shape == net.shapes["conv2"]


def test_names_that_clash_are_avoided():
    layers = [sn.Node("bytes1", sn.Quantize(1.0), ("input",)), sn.Node("end", sn.Dequantize(1.0), ("bytes1",))]
    np.testing.assert_array_equal(sn.Network((2,), layers, "end").upto("bytes1").reference([[3.2, 400.0]]), [[3, 255]])


def test_a_layer_is_replaced_and_all_else_stays():
    net = sn.load("spoken-digits-float32")
    name = next(node.name for node in net.nodes if isinstance(node.layer, sn.KWinners) and node.layer.scope == "all")
    fewer = net.replacing(name, sn.KWinners(10))
    assert fewer[name].k == 10
    assert_same_network(fewer.replacing(name, net[name]), net)
    assert np.count_nonzero(fewer.upto(name).reference(np.ones((1, 1, 32, 32)))) <= 10


def test_a_layer_that_does_not_fit_is_refused():
    net = sn.Network.sequential((4,), [sn.Linear(np.eye(4)), sn.KWinners(2)])
    with pytest.raises(sn.GraphError, match=r"'linear1'.*expected a vector of 3 inputs"):
        net.replacing("linear1", sn.Linear(np.eye(3)))
    with pytest.raises(TypeError, match="expected nodes that hold layers of sparsenet"):
        net.replacing("linear1", "relu")


@pytest.mark.parametrize("change", [lambda net: net.upto("conv9"), lambda net: net.replacing("conv9", sn.ReLU())])
def test_unknown_names_list_those_there_are(change):
    net = sn.Network.sequential((4,), [sn.ReLU(), sn.KWinners(2)])
    with pytest.raises(KeyError, match="no layer is called 'conv9'; there are relu1, kwinners1"):
        change(net)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 2, 2), r"\(2, 2, 2\); is a Flatten\(\) missing before it\?"),
        ((5, 8), r"\(5, 8\); linear layers along the last axis of \(T, D\) are not supported yet: give each of the 5 "),
        ((3, 4), r"\(3, 4\), 12 numbers in all"),
        ((7,), r"expected a vector of 8 inputs, got shape \(7,\)$"),
    ],
)
def test_a_linear_layer_says_why_its_input_does_not_fit(shape, message):
    with pytest.raises(sn.GraphError, match=message):
        sn.Network.sequential(shape, [sn.Linear(np.ones((4, 8)))])
