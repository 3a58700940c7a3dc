"""What cannot be read is refused in one sentence; whatever a file holds, nothing else is raised."""

import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import made, one
from strategies import networks

import sparsenet as sn

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")

IMAGE, VECTOR = (4, 6, 6), (4,)
F32 = np.float32


def refused(model, *said, error=sn.UnsupportedLayerError, **settings):
    with pytest.raises(error) as caught:
        sn.from_onnx(model, **settings)
    for words in said:
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_unknown_operators_at_once_with_how_often():
    operators = [
        ("Sigmoid", ["x"], ["a"], {}),
        ("Erf", ["a"], ["b"], {}),
        ("Sigmoid", ["b"], ["c"], {}),
        ("Conv", ["c", "w"], ["d"], {}),
        ("Mul", ["d", "a"], ["e"], {}),
        ("Erf", ["x"], ["f"], {}),
        ("Add", ["e", "f"], ["y"], {}),
    ]
    model = made(operators, IMAGE, {"w": np.ones((4, 4, 1, 1), F32)})
    refused(model, "operators that are layers here", "got 4 uses", "got Sigmoid (2 times)", "got Erf (2 times)")


REFUSED = {
    "1-d": (one("Conv", (4, 9), np.ones((2, 4, 3), F32)), "in two dimensions"),
    "one-sided padding": (one("Conv", IMAGE, np.ones((2, 4, 3, 3), F32), pads=[0, 0, 1, 1]), "alike on both sides"),
    "same of two": (one("Conv", IMAGE, np.ones((2, 4, 2, 2), F32), auto_pad="SAME_LOWER"), "alike on both sides"),
    "uncounted padding": (one("AveragePool", IMAGE, kernel_shape=[3, 3], pads=[1] * 4), "count_include_pad"),
    "dilated pooling": (one("MaxPool", IMAGE, kernel_shape=[2, 2], dilations=[2, 2]), "without dilation"),
    "beyond": (one("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), "windows that fit"),
    "clip": (one("Clip", VECTOR, F32(0), F32(6)), "max=6.0"),
    "matrices": (one("MatMul", (3, 4), np.ones((4, 2), F32)), "each of 3 vectors"),
    "product": (made([("Mul", ["x", "x"], ["y"], {})], VECTOR), "2 values that depend"),
    "two to the x": (made([("Sub", ["c", "x"], ["a"], {}), ("Div", ["c", "a"], ["y"], {})], VECTOR, {"c": F32(1)}),
                     "a constant there"),
    "softmax of pixels": (one("Softmax", IMAGE), "axis -1"),
    "softmax of all": (one("Softmax", IMAGE, version=11), "as one"),
    "transposition": (one("Transpose", IMAGE, perm=[0, 2, 3, 1]), "in their order"),
    "samples mixed": (one("Reshape", IMAGE, np.array([-1, 6])), "leaves each sample to itself"),
    "batch squeezed": (one("Squeeze", (1, 4), np.array([0])), "behind the batch"),
    "other concat": (made([("Concat", ["x", "x"], ["y"], {"axis": 2})], IMAGE), "dim=2"),
    "broadcast": (made([("GlobalAveragePool", ["x"], ["a"], {}), ("Add", ["a", "x"], ["y"], {})], IMAGE), "one shape"),
    "integers": (one("Cast", VECTOR, to=7), "type number 7"),
    "indices": (made([("MaxPool", ["x"], ["a", "y"], {"kernel_shape": [2, 2]})], IMAGE), "only its first output"),
    "int8": (one("QuantizeLinear", VECTOR, F32(1), np.int8(0)), "uint8"),
    "custom": (made([("Relu", ["x"], ["y"], {"domain": "com.example"})], VECTOR), "com.example::Relu"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_layer_computes(name):
    model, said = REFUSED[name]
    refused(model, "expected", said)


DAMAGED = {
    "missing weight": (made([("MatMul", ["x", "w"], ["y"], {})], VECTOR), "inputs that exist, got 'w'"),
    "cycle": (made([("Add", ["x", "b"], ["a"], {}), ("Relu", ["a"], ["b"], {})], VECTOR, output="b"), "a cycle"),
    "itself": (made([("Add", ["x", "y"], ["y"], {})], VECTOR), "a cycle"),
    "twice": (made([("Relu", ["x"], ["y"], {}), ("Relu", ["x"], ["y"], {})], VECTOR), "outputs of its own"),
    "no output": (made([("Relu", ["x"], ["a"], {})], VECTOR), "output 'y'"),
    "empty": (made([], VECTOR), "with operators"),
    "old": (one("Relu", VECTOR, version=6), "operator set 7"),
    "text for numbers": (one("Conv", IMAGE, np.ones((2, 4, 1, 1), F32), strides="ab"), "such an operator has"),
    "numbers for text": (one("Softmax", VECTOR, axis=[1]), "such an operator has"),
    "channels": (one("Conv", IMAGE, np.ones((2, 3, 1, 1), F32)), "input channels"),
    "not finite": (one("MatMul", VECTOR, np.full((4, 2), np.nan, F32)), "finite"),
    "elements": (one("Reshape", VECTOR, np.array([0, 3])), "elements"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_models(name):
    model, said = DAMAGED[name]
    refused(model, "expected", said, error=sn.ModelFormatError)


@pytest.mark.parametrize("argument", ["group", "axis"])
def test_attributes_that_no_such_operator_has(argument):
    refused(one("Relu", VECTOR, **{argument: 3}), "unexpected keyword argument")


def test_constants_that_would_fill_the_memory():
    operators = [("ConstantOfShape", ["s"], ["c"], {}), ("Add", ["x", "c"], ["y"], {})]
    refused(made(operators, VECTOR, {"s": np.array([2**20, 2**20])}), "at most")
    operators = [("Add", ["a", "b"], ["c"], {}), ("Add", ["x", "c"], ["y"], {})]
    refused(made(operators, VECTOR, {"a": np.ones((2**16, 1), F32), "b": np.ones((1, 2**16), F32)}), "at most")


@pytest.mark.parametrize("dims", [[2**40, 2**20], [-1, -4], [4, 3]])
def test_tensors_that_hold_other_numbers_than_they_say(dims):
    model = one("MatMul", VECTOR, np.ones((4, 2), F32))
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)
    refused(model, "constant 'c0'", error=sn.ModelFormatError)


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "", "missing", ".", "a\0b", "link"])
def test_data_outside_of_the_models_folder(tmp_path, place):
    (tmp_path / "secret").write_bytes(bytes(32))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    model = one("MatMul", VECTOR, np.ones((4, 2), F32))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    refused(folder / "net.onnx", "of the model's folder", error=sn.ModelFormatError)


@pytest.mark.parametrize(("key", "value"), [("offset", "-4"), ("offset", "40"), ("length", "99"), ("length", "x")])
def test_parts_of_files_that_are_not_there(tmp_path, key, value):
    model = one("MatMul", VECTOR, np.ones((4, 2), F32))
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="data", size_threshold=0)
    model = onnx.load(tmp_path / "net.onnx", load_external_data=False)
    entries = model.graph.initializer[0].external_data
    kept = [entry for entry in entries if entry.key != key]
    del entries[:]
    entries.extend(kept)
    entries.add(key=key, value=value)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    refused(tmp_path / "net.onnx", "constant 'c0'", error=sn.ModelFormatError)


def test_files_that_are_no_models(tmp_path):
    (tmp_path / "text").write_text("not a model")
    refused(tmp_path / "text", "expected an ONNX model", error=sn.ModelFormatError)
    refused(tmp_path, "expected a file", error=sn.ModelFormatError)
    refused(b"", "with operators", error=sn.ModelFormatError)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        sn.from_onnx(tmp_path / "none.onnx")
    with pytest.raises(TypeError, match="ModelProto"):
        sn.from_onnx(None)


def test_subgraphs_in_each_other():
    inner = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [], [])
    for _ in range(20):  # protobuf refuses more than 100 messages in each other
        inner = onnx.helper.make_graph([onnx.helper.make_node("If", ["x"], ["y"], then_branch=inner)], "g", [], [])
    model = made([("If", ["x"], ["y"], {"then_branch": inner})], VECTOR)
    refused(model, "got If")
    refused(model.SerializeToString(), "got If")
    refused(b"\x3a\xff\xff\xff\xff\x0f" * 50, "expected an ONNX model", error=sn.ModelFormatError)


SMALL = sn.Network.sequential(
    (2, 4, 4),
    [
        sn.Conv2d(np.ones((3, 2, 3, 3)), padding=1),
        sn.KWinners(1, "channels"),
        sn.Flatten(),
        sn.Linear(np.ones((2, 48))),
    ],
)


@given(st.data())
def test_damaged_bytes_give_networks_or_our_errors(data):
    content = bytearray(sn.to_onnx(SMALL).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    with suppress(sn.SparsenetError):
        sn.from_onnx(bytes(content))


KINDS = ["Conv", "Gemm", "MatMul", "Reshape", "TopK", "Cast", "Sub", "Clip", "Concat", "Shape", "Gather", "Slice"]


@given(networks(quantized=True, max_layers=4), st.data())
def test_rewired_models_give_networks_or_our_errors(net, data):
    """Operators of other types, reading other values: patterns and lines meet what they were not made for."""
    model = sn.to_onnx(net)
    nodes = model.graph.node
    for _ in range(data.draw(st.integers(1, 3))):
        node = nodes[data.draw(st.integers(0, len(nodes) - 1))]
        names = ["", "x", *(one.name for one in model.graph.initializer), *(one.output[0] for one in nodes)]
        what = data.draw(st.sampled_from(["type", "input", "fewer", "attributes"]))
        if what == "type":
            node.op_type = data.draw(st.sampled_from([*KINDS, *(one.op_type for one in nodes)]))
        elif what == "input" and node.input:
            node.input[data.draw(st.integers(0, len(node.input) - 1))] = data.draw(st.sampled_from(names))
        elif what == "fewer" and node.input:
            del node.input[-1]
        else:
            del node.attribute[:]
    with suppress(sn.SparsenetError):
        sn.from_onnx(model)


def test_without_onnx_the_extra_is_named():
    script = """if True:
        import sys
        sys.modules["onnx"] = None  # as if it were not installed
        import sparsenet as sn
        for call in (sn.from_onnx, lambda x: sn.to_onnx(sn.load("spoken-digits"))):
            try:
                call("x")
            except ModuleNotFoundError as error:
                assert "sparsenet[onnx]" in str(error), error
            else:
                raise AssertionError("no error")
    """
    subprocess.run([sys.executable, "-c", script], check=True)
