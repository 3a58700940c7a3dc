"""``from_onnx(to_onnx(net))`` is the network, and onnx's own evaluator computes what the network means."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from same_network import assert_same_network
from strategies import general_networks, inputs, inputs_by_name, networks

import sparsenet as sn

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnx.reference.op_run import OpRun  # noqa: E402


def without_report(net):
    """Leave out what the import says, which a network made here has not."""
    details = {key: value for key, value in net.details.items() if key != "import"}
    return sn.Network(net.inputs, net.nodes, net.outputs, net.labels, details)


@given(networks(quantized=True))
def test_networks_come_back_as_they_were(net):
    model = sn.to_onnx(net)
    onnx.checker.check_model(model, full_check=True)
    assert_same_network(without_report(sn.from_onnx(model)), net)
    assert_same_network(without_report(sn.from_onnx(model.SerializeToString())), net)


class GatherElements(OpRun):
    """onnx's own does not take more than 64 elements along an axis."""

    def _run(self, data, indices, axis=None):
        return (np.take_along_axis(data, indices, axis),)


class MaxPool(OpRun):
    """onnx's own pads bytes with NaN, and takes the padding of one axis for the other's."""

    def _run(self, x, kernel_shape=None, pads=None, strides=None, **others):
        (top, left, bottom, right), (down, across) = pads, strides
        lowest = 0 if x.dtype == np.uint8 else -np.inf
        padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=lowest)
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel_shape, (2, 3))
        return (windows[:, :, ::down, ::across].max((-2, -1)),)


def evaluated(model, feeds):
    """Run onnx's evaluator, which has no DequantizeLinear of set 18; in set 19 all our operators mean the same."""
    model.opset_import[0].version = 19
    return ReferenceEvaluator(model, new_ops=[GatherElements, MaxPool]).run(None, feeds)


@given(st.data(), networks(exact=True, quantized=True))
def test_the_model_computes_what_the_network_means(data, net):
    """Sums are exact whatever their order, so that only the last bits of batch norms may differ."""
    x = np.ascontiguousarray(data.draw(inputs(net, exact=True, batch=2)))
    expected = net.reference(x)
    np.testing.assert_allclose(evaluated(sn.to_onnx(net), {"input": x})[0], expected, rtol=1e-5, atol=1e-5)


@given(st.data(), general_networks())
def test_several_inputs_and_outputs_come_back_and_compute_the_same(data, net):
    model = sn.to_onnx(net)
    onnx.checker.check_model(model, full_check=True)
    assert_same_network(without_report(sn.from_onnx(model)), net)
    given_inputs = data.draw(inputs_by_name(net, batch=2))
    feeds = {name: np.ascontiguousarray(x, net.inputs[name].dtype) for name, x in given_inputs.items()}
    answer = net.reference(given_inputs)
    answer = answer if len(net.outputs) > 1 else {net.output: answer}
    for name, value in zip(net.outputs, evaluated(model, feeds), strict=True):
        largest = max(1, np.abs(answer[name]).max(initial=0))
        if not any(isinstance(node.layer, sn.KWinners) for node in net.nodes):  # rounding decides who wins
            np.testing.assert_allclose(value, answer[name], rtol=1e-4, atol=1e-4 * largest)


@pytest.mark.parametrize("name", ["spoken-digits", "spoken-digits-float32", "spoken-digits-dense"])
def test_bundled_networks(name):
    net = sn.load(name)
    assert_same_network(without_report(sn.from_onnx(sn.to_onnx(net))), without_report(net))


def test_files_and_open_files(tmp_path):
    net = sn.Network.sequential((4,), [sn.Linear(np.eye(4)), sn.KWinners(2)])
    model, file = sn.to_onnx(net, tmp_path / "net.onnx"), io.BytesIO()
    sn.to_onnx(net, file)
    assert file.getvalue() == (tmp_path / "net.onnx").read_bytes() == model.SerializeToString()
    assert_same_network(without_report(sn.from_onnx(tmp_path / "net.onnx")), net)
    assert_same_network(without_report(sn.from_onnx(str(tmp_path / "net.onnx"))), net)


def test_what_an_earlier_import_said_is_kept():
    notes = [{"layer": "drop", "note": "left out", "kind": "decided"}]
    net = sn.Network.sequential((4,), [sn.ReLU()], details={"import": notes})
    assert_same_network(sn.from_onnx(sn.to_onnx(net)), net)


def test_other_things_than_networks():
    with pytest.raises(TypeError, match="expected a Network"):
        sn.to_onnx("net")


def test_load_and_commands_take_models(tmp_path):
    from typer.testing import CliRunner

    from sparsenet.cli import app

    net = sn.Network.sequential((4,), [sn.Linear(np.eye(4)), sn.KWinners(2)])
    sn.to_onnx(net, tmp_path / "net.onnx")
    assert_same_network(without_report(sn.load(tmp_path / "net.onnx")), net)
    ran = CliRunner().invoke(app, ["inspect", str(tmp_path / "net.onnx")])
    assert (ran.exit_code, "kwinners1" in ran.output) == (0, True)
