"""One wrong thing at a time, and the sentence that it earns."""

import tracemalloc

import numpy as np
import pytest
from storage.forgery import Forgery, Pairs, Raw, assemble, drop, dump, get, put
from storage.samples import branched, general, masked, quantized, speech_like

from sparsenet.errors import ModelFormatError
from sparsenet.storage import from_bytes, to_bytes
from sparsenet.storage.container import LONGEST_HEADER_BYTES
from sparsenet.storage.strict_json import MOST_VALUES

# Positions of the nodes of speech_like() and branched()
CONV, POOL, WINNERS, SPARSE, DENSE = 0, 1, 2, 4, 6
NORM, ADD, SHAPE = 0, 3, 8
# and of quantized()
STEPS, WHOLE_CONV, WHOLE_LINEAR = 0, 1, 5


def refused(data, message):
    with pytest.raises(ModelFormatError, match=message):
        from_bytes(data)


def forged(net, change, weights="float32"):
    forgery = Forgery.of(to_bytes(net, weights))
    change(forgery)
    return forgery.to_bytes()


def put_node(position, *path_and_new):
    return lambda forgery: put(forgery.document, "nodes", position, *path_and_new)


def put_document(*path_and_new):
    return lambda forgery: put(forgery.document, *path_and_new)


def put_header(*path_and_new):
    return lambda forgery: put(forgery.header, *path_and_new)


def view(forgery, name, dtype):
    """Return the elements of a tensor, to be changed."""
    begin, end = get(forgery.header, name, "data_offsets")
    return np.frombuffer(forgery.body, np.uint8)[begin:end].view(dtype)


def put_elements(name, dtype, change):
    def apply(forgery):
        elements = view(forgery, name, dtype)
        elements[:] = change(elements.copy())

    return apply


def rename(name, new):
    def apply(forgery):
        forgery.header[:] = [(new if key == name else key, entry) for key, entry in forgery.header]

    return apply


def test_forgeries_that_change_nothing_load():
    for net in (speech_like(), branched(), masked(), general()):
        assert from_bytes(forged(net, lambda forgery: None)).shapes == net.shapes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a safetensors file of at least 10 bytes, got 0"),
        (b"\x02\0\0\0\0\0\0\0{", "at least 10 bytes, got 9"),
        (b"\x03\0\0\0\0\0\0\0{}", "expected a header of at most 2 bytes, got 3"),
        (b"\xff" * 16, "expected a header of at most 8 bytes, got 18446744073709551615; is it a safetensors file"),
        (b"PK\x03\x04" + b"\0" * 100, "is it a safetensors file"),
        (assemble("{}"), "expected a network saved by sparsenet, got a file without 'sparsenet'"),
        (assemble('{"__metadata__": {"format": "pt"}}'), "got a file without 'sparsenet'"),
        (assemble('{"__metadata__": "sparsenet"}'), "got a file without 'sparsenet'"),
        (assemble('{"__metadata__": 5}'), "got a file without 'sparsenet'"),
        (assemble(' {"__metadata__": {}}'), "expected a header that starts with '{'"),
        (assemble("[1, 2, 3]"), "expected a header that starts with '{'"),
        (assemble('{"a": 1,}'), "header: expected JSON in UTF-8"),
        (assemble('{"a": "\ud800"}'), "header: expected JSON in UTF-8"),
        (assemble('{"a": 1, "a": 1}'), "header: expected keys that differ, got 'a' twice"),
        (assemble('{"a": {"b": 1, "b": 2}}'), "header: expected keys that differ, got 'b' twice"),
        (assemble('{"a": NaN}'), "header: expected finite numbers, got NaN"),
        (assemble('{"a": 1e999}'), "header: expected finite numbers"),
        (assemble('{"a": -0}'), "header: expected integers without a sign on zero"),
        (assemble('{"a": ' + "9" * 5000 + "}"), "header: expected JSON"),
        (assemble('{"a": ' + "[" * 65 + "]" * 65 + "}"), "nested at most 64 deep"),
        (assemble('{"a": ' + "[" * 100_000), "nested at most 64 deep"),
        (assemble('{"a": [' + "0," * MOST_VALUES + "0]}"), "expected at most 1048576 values"),
        (assemble('{"a": "' + '\\"' * 100_000), "header: expected JSON"),
        (
            assemble("{" + " " * LONGEST_HEADER_BYTES + "}"),
            f"expected a header of at most {LONGEST_HEADER_BYTES} bytes",
        ),
        (assemble('{"__metadata__": {"sparsenet": 7}}'), "expected 'sparsenet' to be a string"),
        (assemble('{"__metadata__": {"sparsenet": "{}", "other": ""}}'), r"metadata: .* got unknown \['other'\]"),
        (assemble('{"__metadata__": {"sparsenet": "\\ud800"}}'), "sparsenet: expected JSON in UTF-8"),
        (assemble('{"__metadata__": {"sparsenet": "[]"}}'), r"sparsenet: expected a JSON object, got \[\]"),
        (assemble('{"__metadata__": {"sparsenet": "{}"}}'), "expected format 1 or 2, got None; is sparsenet too old"),
    ],
)
def test_containers(data, message):
    refused(data, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_header("linear2.bias", 5), "'linear2.bias': expected an object|no tensor 'linear2.bias'"),
        (put_header("linear1.bias", "dtype", "F64"), "'linear1.bias': expected one of the types"),
        (put_header("linear1.bias", "dtype", ["F32"]), "'linear1.bias': expected one of the types"),
        (put_header("linear1.bias", "dtype", "F16"), r"'linear1.bias': expected 20 bytes, got the offsets"),
        (put_header("linear1.bias", "shape", [11]), "'linear1.bias': expected 44 bytes, got the offsets"),
        (put_header("linear1.bias", "shape", [-10]), "'linear1.bias': expected a shape of at most 8 sizes"),
        (put_header("linear1.bias", "shape", [10.0]), "'linear1.bias': expected a shape of at most 8 sizes"),
        (put_header("linear1.bias", "shape", [True, 10]), "'linear1.bias': expected a shape of at most 8 sizes"),
        (put_header("linear1.bias", "shape", [10] + [1] * 8), "'linear1.bias': expected a shape of at most 8 sizes"),
        (put_header("linear1.bias", "shape", [2**62, 2**62]), "'linear1.bias': expected .* bytes, got the offsets"),
        (put_header("linear1.bias", "shape", [2, 5]), "expected bias as float32 of one axis"),
        (put_header("linear1.bias", "data_offsets", [0]), "'linear1.bias': expected two offsets"),
        (put_header("linear1.bias", "data_offsets", [40, 0]), "'linear1.bias': expected 40 bytes, got the offsets"),
        (put_header("linear1.bias", "data_offsets", [4, 44]), "expected to begin at"),
        (put_header("linear1.bias", "data_offsets", [10**6, 10**6 + 40]), "expected to begin at"),
        (put_header("linear1.bias", "other", 1), r"tensor 'linear1.bias': .* got unknown \['other'\]"),
        (lambda f: drop(f.header, "linear1.bias", "shape"), r"tensor 'linear1.bias': .* got missing \['shape'\]"),
        (lambda f: f.header.append(f.header[0]), "header: expected keys that differ"),
        (lambda f: f.body.append(0), "bytes of tensors after the header, got"),
        (lambda f: f.body.pop(), "bytes of tensors after the header, got"),
        (rename("linear1.bias", "linear9.bias"), "expected a tensor 'linear1.bias', got none"),
        (
            rename("linear1.weight.columns", "linear1.weight.columns "),
            "expected a tensor 'linear1.weight.columns', got",
        ),
        (
            put_header("other", Pairs([("dtype", "F32"), ("shape", [0]), ("data_offsets", [0, 0])])),
            "expected no tensor 'other'",
        ),
    ],
)
def test_tensors(change, message):
    refused(forged(speech_like(), change), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_document("format", 3), "expected format 1 or 2, got 3; is sparsenet too old"),
        (put_document("format", True), "expected format 1 or 2, got True"),
        (put_document("format", 2), r"sparsenet: expected exactly the keys .*|got missing|got unknown"),
        (put_document("plugin", "os.system"), r"got unknown \['plugin'\]"),
        (lambda f: drop(f.document, "labels"), r"got missing \['labels'\]"),
        (put_document("input_shape", 3), "expected input_shape to be a list, got 3"),
        (put_document("input_shape", [1, 0, 10]), "expected an input shape of 1 to 8 positive sizes"),
        (put_document("input_shape", [1, 10.0, 10]), "expected the input shape as a tuple of integers"),
        (put_document("input_shape", [2**20, 2**20, 2**20]), "at most 268435456 elements"),
        (put_document("input_shape", [1, 12, 10]), r"layer 'linear1' \(Linear\): expected a vector of 96 inputs"),
        (put_document("nodes", {}), "expected nodes to be a list"),
        (put_document("nodes", []), "expected no tensor"),
        (put_document("nodes", [0] * 10_001), "expected at most 10000 layers, got 10001"),
        (put_document("nodes", [7]), "node: expected an object"),
        (put_document("output", None), "expected output to be a str, got None"),
        (put_document("output", "linear9"), "expected the output to be one of the layers, got 'linear9'"),
        (put_document("output", "linear1"), "expected every layer to lead to the output 'linear1'"),
        (put_document("labels", ["a", "b"]), "expected one label per output"),
        (put_document("labels", ["a", "b", 3]), "expected labels as a sequence of strings"),
        (put_document("labels", ["a", "b", "b"]), "expected labels that differ"),
        (put_document("labels", ["a", "b", "\x1b[2J"]), "expected printable labels"),
        (put_document("details", []), r"expected details to be a dict, got \[\]"),
        (put_document("details", Pairs([("a", Raw("NaN"))])), "sparsenet: expected finite numbers, got NaN"),
        (put_document("details", "title", Pairs([("a", 1), ("a", 2)])), "expected keys that differ, got 'a' twice"),
        (put_document("details", "title", "x" * 2**20), "expected details of at most 1048576 bytes"),
    ],
)
def test_documents(change, message):
    refused(forged(speech_like(), change), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_node(CONV, "name", 3), "node: expected a name, got 3"),
        (put_node(POOL, "name", ""), "expected a printable name|inputs that exist"),
        (put_node(POOL, "name", "flatten1"), "layer 'flatten1': expected a name of its own"),
        (put_node(POOL, "name", "input"), "layer 'input': expected a name of its own"),
        (put_node(POOL, "kind", "eval"), "layer 'maxpool2d1': expected one of the kinds Conv2d, .* got 'eval'"),
        (put_node(POOL, "kind", "__class__"), "expected one of the kinds"),
        (put_node(POOL, "kind", ["ReLU"]), "expected one of the kinds"),
        (put_node(POOL, "kind", "ReLU"), r"settings: .* got unknown"),
        (put_node(POOL, "inputs", "input"), "expected the names of its inputs, got 'input'"),
        (put_node(POOL, "inputs", [[]]), "expected the names of its inputs"),
        (put_node(CONV, "inputs", []), "expected one input, got 0"),
        (put_node(POOL, "inputs", ["linear2"]), "expected a graph without cycles"),
        (put_node(POOL, "inputs", ["nowhere"]), "expected inputs that exist, got 'nowhere'"),
        (put_node(POOL, "settings", None), "settings: expected an object"),
        (put_node(POOL, "settings", "__init__", 1), r"settings: .* got unknown \['__init__'\]"),
        (put_node(POOL, "settings", "kernel", 0), "expected kernel from 1 to 32768, got 0"),
        (put_node(POOL, "settings", "kernel", [2, 2, 2]), "expected kernel as one integer or two"),
        (put_node(POOL, "settings", "kernel", 2.0), "expected kernel to be an integer, got float"),
        (put_node(POOL, "settings", "kernel", None), "expected kernel to be an integer"),
        (put_node(POOL, "settings", "kernel", 2**100), "expected kernel from 1 to 32768"),
        (put_node(POOL, "settings", "kernel", 9), "expected a padded image of at least"),
        (put_node(POOL, "vectors", ["bias"]), "expected no vector 'bias'"),
        (put_node(POOL, "weight", Pairs([("shape", [1, 1])])), "expected no weight for a MaxPool2d"),
        (put_node(WINNERS, "settings", "k", -1), "expected k from 0"),
        (put_node(WINNERS, "settings", "k", True), "expected k to be an integer, got bool"),
        (put_node(WINNERS, "settings", "k", 7), "expected k of at most 6"),
        (put_node(WINNERS, "settings", "scope", []), 'expected scope "all" or "channels"'),
        (put_node(CONV, "vectors", ["bias", "bias"]), "each once"),
        (put_node(CONV, "vectors", []), "expected no tensor 'conv2d1.bias'"),
        (put_node(CONV, "vectors", [["bias"]]), "expected the names of its vectors"),
        (put_node(CONV, "vectors", ["weight"]), "expected no vector 'weight'"),
        (put_node(CONV, "settings", "groups", 4), "expected groups that divide the outputs"),
        (put_node(CONV, "settings", "padding", [2**15, 2**15]), "expected at most 268435456 elements with the padding"),
        (put_node(CONV, "other", 1), r"node: .* got unknown \['other'\]"),
        (lambda f: f.document[2][1].append(get(f.document, "nodes", CONV)), "expected a name of its own"),
    ],
)
def test_nodes(change, message):
    refused(forged(speech_like(), change), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_node(NORM, "vectors", ["mean"]), "layer 'norm': expected the vectors mean, variance, got no variance"),
        (put_node(NORM, "settings", "epsilon", -1), "above zero"),
        (put_node(NORM, "settings", "epsilon", 10**400), "expected epsilon|a finite epsilon|TypeError|ufunc"),
        (put_node(NORM, "settings", "epsilon", "1"), "expected epsilon to be a number, got str"),
        (put_node(SHAPE, "settings", "shape", [2**31 - 1] * 9), "expected a shape of 1 to 8 positive sizes"),
        (put_node(SHAPE, "settings", "shape", [5]), "expected a shape of 12 elements"),
        (put_node(SHAPE, "settings", "shape", 12), "expected shape to be a tuple"),
        (put_node(ADD, "inputs", ["conv"]), "expected at least two inputs, got 1"),
        (put_node(ADD, "inputs", ["conv", "add"]), "expected a graph without cycles"),
    ],
)
def test_other_nodes(change, message):
    refused(forged(branched(), change), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_node(SPARSE, "weight", None), "weight: expected an object"),
        (put_node(SPARSE, "weight", "shape", [10, 97]), "expected|rise"),
        (put_node(SPARSE, "weight", "shape", [10, 0]), "expected a shape of 2 to 4 positive sizes"),
        (put_node(SPARSE, "weight", "shape", [960]), "expected a shape of 2 to 4 positive sizes"),
        (put_node(SPARSE, "weight", "shape", [10, 96.0]), "expected a shape of 2 to 4 positive sizes"),
        (put_node(SPARSE, "weight", "shape", [10, 96, 1, 1]), r"Linear: expected weight of shape \(N, D\)"),
        (put_node(SPARSE, "weight", "shape", [10, 2**40]), "expected weights of at most 1073741824 bytes in memory"),
        (put_node(SPARSE, "weight", "shape", [10, 10**4000]), "expected weights of at most 1073741824 bytes in memory"),
        (put_node(SPARSE, "weight", "shape", [10, 2**17]), "expected uint32"),
        (put_node(SPARSE, "weight", "places", "bits"), "expected a tensor 'linear1.weight.bits', got none"),
        (put_node(SPARSE, "weight", "places", ["all"]), "expected places to be one of all, bits, columns"),
        (put_node(SPARSE, "weight", "values", "float64"), "expected values to be one of float32, float16, int8"),
        (put_node(SPARSE, "weight", "values", "float16"), "values: expected float16"),
        (put_node(SPARSE, "weight", "values", "int8"), "expected a tensor 'linear1.weight.scales', got none"),
        (put_node(SPARSE, "weight", "mask", 1), "expected mask to be true or false, got 1"),
        (put_node(DENSE, "weight", "shape", [5, 6]), r"expected float32 \(5, 6\), got float32 \(3, 10\)"),
        (put_elements("linear1.weight.columns", "<u2", lambda c: c + 96), "expected columns below 96"),
        (put_elements("linear1.weight.columns", "<u2", lambda c: c * 0), "expected columns that rise within each row"),
        (
            put_elements("linear1.weight.columns", "<u2", lambda c: c[::-1]),
            "expected columns that rise within each row",
        ),
        (put_elements("linear1.weight.counts", "<u4", lambda n: n + 1), "weight.counts: expected .* in sum"),
        (put_elements("linear1.weight.counts", "<u4", lambda n: ~(n * 0)), "weight.counts: expected .* in sum"),
        (
            put_elements("linear1.weight.values", "<f4", lambda v: v * np.nan),
            "expected finite float32 values in weight",
        ),
        (put_elements("conv2d1.weight.bits", "u1", lambda b: b * 0), "weight.bits: expected .* places, got|got 0"),
        (put_elements("conv2d1.weight.bits", "u1", lambda b: b | 0x80), "weight.bits: expected"),
        (put_elements("linear2.weight", "<f4", lambda v: v + np.inf), "expected finite float32 values in weight"),
        (put_elements("conv2d1.bias", "<f4", lambda v: v * np.nan), "expected finite float32 values in bias"),
        (put_elements("kwinners1.factor", "<f4", lambda v: -v), "expected positive ranking factors"),
    ],
)
def test_weights(change, message):
    refused(forged(speech_like(), change), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_elements("linear1.weight.scales", "<f4", lambda s: s * 0), "expected positive finite scales"),
        (put_elements("linear1.weight.scales", "<f4", lambda s: -s), "expected positive finite scales"),
        (put_elements("linear1.weight.scales", "<f4", lambda s: s * np.nan), "expected positive finite scales"),
        (
            put_elements("linear2.weight.scales", "<f4", lambda s: s * 0 + 3e38),
            "expected finite float32 values in weight",
        ),
        (put_header("linear2.weight.scales", "shape", [1, 3]), r"scales: expected float32 \(3,\)"),
    ],
)
def test_scales(change, message):
    refused(forged(speech_like(), change, "int8"), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            put_node(STEPS, "settings", "scale", 0),
            "expected a positive scale that float32 can hold and divide by, got 0",
        ),
        (put_node(STEPS, "settings", "scale", -0.5), "expected a positive scale"),
        (put_node(STEPS, "settings", "scale", 1e-300), "expected a positive scale"),
        (put_node(STEPS, "settings", "scale", 1e300), "expected a positive scale"),
        (put_node(STEPS, "settings", "scale", "1"), "expected scale to be a number, got str"),
        (put_node(STEPS, "settings", "zero", 256), "expected zero from 0 to 255, got 256"),
        (put_node(STEPS, "settings", "zero", 0.0), "expected zero to be an integer, got float"),
        (put_node(STEPS, "kind", "Dequantize"), "expected bytes, got float32; is a Quantize"),
        (put_node(WHOLE_CONV, "settings", "shift", 32), "expected shift from 0 to 31, got 32"),
        (put_node(WHOLE_CONV, "settings", "shift", -1), "expected shift from 0 to 31, got -1"),
        (put_node(WHOLE_CONV, "settings", "shift", True), "expected shift to be an integer, got bool"),
        (put_node(WHOLE_CONV, "settings", "zero", -1), "expected zero from 0 to 255, got -1"),
        (put_node(WHOLE_CONV, "vectors", []), "expected the vectors bias, got no bias"),
        (put_node(WHOLE_CONV, "weight", "values", "int8"), "expected values to be one of whole, got 'int8'"),
        (put_node(WHOLE_CONV, "weight", "shape", [4, 9]), r"expected int8 \(4, 9\)"),
        (put_header("quantizedconv2d1.weight", "dtype", "U8"), "expected int8 .* got uint8"),
        (put_header("quantizedconv2d1.bias", "dtype", "F32"), "expected bias as int32 of one axis, got float32"),
        (put_header("quantizedconv2d1.bias", "dtype", "U32"), "expected bias as int32 of one axis, got uint32"),
        (
            put_elements("quantizedconv2d1.bias", "<i4", lambda b: b * 0 - (2**31 - 1)),
            "expected sums of at most 2147483647",
        ),
        (put_node(WHOLE_LINEAR, "vectors", ["bias"]), "expected the vectors bias, scale, got no scale"),
        (put_node(WHOLE_LINEAR, "weight", "values", "float32"), "expected values to be one of whole, got 'float32'"),
        (put_elements("quantizedlinear1.scale", "<f4", lambda s: s * 0), "expected positive scales, got 0.0"),
        (
            put_elements("quantizedlinear1.scale", "<f4", lambda s: s * np.inf),
            "expected finite float32 values in scale",
        ),
        (put_header("quantizedlinear1.scale", "dtype", "I32"), "expected scale as float32 of one axis, got int32"),
        (put_elements("quantizedlinear1.weight.columns", "<u2", lambda c: c + 64), "expected columns below 64"),
    ],
)
def test_quantized_layers(change, message):
    refused(forged(quantized(), change), message)


def test_float_layers_do_not_take_whole_weights():
    refused(
        forged(speech_like(), put_node(DENSE, "weight", "values", "whole")),
        "expected values to be one of float32, float16, int8, got 'whole'",
    )


def test_a_bit_after_the_last_place_is_refused():
    net = masked()  # the second weight has 32 places; shorten it to 31
    data = forged(net, lambda f: put(f.document, "nodes", 1, "weight", "shape", [1, 31]))
    refused(data, "weight.bits: expected zeros after the last of 31 places")


def test_each_byte_that_is_missing_is_noticed():
    data = to_bytes(masked())
    for size in range(len(data)):
        with pytest.raises(ModelFormatError):
            from_bytes(data[:size])


def test_a_small_file_cannot_claim_much_memory():
    def claim(forgery):
        put(forgery.document, "nodes", SPARSE, "weight", "shape", [10, 2**34])

    data = forged(speech_like(), claim)
    tracemalloc.start()
    refused(data, "expected weights of at most 1073741824 bytes in memory")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_the_limit_holds_for_all_weights_together():
    data = to_bytes(speech_like())
    decoded = 4 * (6 * 9 + 10 * 96 + 3 * 10)
    assert len(data) < decoded
    assert len(from_bytes(data, limit_bytes=decoded)) == 7
    with pytest.raises(ModelFormatError, match=f"at most {decoded - 1} bytes in memory, got {decoded}"):
        from_bytes(data, limit_bytes=decoded - 1)


def test_messages_stay_short():
    def name(forgery):
        put(forgery.document, "nodes", POOL, "name", "x" * 10**6)
        put(forgery.document, "nodes", POOL, "kind", "y" * 10**6)

    with pytest.raises(ModelFormatError) as caught:
        from_bytes(forged(speech_like(), name))
    assert len(str(caught.value)) < 500


def test_dump_writes_what_json_reads():
    assert dump(Pairs([("a", [1, None]), ("a", Raw("NaN"))])) == '{"a":[1,null],"a":NaN}'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_document("format", 1), "got missing|got unknown"),
        (put_document("inputs", {}), "expected inputs to be a list"),
        (put_document("inputs", []), "expected 1 to 1000 inputs, got 0"),
        (put_document("inputs", [7]), "input: expected an object"),
        (lambda f: drop(f.document, "inputs", 0, "dtype"), r"input: .*got missing \['dtype'\]"),
        (put_document("inputs", 0, "size", 3), r"input: .*got unknown \['size'\]"),
        (put_document("inputs", 0, "name", 3), "expected inputs with a name of their own, got 3"),
        (put_document("inputs", 0, "name", "ids"), "expected inputs with a name of their own, got 'ids'"),
        (put_document("inputs", 0, "name", "y"), "expected inputs that exist, got 'x'"),
        (put_document("inputs", 0, "name", "dense"), "layer 'dense': expected a name of its own"),
        (put_document("inputs", 0, "name", "a\n"), "expected a printable name"),
        (put_document("inputs", 0, "shape", []), "expected an input shape of 1 to 8 positive sizes"),
        (put_document("inputs", 0, "shape", [True]), "expected the input shape as a tuple of integers"),
        (put_document("inputs", 0, "shape", [6]), r"layer 'sum' \(Add\): expected inputs of one shape"),
        (put_document("inputs", 0, "dtype", 4), "input 'x': expected the name of a dtype, got 4"),
        (put_document("inputs", 0, "dtype", "float64"), "expected an input of float32, int32 or bool, got float64"),
        (put_document("inputs", 0, "dtype", "os.system"), "expected an input of float32, int32 or bool"),
        (put_document("inputs", 0, "dtype", "int32"), r"layer 'sum' \(Add\): expected float32, got int32"),
        (put_document("inputs", 1, "dtype", "float32"), r"layer 'numbers' \(Cast\): expected int32 or bool"),
        (put_document("outputs", "dense"), "expected outputs to be a list"),
        (put_document("outputs", []), "expected at least one output, got none"),
        (put_document("outputs", ["dense"]), "layer 'winners': expected every layer to lead to the output 'dense'"),
        (put_document("outputs", ["dense", "dense"]), "expected outputs that differ, got 'dense' twice"),
        (put_document("outputs", ["dense", "x"]), "expected the output to be one of the layers, got 'x'"),
        (put_document("outputs", ["dense", 3]), "expected the output to be one of the layers, got 3"),
        (put_document("labels", ["a", "b"]), "expected labels only where there is one output, got 2 outputs"),
    ],
)
def test_several_ends(change, message):
    refused(forged(general(), change), message)
