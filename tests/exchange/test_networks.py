"""Whole random networks, written as torch modules and imported again, are the networks they were."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from same_network import assert_same_layer
from strategies import inputs, networks
from torch_parity import answer

import sparsenet as sn
from sparsenet.graph.network import INPUT
from sparsenet.ops.kwinners import factor_per_element

torch = pytest.importorskip("torch", reason="needs the extra train")
nn = torch.nn


def tensor(array):
    return None if array is None else torch.from_numpy(array.copy())


class KWinners(nn.Module):
    """A stand-in for this package's module, with any ranking factor."""

    def __init__(self, layer, shape):
        super().__init__()
        self.k, self.scope, self.shape = layer.k, layer.scope, shape
        self.boost_strength = 0.0 if layer.factor is None else 1.0
        factor = factor_per_element(layer, shape) if layer.scope == "all" else layer.factor
        self.duty_cycle = None if factor is None else -torch.log(tensor(factor))
        self.layer = layer

    def forward(self, x):
        return torch.from_numpy(sn.Network.sequential(self.shape, [self.layer]).reference(x.numpy())).to(x.dtype)


class Joins(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.adds, self.multiplies = isinstance(layer, sn.Add), isinstance(layer, sn.MatMul)

    def forward(self, *values):
        if self.multiplies:
            return torch.matmul(*values)
        return sum(values[1:], values[0]) if self.adds else torch.cat(values, 1)


class BatchNorm(nn.Module):
    """Batch norm for samples of any shape."""

    def __init__(self, layer):
        super().__init__()
        for name in ("mean", "variance", "weight", "bias"):
            self.register_buffer(name, tensor(getattr(layer, name)))
        self.epsilon = layer.epsilon

    def forward(self, x):
        return nn.functional.batch_norm(x, self.mean, self.variance, self.weight, self.bias, eps=self.epsilon)


class LayerNorm(nn.Module):
    """Layer norm by the function, which takes any weights or none."""

    def __init__(self, layer, shape):
        super().__init__()
        self.rows, self.epsilon = shape[-layer.axes :], layer.epsilon
        for name in ("weight", "bias"):
            values = getattr(layer, name)
            self.register_buffer(name, None if values is None else tensor(values).reshape(self.rows))

    def forward(self, x):
        return nn.functional.layer_norm(x, self.rows, self.weight, self.bias, self.epsilon)


class Shaped(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape(len(x), *self.shape)


def with_weights(module, layer):
    module.weight.data = tensor(layer.weight)
    if layer.bias is not None:
        module.bias.data = tensor(layer.bias)
    if layer.mask is not None:
        module.register_buffer("mask", tensor(layer.mask))
    return module


def module_of(layer, shape, out_shape):
    """Write a layer as the torch module that one would use for it."""
    if isinstance(layer, sn.Conv2d):
        settings = layer.weight.shape[2:], layer.stride, layer.padding, layer.dilation, layer.groups
        return with_weights(nn.Conv2d(shape[0], out_shape[0], *settings, layer.bias is not None), layer)
    if isinstance(layer, sn.Linear):
        return with_weights(nn.Linear(*shape, *out_shape, layer.bias is not None), layer)
    if isinstance(layer, sn.MaxPool2d | sn.AvgPool2d):
        return getattr(nn, type(layer).__name__)(layer.kernel, layer.stride, layer.padding)
    if isinstance(layer, sn.Flatten | sn.Reshape):
        return Shaped(out_shape)
    if isinstance(layer, sn.KWinners):
        return KWinners(layer, shape)
    if isinstance(layer, sn.LayerNorm):
        return LayerNorm(layer, shape)
    if isinstance(layer, sn.LeakyReLU):
        return nn.LeakyReLU(layer.slope)
    simple = {sn.ReLU: nn.ReLU, sn.Softmax: lambda: nn.Softmax(1), sn.LogSoftmax: lambda: nn.LogSoftmax(1)}
    others = {sn.GlobalAvgPool2d: lambda: nn.AdaptiveAvgPool2d(1), sn.BatchNorm: lambda: BatchNorm(layer)}
    return {**simple, **others}.get(type(layer), lambda: Joins(layer))()


class Graph(nn.Module):
    """A network as a module, node by node."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.parts = nn.ModuleList(
            module_of(node.layer, net.shapes[node.inputs[0]], net.shapes[node.name]) for node in net.nodes
        )

    def forward(self, x):
        values = {INPUT: x}
        for node, part in zip(self.net.nodes, self.parts, strict=True):
            values[node.name] = part(*(values[source] for source in node.inputs))
        return values[self.net.output]


def does_nothing(net, node):
    return isinstance(node.layer, sn.Flatten | sn.Reshape) and net.shapes[node.inputs[0]] == net.shapes[node.name]


@given(networks(), st.data())
def test_random_networks_come_back(net, data):
    """Layers come back one by one: but for reshaping to the same shape, and sums of three, which torch does in two."""
    assume(not all(does_nothing(net, node) for node in net.nodes))
    module = Graph(net)
    again = sn.from_torch(module, torch.zeros(1, *net.input_shape))
    for index, node in enumerate(net.nodes):
        if not does_nothing(net, node) and not (isinstance(node.layer, sn.Add) and len(node.inputs) > 2):
            assert_same_part(node.layer, again[f"parts.{index}"])
    x = data.draw(inputs(net))
    np.testing.assert_allclose(again.reference(x), net.reference(x), rtol=1e-12, atol=1e-12)


def assert_same_part(one, other):
    """Compare layers: factors went through a logarithm, and flattening may be written as reshaping."""
    if isinstance(one, sn.Flatten | sn.Reshape):
        assert isinstance(other, sn.Flatten | sn.Reshape)
    elif isinstance(one, sn.KWinners):
        assert (other.k, other.scope) == (one.k, one.scope)
    else:
        assert_same_layer(one, other)


@given(networks(max_layers=4), st.data())
def test_random_networks_answer_as_torch_does(net, data):
    """Without k-winners, of which these modules have the package's own meaning, in float64: the sums are small."""
    assume(not any(isinstance(node.layer, sn.KWinners) for node in net.nodes))
    assume(not all(does_nothing(net, node) for node in net.nodes))
    x = data.draw(inputs(net))
    again = sn.from_torch(Graph(net), torch.zeros(1, *net.input_shape))
    if len(x):
        np.testing.assert_allclose(again.reference(x), answer(Graph(net), x), rtol=1e-9, atol=1e-9)
