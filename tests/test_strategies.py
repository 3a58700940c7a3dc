"""The strategies draw what they promise: legal networks of every kind, and exact ones that are exact."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import general_networks, inputs, networks

from sparsenet.graph.reference import evaluate
from sparsenet.layers import (
    LAYERS,
    Cast,
    Dequantize,
    LayerNorm,
    LogSoftmax,
    Quantize,
    QuantizedConv2d,
    QuantizedLinear,
    Softmax,
)


@given(st.data())
def test_inputs_fit_and_results_are_finite(data):
    net = data.draw(networks(quantized=True))
    x = data.draw(inputs(net))
    assert x.dtype == np.float32
    assert np.isfinite(net.reference(x)).all()
    assert len(data.draw(inputs(net, batch=3))) == 3


@given(st.data())
def test_exact_networks_stay_within_float32(data):
    net = data.draw(networks(exact=True, quantized=True))
    for name, values in evaluate(net, data.draw(inputs(net, exact=True))).items():
        assert np.array_equal(values.astype(np.float32), values), name
        assert np.abs(values).max(initial=0) < 2**20, name


@given(st.data())
def test_exact_sums_do_not_depend_on_their_order(data):
    net = data.draw(networks(exact=True))
    values = evaluate(net, data.draw(inputs(net, exact=True)))
    for node in net.nodes:
        if type(node.layer).__name__ == "Linear":
            x = values[node.inputs[0]].astype(np.float32)
            products = x[:, None, :] * node.layer.weight
            shuffled = products[..., np.random.default_rng(0).permutation(x.shape[1])]
            sums = np.cumsum(shuffled, axis=-1, dtype=np.float32)[..., -1]
            bias = np.float32(0) if node.layer.bias is None else node.layer.bias
            assert np.array_equal(sums + bias, values[node.name])


def kinds_drawn(strategy):
    """Count the kinds of layers in 500 networks, always the same ones, and their masks and factors."""
    seen = Counter()

    @settings(max_examples=500, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def count(net):
        seen.update(type(node.layer) for node in net.nodes)
        for what in ("factor", "mask"):
            seen[what] += sum(getattr(node.layer, what, None) is not None for node in net.nodes)

    count()
    return {kind for kind, times in seen.items() if times}


@pytest.mark.long
def test_every_kind_of_layer_is_drawn():
    everything = {*LAYERS, "factor", "mask"}
    rounded = {LayerNorm, LogSoftmax, Softmax}
    quantized = {Quantize, QuantizedConv2d, QuantizedLinear, Dequantize}
    assert kinds_drawn(general_networks()) >= {Cast}
    everything -= {Cast}
    assert kinds_drawn(networks()) == everything - quantized
    assert kinds_drawn(networks(exact=True)) == everything - quantized - rounded
    assert kinds_drawn(networks(quantized=True)) == everything
    # few poolings are exact and few chains of bytes long enough for all of them: which come up is chance
    both = kinds_drawn(networks(exact=True, quantized=True))
    assert quantized <= both <= everything - rounded
