"""Networks of several inputs and outputs, of any rank, of whole numbers and truth values."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from same_network import assert_same_network
from storage.samples import general, speech_like
from strategies import general_networks, inputs_by_name

import sparsenet as sn
from sparsenet.graph.reference import evaluate
from sparsenet.storage import to_bytes

drawn = general_networks().flatmap(lambda net: inputs_by_name(net).map(lambda given: (net, given)))

X, IDS, MASK = [[0.5, 1, 2, 3, 4]], [[1, 2, 3, 4, 5]], [[True, False, True, False, True]]


@given(drawn)
def test_every_output_is_what_its_part_of_the_network_gives(pair):
    net, given_inputs = pair
    values = evaluate(net, given_inputs)
    answer = net.reference(given_inputs)
    if len(net.outputs) == 1:
        answer = {net.output: answer}
    assert list(answer) == list(net.outputs)
    for name in net.outputs:
        part = net.upto(name)
        mine = {one: given_inputs[one] for one in part.inputs}
        assert answer[name].shape[1:] == net.shapes[name]
        np.testing.assert_array_equal(answer[name], values[name])
        np.testing.assert_array_equal(answer[name], part.reference(mine))
        np.testing.assert_array_equal(
            answer[name], net.reference(**given_inputs)[name] if len(net.outputs) > 1 else answer[name]
        )


@given(drawn)
def test_folding_and_pickling_keep_the_ends(pair):
    net, given_inputs = pair
    assert_same_network(pickle.loads(pickle.dumps(net)), net)
    folded = sn.fold_batchnorm(net)
    assert dict(folded.inputs) == dict(net.inputs)
    before, after = evaluate(net, given_inputs), evaluate(folded, given_inputs)
    for old, new in zip(net.outputs, folded.outputs, strict=True):
        # weights are rounded to float32 once more; sums of a few hundred terms of the size of their values
        np.testing.assert_allclose(
            after[new], before[old], rtol=1e-4, atol=1e-3 * (1 + np.abs(before[old]).max(initial=0))
        )


def test_what_was_written_by_position_is_the_same_network():
    net = speech_like()
    named = sn.Network({"input": sn.Input(net.input_shape)}, net.nodes, (net.output,), net.labels, net.details)
    assert to_bytes(named) == to_bytes(net)
    assert (named.input, named.output, named.input_shape) == ("input", net.output, net.input_shape)


def test_what_a_network_says_of_its_ends():
    net = general()
    assert repr(net).startswith("<Network x (5,), ids (5,) int32, mask (5,) bool to winners (5,), dense (3,): 5")
    assert (net.dtypes["ids"], net.dtypes["numbers"], net.byte_valued) == ("int32", "float32", frozenset())
    with pytest.raises(sn.GraphError, match=r"of one input, got 3 inputs: x, ids, mask; see \.inputs"):
        net.input_shape  # noqa: B018
    with pytest.raises(sn.GraphError, match=r"of one output, got 2 outputs: winners, dense; see \.outputs"):
        net.output_shape  # noqa: B018


def test_what_is_given_by_name():
    net = general()
    answer = net.reference(x=X, ids=IDS, mask=MASK)
    np.testing.assert_array_equal(answer["winners"], [[0, 0, 0, 7, 10]])
    again = net.reference({"mask": MASK, "x": X, "ids": np.array(IDS, "u1")})
    np.testing.assert_array_equal(again["dense"], answer["dense"])


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"ids": None}, sn.SparsenetError, "expected the inputs x, ids, mask, got no 'ids'"),
        ({"idss": IDS}, sn.SparsenetError, "got 'idss'; did you mean 'ids'"),
        ({"ids": X}, TypeError, r"expected input 'ids' of int32, got float64; convert it: x\.astype\('int32'\)"),
        ({"ids": MASK}, TypeError, "expected input 'ids' of int32, got bool"),
        ({"mask": IDS}, TypeError, "expected input 'mask' of bool, got int64"),
        ({"ids": [[2**31, 0, 0, 0, 0]]}, sn.SparsenetError, "that fit int32, got some from 0 to 2147483648"),
        ({"ids": [[-(2**31) - 1, 0, 0, 0, 0]]}, sn.SparsenetError, "that fit int32, got some from -2147483649 to 0"),
        ({"ids": IDS[0]}, sn.SparsenetError, r"input 'ids' of shape \(B, 5\), got \(5,\); add the batch axis"),
        ({"x": X * 2}, sn.SparsenetError, "expected as many samples in each input, got 2 in 'x', 1 in 'ids'"),
        ({"x": [[np.nan] * 5]}, sn.SparsenetError, "expected finite input 'x'"),
        ({"x": "abc"}, TypeError, "expected an array of real numbers"),
    ],
)
def test_what_is_refused_by_name(changed, error, message):
    given_inputs = {"x": X, "ids": IDS, "mask": MASK} | changed
    with pytest.raises(error, match=message):
        general().reference({name: value for name, value in given_inputs.items() if value is not None})


def test_inputs_come_in_one_way():
    with pytest.raises(TypeError, match="expected the inputs x, ids, mask by name, got one list"):
        general().reference(X)
    with pytest.raises(TypeError, match="got an argument and keywords"):
        general().reference(X, ids=IDS)
    with pytest.raises(TypeError, match="expected the inputs x, ids, mask by name, got none"):
        general().reference()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sn.Input(()), "1 to 8 positive sizes"),
        (lambda: sn.Input((2,), "int64"), "got int64; arrays of int64 are given as int32"),
        (lambda: sn.Input((2,), "words"), "expected an input of float32, int32 or bool, got words"),
        (lambda: sn.Network({}, general().nodes, "dense"), "expected 1 to 1000 inputs, got 0"),
        (
            lambda: sn.Network({**general().inputs, "y": sn.Input((2,))}, general().nodes, general().outputs),
            "input 'y'",
        ),
        (lambda: sn.Network(general().inputs, general().nodes, ()), "expected at least one output"),
        (
            lambda: sn.Network(general().inputs, general().nodes, general().outputs, ["a"]),
            "only where there is one output",
        ),
        (lambda: sn.Network.sequential(general().inputs, [sn.ReLU()]), "of one input, got 3"),
        (lambda: sn.Network.sequential({"ids": sn.Input((2,), "int32")}, [sn.Softmax()]), r"is a Cast\(\) missing"),
        (
            lambda: sn.quantize(general(), np.zeros((1, 5))),
            "quantize works on networks with one input, float32, and one",
        ),
    ],
)
def test_networks_that_cannot_be(make, message):
    with pytest.raises(sn.GraphError, match=message):
        make()
