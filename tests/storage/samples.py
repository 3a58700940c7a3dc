"""Small networks that between them use every kind of layer and every encoding."""

import numpy as np

import sparsenet.layers as sn
from sparsenet.graph.network import INPUT, Input, Network, Node
from sparsenet.storage import to_bytes


def sparse(shape, density, seed=0):
    r = np.random.default_rng(seed)
    return (r.normal(size=shape) * (r.random(shape) < density)).astype(np.float32)


def speech_like():
    """A convolution stored by bits, a matrix stored by columns, and a dense one."""
    layers = [
        sn.Conv2d(sparse((6, 1, 3, 3), 0.5), np.arange(6)),
        sn.MaxPool2d(2),
        sn.KWinners(2, scope="channels", factor=np.linspace(0.5, 1, 6)),
        sn.Flatten(),
        sn.Linear(sparse((10, 96), 0.03), np.ones(10)),
        sn.KWinners(3),
        sn.Linear(sparse((3, 10), 1.0), None),
    ]
    return Network.sequential((1, 10, 10), layers, ["one", "two", "three"], {"title": "A sample", "scores": [1, 0.5]})


def branched():
    """Every other kind of layer, with a skip connection."""
    c = 4
    nodes = [
        Node("norm", sn.BatchNorm(np.zeros(c), np.ones(c), np.ones(c), None, 1e-3), (INPUT,)),
        Node("relu", sn.ReLU(), ("norm",)),
        Node("conv", sn.Conv2d(sparse((c, 1, 3, 3), 0.4), padding=1, groups=c), ("relu",)),
        Node("add", sn.Add(), ("conv", INPUT)),
        Node("join", sn.Concat(), ("add", "relu", INPUT)),
        Node("mean", sn.AvgPool2d((2, 1), padding=(1, 0)), ("join",)),
        Node("log", sn.LogSoftmax(), ("mean",)),
        Node("global", sn.GlobalAvgPool2d(), ("log",)),
        Node("shape", sn.Reshape((-1,)), ("global",)),
        Node("out", sn.Softmax(), ("shape",)),
    ]
    return Network((c, 4, 4), nodes, "out")


def masked():
    """Masks that keep zeros: by columns, by bits, and of everything."""
    weight = sparse((8, 64), 0.04, seed=1)
    mask = weight != 0
    mask[0, :3] = True
    dense = sparse((4, 8), 0.9, seed=2)
    dense[0, 0] = 0
    layers = [
        sn.Linear(weight, mask=mask),
        sn.Linear(dense, mask=np.arange(32).reshape(4, 8) > 0),
        sn.Linear(sparse((2, 4), 0.9, seed=3), mask=np.ones((2, 4), bool)),
    ]
    return Network.sequential((64,), layers)


def quantized():
    """Layers on bytes: int8 weights by columns, by bits and whole, with and without a mask."""
    r = np.random.default_rng(3)
    kept = r.random((70, 64)) < 0.015
    layers = [
        sn.Quantize(1 / 127, 128),
        sn.QuantizedConv2d(r.integers(-127, 128, (4, 1, 3, 3)), r.integers(-999, 999, 4), 7, padding=1, zero=128),
        sn.MaxPool2d(2),
        sn.KWinners(2, scope="channels"),
        sn.Flatten(),
        sn.QuantizedLinear(r.integers(0, 128, (70, 64)) * kept, r.normal(size=70), r.uniform(0.1, 1, 70), kept),
        sn.Quantize(0.5),
        sn.QuantizedLinear(r.integers(-128, 128, (3, 70)) * (r.random((3, 70)) < 0.3), np.zeros(3), np.ones(3)),
    ]
    return Network.sequential((1, 8, 8), layers)


def general():
    """Three inputs, one of each dtype, and two outputs."""
    nodes = [
        Node("numbers", sn.Cast(), ("ids",)),
        Node("shares", sn.Cast(), ("mask",)),
        Node("sum", sn.Add(), ("x", "numbers", "shares")),
        Node("dense", sn.Linear(sparse((3, 5), 0.5), np.ones(3)), ("sum",)),
        Node("winners", sn.KWinners(2), ("sum",)),
    ]
    inputs = {"x": Input((5,)), "ids": Input((5,), "int32"), "mask": Input((5,), "bool")}
    return Network(inputs, nodes, ("winners", "dense"), (), {"title": "Several ends"})


def wide():
    """More columns than 16 bits can count."""
    weight = np.zeros((2, 2**16 + 5), np.float32)
    weight[0, 7] = weight[1, 2**16 + 1] = 1.5
    return Network.sequential((2**16 + 5,), [sn.Linear(weight)])


def sample_files():
    """Return the samples as files, in every way to store weights."""
    nets = [speech_like(), branched(), masked(), quantized(), general(), wide()]
    return [to_bytes(net, weights) for net in nets for weights in ("float32", "float16", "int8")]
