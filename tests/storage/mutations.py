"""Change a valid file, mostly so that it stays one: sizes near limits, settings, elements of tensors, JSON, bytes.

Faster than drawing with hypothesis, for millions of files: everything comes from one generator of random numbers.
"""

from copy import deepcopy

import numpy as np
from storage.forgery import Forgery, Pairs, Raw, dump, get, put
from storage.samples import sample_files

import sparsenet.layers as sn
from sparsenet.graph.network import Input, Network
from sparsenet.ops import OPERATIONS
from sparsenet.storage import to_bytes

LIMITS = [2**n + d for n in (4, 6, 8, 15, 16, 24, 28, 30, 31, 32, 62, 63, 64) for d in (-1, 0, 1)]
NUMBERS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 100, 1000, 6000, 16384, -1, -2, *LIMITS]
ODD_NUMBERS = [0.5, 1.0, -1e300, 1e308, 5e-324, 1e-40, 3.5e38, True, None, 10**30]
JUNK = [
    "",
    "input",
    "output",
    "float32",
    "int32",
    "bool",
    "inputs",
    "all",
    "channels",
    "bits",
    "columns",
    "whole",
    "\ud800",
    "\0",
    "x" * 300,
    [],
    [1],
    [2, 2],
]
JUNK += [["input"], [-1, 3], [1] * 9, Pairs(), Pairs([("a", 1)])]
RAWS = [Raw("[" * 3000 + "]" * 3000), Raw("NaN"), Raw("-Infinity"), Raw("1e999"), Raw("-0"), Raw("9" * 5000), Raw("")]
FLOATS = [0.0, -0.0, 1e-45, 1e-38, 1.0, -1.0, 1e30, 3.4028235e38, -3.4028235e38, np.inf, -np.inf, np.nan]
WORDS = {"F32": "<f4", "F16": "<f2", "I8": "|i1", "U8": "|u1", "U16": "<u2", "U32": "<u4", "I32": "<i4"}


def one_of_each_kind():
    """Return a small network for each kind of layer that a file may hold, by kind."""
    image, vector = (2, 4, 4), (6,)
    r = np.random.default_rng(7)

    def weight(*shape):
        return (r.normal(size=shape) * (r.random(shape) < 0.6)).astype(np.float32)

    def whole(*shape):
        return r.integers(-127, 128, shape).astype(np.int8)

    quantized = [sn.Quantize(0.05, 100)]
    chains = {
        "Conv2d": (image, [sn.Conv2d(weight(4, 1, 2, 2), np.ones(4), (1, 2), 1, 2, 2)]),
        "Linear": (vector, [sn.Linear(weight(5, 6), np.ones(5), np.ones((5, 6), bool))]),
        "KWinners": (image, [sn.KWinners(3, factor=np.ones(32)), sn.KWinners(1, scope="channels")]),
        "ReLU": (image, [sn.ReLU()]),
        "LeakyReLU": (image, [sn.LeakyReLU(0.25)]),
        "MaxPool2d": (image, [sn.MaxPool2d((2, 3), (1, 2), (1, 0))]),
        "AvgPool2d": (image, [sn.AvgPool2d(3, 2, 1)]),
        "GlobalAvgPool2d": (image, [sn.GlobalAvgPool2d()]),
        "BatchNorm": (image, [sn.BatchNorm(np.zeros(2), np.ones(2), np.ones(2), np.ones(2))]),
        "LayerNorm": (image, [sn.LayerNorm(np.ones(16), np.zeros(16), axes=2)]),
        "Flatten": (image, [sn.Flatten()]),
        "Reshape": (image, [sn.Reshape((4, -1))]),
        "Softmax": (vector, [sn.Softmax()]),
        "LogSoftmax": (image, [sn.LogSoftmax()]),
        "Quantize": (image, [*quantized, sn.KWinners(1, scope="channels"), sn.Dequantize(0.05, 100)]),
        "QuantizedConv2d": (
            image,
            [*quantized, sn.QuantizedConv2d(whole(3, 2, 2, 2), np.zeros(3, np.int32), 5, 1, 1), sn.Dequantize(0.5)],
        ),
        "QuantizedLinear": (vector, [*quantized, sn.QuantizedLinear(whole(4, 6), np.ones(4), np.ones(4))]),
    }
    made = {kind: Network.sequential(shape, layers) for kind, (shape, layers) in chains.items()}
    made["Cast"] = Network.sequential({"ids": Input(vector, "int32")}, [sn.Cast(), sn.ReLU()])
    skips = {"Add": sn.Add(), "Concat": sn.Concat()}
    made["MatMul"] = joined((2, 3, 3), sn.MatMul())
    return made | {kind: joined(image, layer) for kind, layer in skips.items()} | {"Dequantize": made["Quantize"]}


def joined(shape, layer):
    """Return a network that joins two values of one shape."""
    from sparsenet.graph.network import Node

    return Network(shape, [Node("a", sn.ReLU(), ("input",)), Node("b", layer, ("a", "input"))], "b")


def all_files():
    """Return valid files that hold every kind of layer: small ones, and those of the other tests."""
    nets = one_of_each_kind()
    assert nets.keys() == OPERATIONS.keys(), "expected a network of each kind of layer"
    return [to_bytes(net, weights) for net in nets.values() for weights in ("float32", "int8")] + sample_files()


class Mutator:
    """Makes changed files, one after the other, from a seed."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.files = all_files()
        self.forgeries = [Forgery.of(data) for data in self.files]

    def one_of(self, things):
        return things[int(self.random.integers(len(things)))]

    def next(self):
        """Return the next file."""
        if self.random.random() < 0.15:
            return self._cut(bytearray(self.one_of(self.files)))
        forgery = deepcopy(self.one_of(self.forgeries))
        ways = [self._steer, self._steer, self._steer, self._elements, self._elements, self._window, self._break]
        drawn = [self.one_of(ways) for _ in range(int(self.random.integers(1, 4)))]
        for change in sorted(drawn, key=lambda way: way == self._break):  # what is broken cannot be changed further
            change(forgery)
        return forgery.to_bytes()

    def _number(self):
        """Draw a number near a limit, or any."""
        if self.random.random() < 0.9:
            return self.one_of(NUMBERS)
        return self.one_of(ODD_NUMBERS)

    def _steer(self, forgery):
        """Change one number of the document to one near a limit, or a little."""
        places = [place for place in leaves(forgery.document) if type(get(forgery.document, *place)) in (int, float)]
        place = self.one_of(places)
        old = get(forgery.document, *place)
        nearby = [old + 1, old - 1, old * 2, old * 1000]
        put(forgery.document, *place, self.one_of(nearby) if self.random.random() < 0.4 else self._number())

    def _window(self, forgery):
        """Change how windows lie, consistently along both axes: padding, dilation and stride that may well be legal."""
        nodes = [node for node in get(forgery.document, "nodes") if isinstance(node, Pairs)]
        sliding = [n for n in nodes if isinstance(dict(n).get("settings"), Pairs) and get(n, "settings")]
        if not sliding:
            return
        settings = get(self.one_of(sliding), "settings")
        name = self.one_of([key for key, _ in settings])
        number = self.one_of([0, 1, 2, 3, 5, 16, 100, 1000, 5000, 16000, 2**28])
        put(settings, name, number if self.random.random() < 0.5 else [number, self.one_of([0, 1, 2, 3])])

    def _elements(self, forgery):
        """Change elements of a tensor to what its type can hold at most, to no number, or to anything."""
        entries = [dict(entry) for _, entry in forgery.header if isinstance(entry, Pairs)]
        entries = [entry for entry in entries if set(entry) == {"dtype", "shape", "data_offsets"}]
        if not entries:
            return
        entry = self.one_of(entries)
        begin, end = entry["data_offsets"]
        elements = np.frombuffer(forgery.body, np.uint8)[begin:end].view(WORDS[entry["dtype"]])
        if not elements.size:
            return
        places = self.random.integers(elements.size, size=int(self.one_of([1, 1, 3, elements.size])))
        if elements.dtype.kind == "f":
            with np.errstate(over="ignore"):
                elements[places] = self.one_of(FLOATS)
        else:
            limits = np.iinfo(elements.dtype)
            elements[places] = self.one_of([0, 1, limits.min, limits.max, limits.max // 2 + 1])

    def _break(self, forgery):
        """Change the structure of the header or the document."""
        root = forgery.header if self.random.random() < 0.4 else forgery.document
        container = self.one_of([found for found in containers(root) if found] or [root])
        if not container:
            return
        one, other = (int(self.random.integers(len(container))) for _ in range(2))
        way = self.one_of(["replace", "replace", "delete", "twice", "swap", "rename"])
        if way == "replace":
            new = deepcopy(self.one_of([self._number(), self.one_of(JUNK), self.one_of(RAWS)]))
            container[one] = (container[one][0], new) if isinstance(container, Pairs) else new
        elif way == "delete":
            del container[one]
        elif way == "twice":
            container.insert(other, deepcopy(container[one]))
        elif way == "swap":
            container[one], container[other] = container[other], container[one]
        elif isinstance(container, Pairs):
            container[one] = (self.one_of(["", "bias", "weight", "shape", "kernel", "__metadata__"]), container[one][1])

    def _cut(self, data):
        """Flip, delete, insert, repeat or truncate bytes."""
        for _ in range(int(self.random.integers(1, 4))):
            place = int(self.random.integers(min(len(data), 3000) if self.random.random() < 0.8 else len(data)) or 0)
            length = int(self.random.integers(1, 9))
            way = self.one_of(["flip", "flip", "delete", "insert", "repeat", "truncate"])
            if way == "flip":
                data[place] ^= 1 << int(self.random.integers(8))
            elif way == "delete":
                del data[place : place + length]
            elif way == "insert":
                data[place:place] = self.random.bytes(length)
            elif way == "repeat":
                data[place:place] = data[place : place + length]
            else:
                del data[place + 1 :]
            if not data:
                break
        return bytes(data)


def containers(value):
    """List every object and array in a piece of JSON."""
    if not isinstance(value, list):
        return []
    inner = [pair[1] for pair in value] if isinstance(value, Pairs) else value
    return [value, *(found for one in inner for found in containers(one))]


def leaves(value, before=()):
    """List the paths to everything that is neither an object nor an array."""
    if isinstance(value, Pairs):
        return [path for key, inner in value for path in leaves(inner, (*before, key))]
    if isinstance(value, list):
        return [path for place, inner in enumerate(value) for path in leaves(inner, (*before, place))]
    return [before]


__all__ = ["Mutator", "all_files", "dump", "one_of_each_kind"]
