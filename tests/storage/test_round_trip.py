"""What is saved comes back: every layer, every bit of every array."""

import os
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from same_network import assert_same_layer, assert_same_network
from storage.samples import branched, general, masked, quantized, speech_like, wide
from strategies import general_networks, networks

import sparsenet.layers as sn
from sparsenet.errors import ModelFormatError, SparsenetError
from sparsenet.graph.network import Network
from sparsenet.storage import from_bytes, load, save, to_bytes

SAMPLES = [speech_like, branched, masked, quantized, general, wide]


@given(networks(quantized=True) | general_networks())
def test_any_network_comes_back_to_the_bit(net):
    data = to_bytes(net)
    assert_same_network(from_bytes(data), net)


@given(networks(quantized=True) | general_networks())
def test_the_same_network_gives_the_same_bytes(net):
    data = to_bytes(net)
    assert to_bytes(net) == data
    assert to_bytes(from_bytes(data)) == data


@given(networks(quantized=True))
def test_the_safetensors_library_reads_every_file(net):
    tensors = safetensors.numpy.load(to_bytes(net))
    weighted = sum(isinstance(node.layer, sn.Weighted) for node in net.nodes)
    assert len(tensors) >= weighted


@given(networks(quantized=True))
def test_rounded_weights_give_a_network_of_the_same_structure(net):
    for weights in ("float16", "int8"):
        back = from_bytes(to_bytes(net, weights))
        assert back.shapes == net.shapes
        for mine, theirs in zip(net.nodes, back.nodes, strict=True):
            if isinstance(mine.layer, sn.Conv2d | sn.Linear):
                assert_close_weights(mine.layer, theirs.layer, weights)
            else:
                assert_same_layer(mine.layer, theirs.layer)


def assert_close_weights(layer, rounded, weights):
    largest = np.abs(layer.weight).reshape(len(layer.weight), -1).max(1)
    # int8: half a step of 1/127 of the row's largest, and float32 rounding of the scale. float16: 11 bits, and its
    # smallest number
    step = largest * (0.5 / 127 + 1e-6) if weights == "int8" else largest * 2.0**-11 + 2.0**-24
    change = np.abs(layer.weight - rounded.weight).reshape(len(layer.weight), -1)
    assert (change <= step[:, None]).all()
    assert (layer.bias is None) == (rounded.bias is None)
    assert layer.bias is None or np.array_equal(layer.bias, rounded.bias)
    assert (layer.mask is None) == (rounded.mask is None)
    assert layer.mask is None or np.array_equal(layer.mask, rounded.mask)


def test_quantized_weights_take_a_byte_and_are_never_rounded():
    net = quantized()
    assert len({to_bytes(net, weights) for weights in ("float32", "float16", "int8")}) == 1
    tensors = safetensors.numpy.load(to_bytes(net))
    assert {name: array.dtype for name, array in tensors.items() if "weight" in name and array.dtype != np.uint8} == {
        "quantizedconv2d1.weight": np.int8,
        "quantizedlinear1.weight.values": np.int8,
        "quantizedlinear1.weight.columns": np.uint16,
        "quantizedlinear1.weight.counts": np.uint32,
        "quantizedlinear2.weight.values": np.int8,
    }


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_file_on_disk_comes_back(sample, tmp_path):
    path = tmp_path / "net.safetensors"
    sample().save(path)
    assert_same_network(load(path), sample())
    assert path.read_bytes() == to_bytes(sample())
    assert_same_network(load(str(path)), sample())


def test_bytes_do_not_depend_on_the_process():
    code = "import sys; from storage.samples import speech_like; from sparsenet.storage import to_bytes;"
    code += "sys.stdout.buffer.write(to_bytes(speech_like()))"
    here = os.path.dirname(os.path.dirname(__file__))
    environment = {**os.environ, "PYTHONPATH": here, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert done.stdout == to_bytes(speech_like())


def test_saving_replaces_a_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"something else")
    save(speech_like(), path, weights="int8")
    assert path.read_bytes() == to_bytes(speech_like(), "int8")
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"the old one")

    def full(descriptor):
        raise OSError("no space left on the device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        save(speech_like(), path)
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_saving_names_the_folder_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected the folder .*nowhere.* to exist; create it first"):
        save(speech_like(), tmp_path / "nowhere" / "net.safetensors")


def test_saving_to_a_folder_says_so(tmp_path):
    with pytest.raises(IsADirectoryError, match="expected the path of a file, got the folder"):
        save(speech_like(), tmp_path)


def test_loading_what_is_not_a_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing.safetensors', which does not exist"):
        load(tmp_path / "nothing.safetensors")
    with pytest.raises(ModelFormatError, match="expected a file, got the folder or device"):
        load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_loading_does_not_wait_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFormatError, match="expected a file, got the folder or device"):
        load(tmp_path / "pipe")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything; Windows has no modes"
)
def test_loading_an_unreadable_file_says_so(tmp_path):
    path = tmp_path / "secret.safetensors"
    save(speech_like(), path)
    path.chmod(0)
    with pytest.raises(ModelFormatError, match="expected a file that can be read"):
        load(path)


def test_errors_of_a_file_name_it(tmp_path):
    path = tmp_path / "garbage.safetensors"
    path.write_bytes(b"not a network at all")
    with pytest.raises(ModelFormatError, match=r"garbage.safetensors: expected a header"):
        load(path)


def test_the_limit_holds_for_files(tmp_path):
    path = tmp_path / "net.safetensors"
    save(speech_like(), path)
    size = path.stat().st_size
    with pytest.raises(ModelFormatError, match=f"at most {size - 1} bytes, got more; raise limit_bytes"):
        load(path, limit_bytes=size - 1)
    assert len(load(path, limit_bytes=max(size, 2**14))) == 7


def test_wrong_arguments_say_what_was_expected():
    with pytest.raises(TypeError, match="expected a Network, got the str 'net'"):
        to_bytes("net")
    with pytest.raises(TypeError, match="expected bytes, got bytearray"):
        from_bytes(bytearray(to_bytes(speech_like())))
    with pytest.raises(SparsenetError, match="expected weights stored as one of float32, float16, int8, got 'int4'"):
        to_bytes(speech_like(), "int4")


def test_details_that_could_not_be_loaded_are_not_saved():
    deep = []
    for _ in range(80):
        deep = [deep]
    net = Network.sequential((3,), [sn.ReLU()], details={"deep": deep})
    with pytest.raises(SparsenetError, match="expected details nested at most 64 deep"):
        to_bytes(net)
    names = Network.sequential((3,), [sn.ReLU()], details={str(i): "\u20ac" * 1000 for i in range(170)})
    assert_same_network(from_bytes(to_bytes(names)), names)
