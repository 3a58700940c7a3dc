"""Engines of several inputs and outputs, of whole numbers and truth values, called by name."""

import pickle

import numpy as np
import pytest
from error_bound import bounded_outputs
from hypothesis import given
from storage.samples import general, speech_like
from strategies import general_networks, inputs_by_name

import sparsenet as sn

drawn = general_networks().flatmap(lambda net: inputs_by_name(net).map(lambda given: (net, given)))


def examples(count, seed=0):
    r = np.random.default_rng(seed)
    x, ids = r.normal(size=(count, 5)).astype(np.float32), r.integers(-9, 10, (count, 5))
    return {"x": x, "ids": ids, "mask": r.random((count, 5)) < 0.5}


def assert_close(answer, meant):
    assert list(answer) == list(meant)
    for name, values in meant.items():
        assert (answer[name].dtype, answer[name].shape) == (np.float32, values.shape)
        # sums of five terms of order ten, each rounded to float32
        np.testing.assert_allclose(answer[name], values, rtol=1e-5, atol=1e-5)


@given(drawn)
def test_engines_give_what_the_network_means(pair):
    net, x = pair
    engine = sn.compile(net, batch=3, planner="predict", threads=1, progress=False)
    answer = engine(x)
    answers = answer if len(net.outputs) > 1 else {net.output: answer}
    for name, expected in bounded_outputs(net, x).items():
        beyond = np.abs(answers[name] - expected.value) > expected.error + np.abs(expected.value) * 2.0**-24
        assert answers[name].shape == expected.value.shape
        assert not beyond[expected.decided].any()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 100])
def test_any_number_of_samples_goes_through(count, threads):
    x = examples(count)
    engine = sn.compile(general(), batch=4, threads=threads, planner="predict", progress=False)
    assert_close(engine(**x), general().reference(x))
    for name, rows in engine(x).items():
        for sample in range(count):
            alone = engine({given: array[sample : sample + 1] for given, array in x.items()})
            np.testing.assert_array_equal(alone[name][0], rows[sample])


def test_measured_plans_and_copies_answer_alike():
    x = examples(7)
    engine = sn.compile(general(), batch=4, threads=1, examples=examples(9, 1), progress=False)
    assert_close(engine(x), general().reference(x))
    assert_close(pickle.loads(pickle.dumps(engine))(x), general().reference(x))
    assert "x (5,), ids (5,) int32, mask (5,) bool to winners (5,), dense (3,)" in repr(engine)


@pytest.mark.parametrize("threads", [1, 2])
def test_values_beyond_the_limit_are_found_by_the_reference(threads):
    x = examples(40)
    x["x"][[3, 33], 1] = 1e37
    engine = sn.compile(general(), batch=4, threads=threads, planner="predict", progress=False)
    assert_close(engine(x), general().reference(x))


def test_what_leaves_float32_is_named():
    nodes = [sn.Node("large", sn.Linear([[3e38, 3e38]]), ("x",)), sn.Node("other", sn.Cast(), ("ids",))]
    net = sn.Network({"x": sn.Input((2,)), "ids": sn.Input((2,), "int32")}, nodes, ("other", "large"))
    engine = sn.compile(net, planner="predict", threads=1, progress=False)
    assert engine(x=[[0.5, 0.25]], ids=[[1, 2]])["large"] == pytest.approx(2.25e38)
    with pytest.raises(sn.RangeError, match=r"layer 'large': a value leaves float32 .* in sample 1"):
        engine(x=[[0.5, 0.25], [1, 1]], ids=[[1, 2], [3, 4]])


def test_every_whole_number_up_to_24_bits_is_exact():
    ids = np.array([[0, 1, -1, 2**24, -(2**24), 2**31 - 1, -(2**31)]])
    net = sn.Network.sequential({"ids": sn.Input((7,), "int32")}, [sn.Cast()])
    answer = sn.compile(net, planner="predict", progress=False)(ids=ids)
    np.testing.assert_array_equal(answer, ids.astype(np.float32))


def test_images_of_truth_values_keep_their_order():
    mask = np.random.default_rng(0).random((3, 2, 3, 5)) < 0.5
    layers = [sn.Cast(), sn.MaxPool2d((1, 2))]
    net = sn.Network.sequential({"mask": sn.Input((2, 3, 5), "bool")}, layers)
    np.testing.assert_array_equal(sn.compile(net, planner="predict", progress=False)(mask), net.reference(mask))


def test_the_short_form_may_be_called_by_name():
    engine, x = sn.compile(speech_like(), planner="predict", progress=False), np.ones((2, 1, 10, 10), np.float32)
    np.testing.assert_array_equal(engine(input=x), engine(x))
    np.testing.assert_array_equal(engine({"input": x}), engine(x))
    with pytest.raises(TypeError, match="expected an array of real numbers"):
        engine()


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"ids": None}, sn.SparsenetError, "got no 'ids'"),
        ({"ids": np.ones((1, 5))}, TypeError, "expected input 'ids' of int32, got float64"),
        ({"ids": np.full((1, 5), 2**40)}, sn.SparsenetError, "that fit int32"),
        ({"mask": np.ones((1, 5), int)}, TypeError, "expected input 'mask' of bool, got int64"),
        ({"x": np.full((1, 5), np.inf)}, sn.SparsenetError, "expected finite input 'x', got NaN or infinity first in"),
        ({"x": np.ones((2, 5))}, sn.SparsenetError, "as many samples in each input"),
    ],
)
def test_what_a_call_refuses(changed, error, message):
    engine = sn.compile(general(), planner="predict", threads=1, progress=False)
    given_inputs = {name: array for name, array in {**examples(1), **changed}.items() if array is not None}
    with pytest.raises(error, match=message):
        engine(**given_inputs)


def test_examples_that_do_not_fit_are_refused():
    with pytest.raises(sn.CompileError, match="at least one example"):
        sn.compile(general(), examples=examples(0), progress=False)
    with pytest.raises(sn.SparsenetError, match="got no 'ids'"):
        sn.compile(general(), examples={"x": examples(1)["x"], "mask": examples(1)["mask"]}, progress=False)


def test_the_gpu_takes_the_short_form_only():
    with pytest.raises(sn.GraphError, match="compile for the GPU works on networks with one input, float32, and one"):
        sn.compile(general(), device="cuda")


def test_the_only_input_may_be_called_x():
    net = sn.Network.sequential((3,), [sn.KWinners(1)])
    x, expected = np.float32([[1, 3, 2]]), [[0, 3, 0]]
    engine = sn.compile(net, planner="predict", progress=False)
    np.testing.assert_array_equal(engine(x=x), expected)
    np.testing.assert_array_equal(net.reference(x=x), expected)
    with pytest.raises(sn.SparsenetError, match="expected the inputs input, got 'y'"):
        engine(y=x)
