"""Each operator means here what onnx's own evaluator says; ONNX's settings are its defaults where they are left out."""

import numpy as np
import pytest
from onnx_models import made, one

import sparsenet as sn

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
from onnx.reference import ReferenceEvaluator  # noqa: E402

r = np.random.default_rng(5)


def normal(*shape):
    return r.normal(size=shape).astype(np.float32)


def assert_same_meaning(model, shape, batch=3, **settings):
    net, x = sn.from_onnx(model, **settings), normal(batch, *shape)
    expected = ReferenceEvaluator(model).run(None, {"x": x})[0]
    assert net.reference(x).shape == expected.shape
    # a few dozen products, each rounded to float32 there and not here
    np.testing.assert_allclose(net.reference(x), expected, rtol=1e-4, atol=1e-5)
    return net


def kinds(net):
    return [type(node.layer).__name__ for node in net.nodes]


IMAGE, VECTOR = (4, 7, 6), (5,)
STATISTICS = [normal(4), normal(4), normal(4), normal(4) ** 2]
INT = np.int64
MODELS = {
    "conv": (IMAGE, one("Conv", IMAGE, normal(3, 4, 3, 2), normal(3), strides=[2, 1], pads=[1, 0, 1, 0]), ["Conv2d"]),
    "grouped": (IMAGE, one("Conv", IMAGE, normal(4, 2, 3, 3), group=2, dilations=[2, 1]), ["Conv2d"]),
    "depthwise": (IMAGE, one("Conv", IMAGE, normal(4, 1, 3, 3), group=4, kernel_shape=[3, 3]), ["Conv2d"]),
    "same upper": (IMAGE, one("Conv", IMAGE, normal(2, 4, 3, 3), auto_pad="SAME_UPPER"), ["Conv2d"]),
    "valid": (IMAGE, one("Conv", IMAGE, normal(2, 4, 3, 3), auto_pad="VALID"), ["Conv2d"]),
    "gemm": (VECTOR, one("Gemm", VECTOR, normal(5, 3), normal(3)), ["Linear"]),
    "gemm, scaled": (
        VECTOR,
        one("Gemm", VECTOR, normal(3, 5), normal(1, 3), transB=1, alpha=0.5, beta=2.0),
        ["Linear"],
    ),
    "gemm, one bias": (VECTOR, one("Gemm", VECTOR, normal(5, 3), normal()), ["Linear"]),
    "matmul": (VECTOR, one("MatMul", VECTOR, normal(5, 3)), ["Linear"]),
    "batch norm": (IMAGE, one("BatchNormalization", IMAGE, *STATISTICS, epsilon=0.01), ["BatchNorm"]),
    "relu": (VECTOR, one("Relu", VECTOR), ["ReLU"]),
    "clip": (VECTOR, one("Clip", VECTOR, np.float32(0)), ["ReLU"]),
    "clip, old": (VECTOR, one("Clip", VECTOR, min=0.0, version=10), ["ReLU"]),
    "max pool": (IMAGE, one("MaxPool", IMAGE, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0]), ["MaxPool2d"]),
    "max pool, steps of one": (IMAGE, one("MaxPool", IMAGE, kernel_shape=[2, 2]), ["MaxPool2d"]),
    "max pool, ceiled": (IMAGE, one("MaxPool", IMAGE, kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1), ["MaxPool2d"]),
    "average pool": (IMAGE, one("AveragePool", IMAGE, kernel_shape=[2, 3], strides=[2, 1]), ["AvgPool2d"]),
    "average pool, padded": (
        IMAGE,
        one("AveragePool", IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        ["AvgPool2d"],
    ),
    "global": (IMAGE, one("GlobalAveragePool", IMAGE), ["GlobalAvgPool2d"]),
    "mean": (IMAGE, one("ReduceMean", IMAGE, np.array([2, 3])), ["GlobalAvgPool2d"]),
    "mean, old": (
        IMAGE,
        one("ReduceMean", IMAGE, axes=[-1, -2], keepdims=0, version=13),
        ["GlobalAvgPool2d", "Flatten"],
    ),
    "softmax": (VECTOR, one("Softmax", VECTOR), ["Softmax"]),
    "softmax of channels": (IMAGE, one("Softmax", IMAGE, axis=1), ["Softmax"]),
    "softmax, old": (VECTOR, one("Softmax", VECTOR, version=11), ["Softmax"]),
    "log softmax": (VECTOR, one("LogSoftmax", VECTOR, axis=-1), ["LogSoftmax"]),
    "add constant": (IMAGE, one("Add", IMAGE, normal(4, 1, 1)), ["BatchNorm"]),
    "sub": (IMAGE, made([("Sub", ["c", "x"], ["y"], {})], IMAGE, {"c": normal(1, 4, 1, 1)}), ["BatchNorm"]),
    "mul": (VECTOR, one("Mul", VECTOR, normal(5)), ["BatchNorm"]),
    "div": (VECTOR, one("Div", VECTOR, np.float32(4)), ["BatchNorm"]),
    "neg": (VECTOR, one("Neg", VECTOR), ["BatchNorm"]),
    "add": (VECTOR, made([("Relu", ["x"], ["a"], {}), ("Add", ["a", "x"], ["y"], {})], VECTOR), ["ReLU", "Add"]),
    "sum": (VECTOR, made([("Relu", ["x"], ["a"], {}), ("Sum", ["a", "x", "a"], ["y"], {})], VECTOR), ["ReLU", "Add"]),
    "concat": (IMAGE, made([("Concat", ["x", "x"], ["y"], {"axis": -3})], IMAGE), ["Concat"]),
    "flatten": (IMAGE, one("Flatten", IMAGE), ["Flatten"]),
    "reshape": (IMAGE, one("Reshape", IMAGE, np.array([0, 2, -1], INT)), ["Reshape"]),
    "reshape, batch inferred": (IMAGE, one("Reshape", IMAGE, np.array([-1, 168], INT)), ["Flatten"]),
    "reshape, axes kept": (IMAGE, one("Reshape", IMAGE, np.array([0, 0, -1], INT)), ["Reshape"]),
    "squeeze": ((5, 1, 1), one("Squeeze", (5, 1, 1), np.array([2, -1])), ["Flatten"]),
    "squeeze, old": ((5, 1, 1), one("Squeeze", (5, 1, 1), axes=[2], version=11), ["Reshape"]),
    "unsqueeze": (VECTOR, one("Unsqueeze", VECTOR, np.array([-1, 2])), ["Reshape"]),
    "transpose": ((5, 1, 1), one("Transpose", (5, 1, 1), perm=[0, 2, 3, 1]), ["Reshape"]),
    "identity": (VECTOR, made([("Identity", ["x"], ["a"], {}), ("Relu", ["a"], ["y"], {})], VECTOR), ["ReLU"]),
    "dropout": (VECTOR, made([("Dropout", ["x"], ["a", "m"], {}), ("Relu", ["a"], ["y"], {})], VECTOR), ["ReLU"]),
}


@pytest.mark.parametrize("name", MODELS)
def test_one_operator(name):
    shape, model, expected = MODELS[name]
    assert kinds(assert_same_meaning(model, shape)) == expected


def test_operators_give_layers_their_names():
    net = sn.from_onnx(made([("Relu", ["x"], ["a"], {}), ("Softmax", ["a"], ["y"], {})], VECTOR))
    assert [node.name for node in net.nodes] == ["relu0", "softmax1"]


SHAPE_ARITHMETIC = [
    ("Shape", ["x"], ["s"], {}),
    ("Gather", ["s", "zero"], ["b"], {}),
    ("Unsqueeze", ["b", "axes"], ["bs"], {}),
    ("Concat", ["bs", "rest"], ["t"], {"axis": 0}),
    ("Reshape", ["x", "t"], ["y"], {}),
]


@pytest.mark.parametrize("batch", ["n", 3, 1])
@pytest.mark.parametrize("rest", [[-1], [7, -1], [4, 42]])
def test_arithmetic_of_shapes_is_folded(batch, rest):
    constants = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array(rest)}
    model = made(SHAPE_ARITHMETIC, IMAGE, constants, sizes=[batch, *IMAGE])
    assert_same_meaning(model, IMAGE, batch=3 if batch == "n" else batch)


def test_constants_are_folded_into_weights():
    operators = [
        ("Constant", [], ["s"], {"value_float": 0.5}),
        ("DequantizeLinear", ["q", "scale"], ["w"], {"axis": 0}),
        ("Mul", ["w", "s"], ["half"], {}),
        ("Transpose", ["half"], ["t"], {"perm": [1, 0]}),
        ("MatMul", ["x", "t"], ["y"], {}),
    ]
    constants = {"q": r.integers(-9, 9, (3, 5)).astype(np.int8), "scale": np.array([0.5, 1, 2], np.float32)}
    assert kinds(assert_same_meaning(made(operators, VECTOR, constants, version=19), VECTOR)) == ["Linear"]


def test_open_sizes_are_given():
    model = made([("Relu", ["x"], ["y"], {})], (), sizes=["n", 3, "h", None])
    with pytest.raises(sn.GraphError, match=r"\(3, h, \?\); say them.*shapes=\{'x'"):
        sn.from_onnx(model)
    assert sn.from_onnx(model, shapes={"x": (3, 8, 9)}).input_shape == (3, 8, 9)
    with pytest.raises(sn.GraphError, match=r"expected samples of shape \(3, h, \?\), got"):
        sn.from_onnx(model, shapes={"x": (4, 8, 9)})
    with pytest.raises(sn.GraphError, match=r"'X'.*did you mean 'x'"):
        sn.from_onnx(model, shapes={"X": (3, 8, 9)})


def test_foreign_rounding_is_reported():
    operators = [
        ("QuantizeLinear", ["x", "s", "z"], ["q"], {}),
        ("DequantizeLinear", ["q", "s", "z"], ["y"], {}),
    ]
    net = sn.from_onnx(made(operators, VECTOR, {"s": np.float32(0.25), "z": np.uint8(3)}))
    assert kinds(net) == ["Quantize", "Dequantize"]
    assert [(note.layer, note.kind) for note in sn.import_report(net).notes] == [("quantizelinear0", "differs")]


def test_older_numbers_become_float32():
    net = sn.from_onnx(one("MatMul", VECTOR, normal(5, 2).astype(np.float16)))
    assert [note.note for note in sn.import_report(net).notes] == ["float16 numbers became float32"]


def test_initializers_among_the_inputs():
    model = one("MatMul", VECTOR, normal(5, 2))
    model.graph.input.append(onnx.helper.make_tensor_value_info("c0", 1, [5, 2]))
    assert kinds(sn.from_onnx(model)) == ["Linear"]


def test_weights_beside_the_model(tmp_path):
    model = one("MatMul", VECTOR, normal(5, 200))
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert kinds(sn.from_onnx(path)) == ["Linear"]
    with pytest.raises(sn.ModelFormatError, match=r"'weights.bin' beside it; give the path"):
        sn.from_onnx(path.read_bytes())


def test_a_mask_that_no_longer_fits_is_left_out():
    mask = np.array([[True, False], [True, True]])
    model = sn.to_onnx(sn.Network.sequential((2,), [sn.Linear([[0.0, 0.0], [1.0, 2.0]], mask=mask)]))
    np.testing.assert_array_equal(sn.from_onnx(model)["linear1"].mask, mask)
    model.graph.initializer[0].raw_data = np.ones((2, 2), np.float32).tobytes()
    net = sn.from_onnx(model)
    assert net["linear1"].mask is None
    assert ["mask is left out" in note.note for note in sn.import_report(net).notes] == [True]


def test_several_inputs_keep_their_names():
    model = made([("Add", ["x", "b"], ["a"], {}), ("Relu", ["a"], ["y"], {})], VECTOR)
    model.graph.input.append(onnx.helper.make_tensor_value_info("b", 1, ["n", *VECTOR]))
    model.graph.input.append(onnx.helper.make_tensor_value_info("unread", 7, ["n", 3]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("a", 1, None))
    net = sn.from_onnx(model)
    assert list(net.inputs) == ["x", "b"]
    assert net.outputs == ("relu1", "add0")
    assert ("add0", "its value is the output 'a'") in [(one.layer, one.note) for one in sn.import_report(net).notes]
    x, b = normal(2, *VECTOR), normal(2, *VECTOR)
    np.testing.assert_allclose(net.reference(x=x, b=b)["relu1"], np.maximum(x + b, 0), rtol=1e-6)


def test_whole_numbers_and_truth_values():
    model = made([("Cast", ["x"], ["a"], {"to": 1}), ("Relu", ["a"], ["y"], {})], VECTOR)
    for kind, dtype in ((7, "int32"), (6, "int32"), (9, "bool")):
        model.graph.input[0].type.tensor_type.elem_type = kind
        net = sn.from_onnx(model)
        assert net.inputs["input"].dtype == dtype
        assert kinds(net) == ["Cast", "ReLU"]
