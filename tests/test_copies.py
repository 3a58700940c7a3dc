"""Copies of layers, formats, networks and engines: checked as the first, and as read-only."""

import copy
import dataclasses
import pickle
import weakref

import numpy as np
import pytest

import sparsenet as sn
from sparsenet import packing
from sparsenet.graph.network import Node
from sparsenet.layers import LAYERS
from sparsenet_kernels import formats

RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.standard_normal((16, 32)).astype(np.float32) * (RANDOM.random((16, 32)) < 0.3)
MASK = WEIGHT != 0
WHOLE = RANDOM.integers(-9, 9, (16, 32)).astype(np.int8)
SUMS = np.ones(16, np.int32)

ARGUMENTS = {
    "Conv2d": (np.ones((2, 2, 3, 3)), np.ones(2), 1, 0, 1, 1, np.ones((2, 2, 3, 3), bool)),
    "Linear": (WEIGHT, np.ones(16), MASK),
    "KWinners": (2, "all", np.ones(8)),
    "MaxPool2d": (2,),
    "AvgPool2d": (2,),
    "BatchNorm": (np.ones(4), np.ones(4), np.ones(4), np.ones(4)),
    "Reshape": ((2, 4),),
    "Quantize": (0.5, 3),
    "Dequantize": (0.5, 3),
    "QuantizedConv2d": (np.ones((2, 2, 3, 3), np.int8), np.ones(2, np.int32)),
    "QuantizedLinear": (WHOLE, SUMS),
}
"""What makes a layer of each kind that needs arguments; a kind that is new fails below until it has a line here."""


def layer(kind):
    given = ARGUMENTS.get(kind.__name__, ())
    needed = [field for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
    rest = {
        field.name: {"multiplier": np.ones(2 if "Conv2d" in kind.__name__ else 16, np.int32), "shift": 3}.get(
            field.name, np.ones(2 if "Conv2d" in kind.__name__ else 16, np.float32)
        )
        for field in needed[len(given) :]
    }
    return kind(*given, **rest)


def again(thing):
    """Copy in every way that there is."""
    yield "copy", copy.copy(thing)
    yield "deepcopy", copy.deepcopy(thing)
    yield from ((f"pickle {n}", pickle.loads(pickle.dumps(thing, n))) for n in range(2, pickle.HIGHEST_PROTOCOL + 1))
    if dataclasses.is_dataclass(thing) and all(field.init for field in dataclasses.fields(thing)):
        yield "replace", dataclasses.replace(thing)


def arrays(thing):
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        if isinstance(value, np.ndarray):
            yield field.name, value


def assert_like(first, second):
    assert type(first) is type(second)
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))
    for name, array in arrays(second):
        assert not array.flags.writeable, name


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_copies_of_layers_are_read_only(kind):
    first = layer(kind)
    for _, second in again(first):
        assert_like(first, second)


def test_a_changed_pickle_is_checked():
    data = pickle.dumps(sn.Linear(np.full((1, 1), 7, np.float32)))
    changed = data.replace(np.float32(7).tobytes(), np.float32(np.nan).tobytes())
    assert changed != data
    with pytest.raises(sn.GraphError, match="finite"):
        pickle.loads(changed)


PACKED = {
    "csr": lambda: formats.pack_csr(WEIGHT),
    "csc": lambda: formats.pack_csc(WEIGHT),
    "complementary": lambda: formats.pack_complementary(WEIGHT, np.arange(16, dtype=np.int32), MASK),
    "mask": lambda: packing.uniform((16, 32), 0.25),
    "packing": lambda: packing.pack(packing.uniform((16, 32), 0.05)),
}


@pytest.mark.parametrize("name", PACKED)
def test_copies_of_packed_weights_are_read_only(name):
    first = PACKED[name]()
    for _, second in again(first):
        assert_like(first, second)


def test_copies_of_networks_and_nodes_are_read_only():
    net = sn.Network.sequential((32,), [sn.Linear(WEIGHT, mask=MASK), sn.KWinners(3)])
    for _, second in [*again(net), *again(net.nodes[0])]:
        node = second if isinstance(second, Node) else second.nodes[0]
        assert_like(net.nodes[0].layer, node.layer)


def test_everything_can_be_referred_to_weakly():
    net = sn.Network.sequential((32,), [sn.Linear(WEIGHT)])
    engine = sn.compile(net, planner="predict", threads=1)
    for thing in (net, net.nodes[0], net.nodes[0].layer, engine, engine.plan[0], engine.program):
        assert weakref.ref(thing)() is thing
