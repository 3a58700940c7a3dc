"""Networks of several inputs or outputs, or of inputs that are not float32, explained, timed and changed."""

import json

import numpy as np
import pytest

import sparsenet as sn
from sparsenet.bench.studies.energy import energy
from sparsenet.bench.studies.residency import residency
from sparsenet.engine.examples import chunks_of
from sparsenet.explain.roofline import roofline
from sparsenet.explain.steps import StepRunner

random = np.random.default_rng(4)


def sequences():
    """Three inputs, of all dtypes, and two outputs; no weights."""
    inputs = {"a": sn.Input((4, 8), "float32"), "ids": sn.Input((4,), "int32"), "mask": sn.Input((4,), "bool")}
    nodes = [
        *(sn.Node("n", sn.LayerNorm(), ("a",)), sn.Node("m", sn.MatMul(), ("n", "t"))),
        *(sn.Node("t", sn.Reshape((8, 4)), ("a",)), sn.Node("c", sn.Cast(), ("ids",))),
        *(sn.Node("c2", sn.Cast(), ("mask",)), sn.Node("s", sn.Add(), ("c", "c2"))),
    ]
    return sn.Network(inputs, nodes, ("m", "s"))


def weighted():
    """Two inputs, layers with weights behind both, and two outputs, one of which other layers read."""
    inputs = {"x": sn.Input((64,)), "ids": sn.Input((64,), "int32")}
    nodes = [
        *(sn.Node("first", sn.Linear(random.standard_normal((64, 64))), ("x",)), sn.Node("r", sn.ReLU(), ("first",))),
        *(sn.Node("c", sn.Cast(), ("ids",)), sn.Node("s", sn.Add(), ("r", "c"))),
        sn.Node("inner", sn.Linear(random.standard_normal((512, 64))), ("s",)),
        sn.Node("last", sn.Linear(random.standard_normal((10, 512))), ("inner",)),
    ]
    return sn.Network(inputs, nodes, ("last", "r"))


def whole_numbers():
    """One input, of int32, and one output."""
    nodes = [sn.Node("c", sn.Cast(), ("ids",)), sn.Node("l", sn.Linear(random.standard_normal((3, 16))), ("c",))]
    return sn.Network({"ids": sn.Input((16,), "int32")}, nodes, "l")


def inputs_of(net, samples):
    return {
        name: random.standard_normal((samples, *one.shape)).astype(np.float32)
        if one.dtype == "float32"
        else random.integers(0, 2, (samples, *one.shape)).astype(one.dtype)
        for name, one in net.inputs.items()
    }


NETWORKS = {"sequences": sequences(), "weighted": weighted(), "whole numbers": whole_numbers()}


@pytest.fixture(params=list(NETWORKS))
def net(request):
    return NETWORKS[request.param]


@pytest.fixture
def engine(net):
    return sn.compile(net, batch=3, threads=1, planner="predict", progress=False)


def test_every_layer_has_a_row(net, engine):
    found = engine.explain(measure=False)
    assert [row.layer for row in found.layers] == [node.name for node in net.nodes]
    assert all(row.predicted_us > 0 and row.kernel and row.limit for row in found.layers)
    assert found.predicted_us > sum(row.predicted_us for row in found.layers)
    assert found.rounding is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_copying_of_all_inputs_and_outputs_counts():
    net = sn.Network(
        {"x": sn.Input((1000,)), "y": sn.Input((1000,))},
        [sn.Node("s", sn.Add(), ("x", "y")), sn.Node("r", sn.ReLU(), ("s",))],
        ("s", "r"),
    )
    alone = sn.Network.sequential((1000,), [sn.ReLU()])
    several, one = (sn.compile(one, threads=1, planner="predict").explain(measure=False) for one in (net, alone))
    assert several.copying_us == pytest.approx(2 * one.copying_us)


def test_explain_measures_on_inputs_by_name(net, engine):
    found = engine.explain(inputs_of(net, 6), advice=False)
    assert found.inputs == "the inputs given"
    assert found.whole_us > 0
    assert all(row.measured_us >= 0 for row in found.layers)


def test_explain_makes_inputs_up(engine):
    found = engine.explain()
    assert found.inputs == "random numbers"
    assert found.whole_us > 0


def test_profile_takes_what_a_call_takes(net, engine):
    x = inputs_of(net, 7)
    for found in (engine.profile(x), engine.profile(**x)):
        assert (found.samples, found.inputs) == (3, 6)
        assert {step.layer for step in found.steps} <= {node.name for node in net.nodes} | {"input"}
        assert found.whole_minimum_us > 0


def test_profile_takes_one_input_in_each_way():
    engine = sn.compile(sn.Network.sequential((8,), [sn.ReLU()]), threads=1, progress=False)
    x = np.ones((2, 8), np.float32)
    for found in (engine.profile(x), engine.profile(x=x), engine.profile(input=x), engine.profile({"input": x})):
        assert found.inputs == 2


def test_the_roofline_has_every_step(net, engine):
    found = roofline(engine, inputs_of(net, 3), rounds=3)
    assert [step.kernel for step in found.steps] == [kernel.name for kernel in engine.program.kernels]


def test_steps_one_at_a_time_give_what_the_engine_gives(net, engine):
    steps, x = StepRunner(engine), inputs_of(net, 3)
    (chunk,) = chunks_of(net, x, 3)
    steps.load(chunk)
    for index in range(len(steps.steps)):
        steps.call(index, 3)
    wanted = engine(x) if len(net.outputs) > 1 else {net.output: engine(x)}
    for place, name in zip(engine.program.outputs, net.outputs, strict=True):
        given = steps._scratch[place : place + wanted[name].nbytes].view(np.float32)
        np.testing.assert_array_equal(given, wanted[name].ravel())


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (None, TypeError, "expected the inputs x, ids by name, got none"),
        (np.ones((2, 64)), TypeError, "expected the inputs x, ids by name, got one ndarray"),
        ({"x": np.ones((2, 64))}, sn.SparsenetError, "expected the inputs x, ids, got no 'ids'"),
        ({"x": np.ones((2, 64)), "ids": np.ones((2, 64))}, TypeError, "expected input 'ids' of int32, got float64"),
        ({"x": np.ones((0, 64)), "ids": np.ones((0, 64), int)}, sn.SparsenetError, "expected at least one input"),
        ({"x": np.full((1, 64), np.nan), "ids": np.ones((1, 64), int)}, sn.SparsenetError, "expected finite inputs"),
    ],
)
def test_profile_says_what_is_wrong_with_inputs(x, error, message):
    engine = sn.compile(NETWORKS["weighted"], threads=1, planner="predict", progress=False)
    with pytest.raises(error, match=message):
        engine.profile(x)


def test_what_if_changes_the_layers_between():
    found = sn.what_if(NETWORKS["weighted"], density=0.05, family="blocks")
    blocks = {layer.layer: layer.density for layer in found.rows[2].layers}
    assert (blocks["first"], blocks["last"]) == (1.0, 1.0)
    assert blocks["inner"] < 0.1
    assert found.rows[2].predicted_us < found.rows[0].predicted_us


def test_what_if_measures_on_made_inputs_and_on_those_given():
    net = NETWORKS["weighted"]
    for examples in (None, inputs_of(net, 4)):
        found = sn.what_if(
            net, density=0.1, active=0.2, family="blocks", batch=2, measure=True, examples=examples, progress=False
        )
        assert all(row.measured_us > 0 for row in found.rows)


def test_what_if_finds_nothing_to_change_where_there_are_no_weights():
    with pytest.raises(sn.SparsenetError, match="expected a network with weights to change, got one without"):
        sn.what_if(NETWORKS["sequences"], density=0.1)


def test_studies_of_single_arrays_refuse(net, engine):
    with pytest.raises(sn.GraphError, match="energy works on networks with one input, float32, and one output"):
        energy(engine, np.ones((4, 16), np.float32))
    with pytest.raises(sn.GraphError, match="residency works on networks with one input, float32, and one output"):
        residency({"net": (engine, np.ones((4, 16), np.float32))})
