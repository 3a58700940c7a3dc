import dataclasses
import importlib

import numpy as np
import pytest

from sparsenet.bench.peers import PEERS
from sparsenet.bench.peers.in_scipy import load_scipy
from sparsenet.errors import CompileError
from sparsenet.graph.network import INPUT, Network, Node
from sparsenet.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Linear,
    LogSoftmax,
    MaxPool2d,
    ReLU,
    Reshape,
    Softmax,
)
from sparsenet.passes import quantize

in_onnxruntime = importlib.import_module("sparsenet.bench.peers.in_onnxruntime")  # the package has its function

random = np.random.default_rng(7)


def normal(*shape):
    return random.standard_normal(shape).astype(np.float32)


def quarters(*shape):
    """Whole quarters, so that sums are exact in float32 and ties are common."""
    return random.integers(-3, 4, shape).astype(np.float32) / 4


CHAINS = {
    "conv with everything": ((4, 9, 8), [Conv2d(normal(6, 2, 3, 2), normal(6), (2, 1), (1, 0), (1, 2), 2), ReLU()]),
    "conv without bias": ((2, 5, 5), [Conv2d(normal(3, 2, 3, 3))]),
    "pools": ((2, 9, 9), [MaxPool2d(3, 2, 1), AvgPool2d((2, 3), 1, 1)]),
    "global pool": ((3, 4, 5), [GlobalAvgPool2d(), Flatten(), Linear(normal(2, 3), normal(2)), Softmax()]),
    "batch norm": ((3, 2, 2), [BatchNorm(normal(3), normal(3) ** 2, normal(3), normal(3), 0.1)]),
    "plain batch norm": ((3,), [BatchNorm(normal(3), normal(3) ** 2 + 1)]),
    "log softmax of an image": ((3, 2, 2), [LogSoftmax()]),
    "reshape": ((4, 2, 3), [Reshape((-1, 6)), Reshape((24,)), Linear(normal(5, 24))]),
    "winners of channels": ((8, 3, 3), [Conv2d(quarters(8, 8, 1, 1)), KWinners(3, scope="channels")]),
    "winners of all": ((8, 3, 3), [Conv2d(quarters(8, 8, 1, 1)), KWinners(11)]),
    "boosted winners": ((8, 3, 3), [KWinners(3, "channels", np.arange(1, 9)), KWinners(5, "all", np.arange(1, 9))]),
    "no winners": ((4, 2, 2), [KWinners(0)]),
    "boosted winners of all": ((6,), [Linear(quarters(6, 6)), KWinners(2, factor=np.array([4, 2, 1, 1, 2, 4]))]),
}


EXACT_TIES = ("onnxruntime",)
"""Peers that break ties as this package does, so that inputs may hold them."""

NOT_IN_LITERT = {
    "conv with everything": "groups",
    "pools": "padding",
    "global pool": "GlobalAvgPool2d",
    "batch norm": "BatchNorm",
    "plain batch norm": "BatchNorm",
    "log softmax of an image": "",  # is written; LiteRT reduces over the channels too, as they lie last
    "reshape": "Reshape",
    "no winners": "without winners",
}

FLOATS = [peer for peer in PEERS if peer.dtype == "float32"]


def needed(peer):
    for package in peer.packages:
        pytest.importorskip(package.replace("-", "_"), reason="needs the extra bench")


def chain_and_inputs(chain, batch, ties):
    shape, layers = CHAINS[chain]
    return Network.sequential(shape, layers), (quarters if ties else normal)(batch, *shape)


def assert_near(result, expected):
    # sums of at most 64 products of numbers near one: 64 rounding errors of float32, and a few more in the softmax
    atol = 64 * 2 * np.finfo(np.float32).eps * max(1, np.abs(expected).max())
    np.testing.assert_allclose(result, expected, rtol=0, atol=atol)
    assert result.dtype == np.float32


@pytest.mark.parametrize("peer", FLOATS, ids=lambda peer: peer.name)
@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("batch", [1, 5])
def test_a_peer_gives_what_the_network_means(peer, chain, batch):
    needed(peer)
    net, x = chain_and_inputs(chain, batch, peer.name in EXACT_TIES)
    if peer.name == "ai-edge-litert" and NOT_IN_LITERT.get(chain):
        with pytest.raises(CompileError, match=NOT_IN_LITERT[chain]):
            peer.load(peer.prepare(net, x), batch, 1)
        return
    assert_near(peer.load(peer.prepare(net, x), batch, 1)(x), net.reference(x))


@pytest.mark.parametrize("peer", FLOATS, ids=lambda peer: peer.name)
def test_branches(peer):
    needed(peer)
    concat = peer.name != "ai-edge-litert"
    nodes = [Node("a", ReLU(), (INPUT,)), Node("sum", Add(), ("a", INPUT, "a"))]
    nodes += [Node("both", Concat(), ("sum", "a"))] if concat else []
    net = Network((2, 3, 3), nodes, nodes[-1].name)
    x = quarters(3, 2, 3, 3)
    np.testing.assert_array_equal(peer.load(peer.prepare(net, x), 3, 1)(x), net.reference(x))


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.dtype == "int8"], ids=lambda peer: peer.name)
def test_8_bits_are_near(peer):
    needed(peer)
    layers = [Conv2d(normal(8, 2, 3, 3), normal(8)), ReLU(), MaxPool2d(2), Flatten(), Linear(normal(5, 72), normal(5))]
    net = Network.sequential((2, 8, 8), layers)
    x = normal(64, 2, 8, 8)
    expected = net.reference(x[:4])
    result = peer.load(peer.prepare(net, x), 4, 1)(x[:4])
    # three roundings to one of 128 or 256 steps in a row; a wrong scale or zero point would be off by all of it
    np.testing.assert_allclose(result, expected, rtol=0, atol=0.1 * np.abs(expected).max())


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.title)
def test_quantised_networks_are_refused_with_advice(peer):
    needed(peer)
    x = normal(16, 1, 6, 6)
    layers = [Conv2d(normal(4, 1, 3, 3)), ReLU(), Flatten(), Linear(normal(2, 64))]
    net = quantize(Network.sequential((1, 6, 6), layers), x, progress=False)
    with pytest.raises(CompileError, match=r"Quantize|Dequantize"):
        peer.load(peer.prepare(net, x), 1, 1)


def test_scipy_has_one_thread():
    net, _ = chain_and_inputs("conv without bias", 1, False)
    with pytest.raises(CompileError, match="expected 1 thread, got 2"):
        load_scipy(net, 1, 2)


def test_two_threads_give_the_same():
    net, x = chain_and_inputs("conv with everything", 5, True)
    for peer in FLOATS:
        if peer.most_threads is None and peer.missing() is None and peer.name != "ai-edge-litert":
            assert_near(peer.load(peer.prepare(net, x), 5, 2)(x), net.reference(x))


def test_names_of_layers_never_meet_names_of_weights():
    needed(PEERS[0])
    nodes = [Node("weight", Linear(np.eye(2)), (INPUT,)), Node("weight/weight", Linear(np.eye(2)), ("weight",))]
    net = Network((2,), nodes, "weight/weight")
    np.testing.assert_array_equal(in_onnxruntime.in_onnxruntime(net)(quarters(1, 2) * 0 + 1), [[1, 1]])


def test_without_onnxruntime_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(in_onnxruntime, "find_spec", lambda name: None)
    assert not in_onnxruntime.has_onnxruntime()
    with pytest.raises(CompileError, match=r"sparsenet\[bench\]"):
        in_onnxruntime.in_onnxruntime(Network.sequential((2,), [ReLU()]))


def test_a_missing_peer_names_its_pip_line():
    absent = dataclasses.replace(PEERS[0], packages=("onnx", "no-such-engine-of-anyone"))
    assert absent.missing().endswith("no-such-engine-of-anyone")
    assert absent.missing().startswith("pip install ")
    assert dataclasses.replace(PEERS[0], packages=("numpy",)).missing() is None
