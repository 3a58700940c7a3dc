"""What a network may be read from and written to, and what files of other tools are told."""

import io
import pickle

import numpy as np
import pytest
import safetensors.numpy
from same_network import assert_same_network
from storage.samples import branched, speech_like

import sparsenet as sn
from sparsenet.errors import ModelFormatError
from sparsenet.storage import save, to_bytes


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, io.BytesIO], ids=lambda form: form.__name__)
def test_what_a_file_holds_loads_too(form):
    net = speech_like()
    assert_same_network(sn.load(form(to_bytes(net))), net)


def test_paths_and_open_files(tmp_path):
    net, path = branched(), tmp_path / "net.safetensors"
    net.save(path)
    for source in (path, str(path)):
        assert_same_network(sn.load(source), net)
    with path.open("rb") as file:
        assert_same_network(sn.load(file), net)
        assert not file.closed


def test_saving_into_an_open_file(tmp_path):
    net, memory, path = branched(), io.BytesIO(), tmp_path / "net.safetensors"
    net.save(memory)
    with path.open("wb") as file:
        net.save(file)
    assert memory.getvalue() == path.read_bytes() == to_bytes(net)


def test_what_is_no_source_is_a_type_error(tmp_path):
    with pytest.raises(TypeError, match="expected a path, bytes or a file open for reading, got int"):
        sn.load(7)
    with pytest.raises(TypeError, match="expected a path or a file open for writing, got int"):
        save(branched(), 7)
    with pytest.raises(TypeError, match=r'opened in binary mode \("rb"\), got one that gives str'):
        sn.load(io.StringIO("text"))
    with pytest.raises(TypeError, match=r'opened in binary mode \("wb"\)'):
        save(branched(), io.StringIO())


@pytest.mark.parametrize("limit", [10, 2**20])
def test_bytes_and_files_obey_the_limit(limit):
    from sparsenet.storage import load

    data = to_bytes(speech_like())
    for source in (data, io.BytesIO(data)):
        if limit < len(data):
            with pytest.raises(ModelFormatError, match="at most 10 bytes, got more"):
                load(source, limit)
        else:
            assert_same_network(load(source, limit), speech_like())


def torch_zip():
    import zipfile

    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    return memory.getvalue()


ONNX = b"\x08\x07\x12\x07pytorch\x1a\x052.1.0"
FOREIGN = [
    ("m.onnx", ONNX, r"an ONNX model; read it with sn.from_onnx\("),
    ("m.ONNX", ONNX, "an ONNX model"),
    ("m.pt", torch_zip(), r"a file of torch.save; load it with torch and import the module with sn.from_torch\("),
    ("m.pth", pickle.dumps({}, protocol=2), "a file of torch.save"),
    ("model", torch_zip(), "a zip archive, as torch.save"),
    ("m.tflite", b"\x1c\0\0\0TFL3" + bytes(40), "a TensorFlow Lite model"),
    ("model", b"\x1c\0\0\0TFL3" + bytes(40), "a TensorFlow Lite model"),
    ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(40), "a Keras model"),
    ("m.keras", torch_zip(), "a Keras model"),
    ("m.npy", b"\x93NUMPY\x01\0", "NumPy arrays"),
    ("m.safetensors", safetensors.numpy.save({"weight": np.eye(3)}), "a safetensors file of weights alone"),
    ("m.onnx", b"", "an ONNX model"),
]


@pytest.mark.parametrize(
    ("name", "data", "message"), FOREIGN, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(FOREIGN)]
)
def test_files_of_other_tools_say_what_they_are(tmp_path, name, data, message):
    from sparsenet.storage import load

    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelFormatError, match=f"{name}: expected a network of sparsenet, got {message}"):
        load(tmp_path / name)


def test_a_damaged_network_is_not_called_something_else(tmp_path):
    data = bytearray(to_bytes(speech_like()))
    data[-1:] = b""
    (tmp_path / "net.pt").write_bytes(data)
    with pytest.raises(ModelFormatError) as caught:
        sn.load(tmp_path / "net.pt")
    assert "torch" not in str(caught.value)
