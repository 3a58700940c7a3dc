"""Values that leave float32: an answer that is returned is right, or else an error names the layer and the sample."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from error_bound import bounded_output
from hypothesis import given
from hypothesis import strategies as st
from kernel_choices import forced_kernels
from strategies import inputs, networks

import sparsenet as sn
from sparsenet.graph.network import INPUT
from sparsenet.graph.reference import LEAVES_FLOAT32, evaluate
from sparsenet.lowering.ranges import ranges_of
from sparsenet.models import BUNDLED
from sparsenet.ops import operation_of
from sparsenet.ops.normalization import batch_norm_affine

LARGEST = float(np.finfo(np.float32).max)


def scaled(r, numbers, lowest=-126):
    """Return numbers with a magnitude from the ends of float32, or from anywhere in it."""
    if numbers is None:
        return None
    exponent = r.choice([0, 0, 127, 126, lowest, r.integers(lowest, 127), r.integers(-30, 30)])
    with np.errstate(over="ignore", under="ignore"):
        return np.clip(np.ldexp(numbers.astype(np.float64), exponent), -LARGEST, LARGEST).astype(np.float32)


def stretched(net, seed):
    """Return the network with parameters from all over float32."""
    r = np.random.default_rng(seed)
    # denormal weights that are folded lose digits, as the docstring of fold_batchnorm says
    lowest = -126 if any(isinstance(node.layer, sn.BatchNorm) for node in net.nodes) else -149
    nodes = [sn.Node(node.name, stretched_layer(r, node.layer, lowest), node.inputs) for node in net.nodes]
    return sn.Network(net.input_shape, nodes, net.output)


def stretched_layer(r, layer, lowest):
    if isinstance(layer, sn.Conv2d | sn.Linear):
        weight = scaled(r, layer.weight, lowest)
        return replace(layer, weight=weight, bias=scaled(r, layer.bias), mask=None)
    if isinstance(layer, sn.KWinners) and layer.factor is not None:
        exponents = r.integers(-149, 127, len(layer.factor)) if r.integers(2) else r.integers(-149, 127)
        factor = np.ldexp(layer.factor.astype(np.float64), exponents)
        return replace(layer, factor=np.clip(factor, 2.0**-149, LARGEST))
    if isinstance(layer, sn.BatchNorm):
        variance = np.abs(scaled(r, layer.variance)) + np.float32(2**-100)
        return sn.BatchNorm(scaled(r, layer.mean), variance, scaled(r, layer.weight), scaled(r, layer.bias), 0.0)
    if isinstance(layer, sn.Quantize | sn.Dequantize):
        return replace(layer, scale=layer.scale * 2.0 ** int(r.integers(-110, 125)))
    if isinstance(layer, sn.QuantizedLinear):
        scale = np.clip(layer.scale * 2.0 ** int(r.integers(-110, 127)), 1e-38, LARGEST)
        return replace(layer, scale=scale, bias=scaled(r, layer.bias))
    return layer


@st.composite
def problems(draw):
    """Draw a network at the ends of float32, how to compile it, and inputs."""
    net = draw(networks(quantized=draw(st.booleans())))
    batch, seed = draw(st.integers(1, 20)), draw(st.integers(0, 2**32 - 1))
    settings = {"batch": batch, "planner": "predict", "kernels": draw(forced_kernels(net))}
    x = draw(inputs(net, batch=draw(st.integers(1, batch))))
    return stretched(net, seed), settings, scaled(np.random.default_rng(seed), x, -149)


def leaves(net, x):
    """Return the first sample, and the first layer of it, whose value leaves float32."""
    for sample in range(len(x)):
        for name, value in evaluate(net, x[sample : sample + 1]).items():
            if np.abs(value).max() >= LEAVES_FLOAT32:
                return sample, name
    return None


def _scale_of_any_norm(net):
    norms = [batch_norm_affine(node.layer) for node in net.nodes if isinstance(node.layer, sn.BatchNorm)]
    return max((np.abs(part).max() for norm in norms for part in norm), default=0.0)


@given(problems())
def test_answers_are_right_and_errors_name_the_first_layer(drawn):
    net, settings, x = drawn
    folded = sn.fold_batchnorm(net)
    if _scale_of_any_norm(folded) >= LEAVES_FLOAT32:
        with pytest.raises(sn.RangeError, match="expected a scale and a shift that float32 can hold"):
            sn.compile(net, threads=1, **settings, progress=False)
        return
    engine = sn.compile(net, threads=1, **settings, progress=False)
    found = leaves(folded, x)
    threaded = sn.compile(net, threads=2, **settings, progress=False)
    if found is not None:
        sample, layer = found
        for one in (engine, threaded):
            with pytest.raises(sn.RangeError, match=f"layer '{layer}': a value leaves float32 .* in sample {sample};"):
                one(x)
        return
    with np.errstate(over="ignore", invalid="ignore"):
        expected = bounded_output(net, x)
        allowed = expected.error + np.abs(expected.value) * 2.0**-24
    one_by_one = np.concatenate([engine(x[sample : sample + 1]) for sample in range(len(x))])
    for y in (engine(x), threaded(x), one_by_one):
        assert np.isfinite(y).all()
        assert not (np.abs(y - expected.value) > allowed)[expected.decided].any()


SOURCES = {
    "linear": [sn.Linear([[3e38, 3e38], [-3e38, -3e38]])],
    "batch norm": [sn.BatchNorm([0.0, 0.0], [1e-20, 1e-20], epsilon=0.0), sn.Linear(np.full((2, 2), 1e35))],
    "quantised linear": [sn.Quantize(0.5), sn.QuantizedLinear([[127, 127], [-127, 1]], [0, 0], [3e38, 3e38])],
    "dequantised": [sn.Quantize(0.5), sn.Dequantize(1e38)],
    "logarithm": [sn.Linear([[3e37, 0.0], [0.0, -3e37]]), sn.LogSoftmax()],
}
"""Networks from (2,) whose values leave float32 where both inputs are 10."""

BEHIND = {
    "nothing": [],
    "relu": [sn.ReLU()],
    "winners": [sn.KWinners(1)],
    "softmax": [sn.Softmax()],
    "bytes": [sn.Quantize(1.0), sn.Dequantize(1.0)],
    "a pool": [sn.Reshape((1, 1, 2)), sn.MaxPool2d((1, 2))],
    "no weights": [sn.Linear(np.zeros((3, 2)))],
    "sums": [sn.Linear(np.ones((64, 2))), sn.ReLU(), sn.Linear(np.eye(3, 64), np.arange(3.0))],
}
"""Layers behind them that would hide it."""


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("source", SOURCES)
def test_nothing_behind_a_layer_hides_what_left_float32_in_it(source, behind):
    net = sn.Network.sequential((2,), [*SOURCES[source], *BEHIND[behind]])
    engine = sn.compile(net, batch=3, threads=1, planner="predict", progress=False)
    x = np.zeros((3, 2), np.float32)
    x[1] = 10
    _, layer = leaves(net, x)
    with pytest.raises(sn.RangeError, match=f"layer '{layer}': a value leaves float32 .* in sample 1; scale the"):
        engine(x)
    np.testing.assert_allclose(engine(x[::2]), net.reference(x[::2]), rtol=1e-6)


def test_measuring_minds_no_values():
    first = np.zeros((2, 2, 1, 1), np.float32)
    first[0], first[1] = 3e38, -3e38
    layers = [sn.Conv2d(first), sn.Conv2d(np.ones((8, 2, 1, 1))), sn.KWinners(1, "channels"), sn.GlobalAvgPool2d()]
    net = sn.Network.sequential((2, 3, 2), layers)
    engine = sn.compile(net, threads=1, progress=False)
    with pytest.raises(sn.RangeError, match="layer 'conv2d1'"):
        engine(np.ones((1, 2, 3, 2)))
    assert np.isfinite(engine(np.full((1, 2, 3, 2), 1e-3))).all()
    with pytest.raises(sn.SparsenetError, match="NaN or infinity first in sample 0"):
        sn.compile(net, examples=np.full((1, 2, 3, 2), np.nan), progress=False)


def test_sums_may_leave_float32_where_values_do_not():
    """Torch answers NaN here; the reference has the answer."""
    layers = [sn.Linear([[3e38, 3e38, -3e38]] * 2), sn.Reshape((1, 1, 2)), sn.AvgPool2d((1, 2)), sn.Flatten()]
    engine = sn.compile(sn.Network.sequential((3,), layers), threads=1, planner="predict")
    np.testing.assert_allclose(engine([[1, 1, 1.0]]), [[3e38]], rtol=1e-6)


def test_only_the_samples_that_tripped_are_computed_again(monkeypatch):
    from sparsenet.engine import recovery

    asked = []

    def reference(net, x, number):
        asked.append(number)
        return {net.output: np.full(2, 7.0)}

    monkeypatch.setattr(recovery, "evaluate_within", reference)
    engine = sn.compile(sn.Network.sequential((2,), [sn.Linear(np.eye(2) * 1e30)]), batch=40, threads=2)
    x = np.ones((40, 2), np.float32)
    x[[3, 17, 38], 1] = 1e20
    y = engine(x)
    assert asked == [3, 17, 38]
    assert (y[asked] == 7).all()
    assert np.array_equal(np.delete(y, asked, axis=0), np.delete(x, asked, axis=0) @ np.eye(2, dtype=np.float32) * 1e30)


def test_inputs_beyond_the_limit_are_answered_by_the_reference():
    net = sn.Network.sequential((2,), [sn.Linear([[1.0, 1.0]]), sn.Linear([[0.5]])])
    engine = sn.compile(net, batch=2, threads=1)
    assert engine.program.watches.limit < 1e38
    x = np.float32([[1, 2], [1.5e38, 1e38]])
    np.testing.assert_allclose(engine(x), net.reference(x), rtol=1e-6)
    with pytest.raises(sn.RangeError, match=r"layer 'linear1': a value leaves float32 .* in sample 1"):
        engine(np.float32([[1, 2], [3e38, 3e38]]))
    with pytest.raises(sn.SparsenetError, match="NaN or infinity first in sample 0"):
        engine([[np.inf, 2], [3e38, 3e38]])


def test_threads_share_an_engine_that_trips():
    net = sn.Network.sequential((2,), [sn.Linear([[3e38, 3e38], [1e38, 0]]), sn.KWinners(1)])
    engine = sn.compile(net, batch=4, threads=1, planner="predict")
    seen = []

    def work(value):
        for _ in range(20):
            try:
                seen.append((value, engine(np.full((4, 2), value))[0, 0]))
            except sn.RangeError:
                seen.append((value, None))

    threads = [threading.Thread(target=work, args=(value,)) for value in (0.1, 0.2, 10.0)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert {value for value, answer in seen if answer is None} == {10.0}
    assert len(set(seen)) == 3


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_networks_are_not_watched(name):
    found = ranges_of(sn.fold_batchnorm(sn.load(name)))
    assert found.watched == ()
    assert found.limit >= 2.0**80


@given(networks().flatmap(lambda net: inputs(net, batch=2).map(lambda x: (net, x))))
def test_bounds_hold_for_every_layer(drawn):
    net, x = drawn
    bounds = {INPUT: float(np.abs(x).max())}
    values = evaluate(net, x)
    for node in net.nodes:
        grown = operation_of(node.layer).growth(node.layer, tuple(net.shapes[source] for source in node.inputs))
        bounds[node.name], _ = grown.bounds([bounds[source] for source in node.inputs])
        assert np.abs(values[node.name]).max() <= bounds[node.name] * (1 + 1e-12)


def deep(blocks, channels=16):
    """Make a residual network of two 3 x 3 convolutions a block, as torch initialises them, batch norms and ReLUs."""
    r = np.random.default_rng(0)

    def conv(source, name, inputs):
        weight = r.normal(size=(channels, inputs, 3, 3)) * np.sqrt(2 / (9 * inputs))
        norm = sn.BatchNorm(r.normal(size=channels), r.uniform(0.5, 2, channels), r.uniform(0.5, 1.5, channels))
        return [sn.Node(name, sn.Conv2d(weight, padding=1), (source,)), sn.Node(f"{name}n", norm, (name,))]

    nodes, last = conv("input", "first", 3), "firstn"
    for block in range(blocks):
        a, b = f"a{block}", f"b{block}"
        nodes += [*conv(last, a, channels), sn.Node(f"{a}r", sn.ReLU(), (f"{a}n",)), *conv(f"{a}r", b, channels)]
        nodes += [sn.Node(f"s{block}", sn.Add(), (f"{b}n", last)), sn.Node(f"r{block}", sn.ReLU(), (f"s{block}",))]
        last = f"r{block}"
    nodes += [sn.Node("mean", sn.GlobalAvgPool2d(), (last,)), sn.Node("flat", sn.Flatten(), ("mean",))]
    return sn.Network(
        (3, 4, 4), [*nodes, sn.Node("classes", sn.Linear(r.normal(size=(10, channels))), ("flat",))], "classes"
    )


@pytest.mark.parametrize(("blocks", "most"), [(8, 1), (30, 4)])
def test_deep_networks_have_few_watches(blocks, most):
    net = sn.fold_batchnorm(deep(blocks))
    assert len(ranges_of(net).watched) <= most


def test_a_watched_network_computes_as_any_other():
    net = deep(12)
    engine = sn.compile(net, batch=3, threads=1, planner="predict", progress=False)
    assert engine.program.watches.count >= 1
    x = np.random.default_rng(1).uniform(-1, 1, (3, 3, 4, 4)).astype(np.float32)
    expected = bounded_output(net, x)
    assert (np.abs(engine(x) - expected.value) <= expected.error + np.abs(expected.value) * 2.0**-24).all()
    assert {kernel.name for kernel in engine.program.kernels} >= {"watch_f32"}
