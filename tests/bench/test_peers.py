import numpy as np
import pytest

from sparsenet.bench import peers
from sparsenet.errors import CompileError
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
from sparsenet.network import INPUT, Network, Node

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


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("batch", [1, 5])
def test_onnxruntime_gives_what_the_network_means(chain, batch):
    pytest.importorskip("onnx", reason="needs the extra bench")
    pytest.importorskip("onnxruntime", reason="needs the extra bench")
    shape, layers = CHAINS[chain]
    net = Network.sequential(shape, layers)
    x = quarters(batch, *shape)
    expected = net.reference(x)
    result = peers.in_onnxruntime(net)(x)
    assert result.dtype == np.float32
    # sums of at most 64 products of numbers near one: 64 rounding errors of float32, and a few more in the softmax
    np.testing.assert_allclose(
        result, expected, rtol=0, atol=64 * 2 * np.finfo(np.float32).eps * max(1, np.abs(expected).max())
    )


def test_branches():
    pytest.importorskip("onnx", reason="needs the extra bench")
    pytest.importorskip("onnxruntime", reason="needs the extra bench")
    nodes = [
        Node("a", ReLU(), (INPUT,)),
        Node("sum", Add(), ("a", INPUT, "a")),
        Node("both", Concat(), ("sum", "a")),
    ]
    net = Network((2, 3, 3), nodes, "both")
    x = quarters(3, 2, 3, 3)
    np.testing.assert_array_equal(peers.in_onnxruntime(net)(x), net.reference(x))


def test_names_of_layers_never_meet_names_of_weights():
    pytest.importorskip("onnx", reason="needs the extra bench")
    pytest.importorskip("onnxruntime", reason="needs the extra bench")
    nodes = [Node("weight", Linear(np.eye(2)), (INPUT,)), Node("weight/weight", Linear(np.eye(2)), ("weight",))]
    net = Network((2,), nodes, "weight/weight")
    np.testing.assert_array_equal(peers.in_onnxruntime(net)(quarters(1, 2) * 0 + 1), [[1, 1]])


def test_without_onnxruntime_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert not peers.has_onnxruntime()
    with pytest.raises(CompileError, match=r"sparsenet\[bench\]"):
        peers.in_onnxruntime(Network.sequential((2,), [ReLU()]))
