"""A convolution and the 2 x 2 pooling behind it: which kernels compute both, and that all of them agree."""

import numpy as np
import pytest

import sparsenet as sn
from sparsenet.graph.network import Node
from sparsenet_kernels.registry import kernels

KERNELS = sorted(name for name in kernels() if name.startswith(("conv2d_f32", "conv2d_pool2_f32")))


def whole_numbers(rng, *shape):
    return rng.integers(-3, 4, shape).astype(np.float32)


def pooled_network(size, pool, stride=1, padding=0, k=0):
    """Make a network of whole numbers, so that every order of adding gives the same."""
    rng = np.random.default_rng(sum(size))
    weight = whole_numbers(rng, 34, 6, 3, 2) * (rng.random((34, 6, 3, 2)) < 0.4)
    conv = sn.Conv2d(weight, whole_numbers(rng, 34), stride=stride, padding=padding)
    winners = [sn.KWinners(k, scope="channels")] if k else []
    return sn.Network.sequential((6, *size), [*winners, conv, pool])


def steps_of(engine):
    return [kernel.name for kernel in engine.program.kernels]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    ("size", "stride", "padding", "k"), [((9, 8), 1, 0, 0), ((8, 9), 1, (2, 1), 2), ((12, 11), 2, 1, 3)]
)
def test_every_kernel_agrees(name, size, stride, padding, k):
    net = pooled_network(size, sn.MaxPool2d(2), stride, padding, k)
    x = whole_numbers(np.random.default_rng(1), 3, *net.input_shape)
    chosen = {next(node.name for node in net.nodes if isinstance(node.layer, sn.Conv2d)): name}
    engine = sn.compile(net, batch=3, kernels=chosen, progress=False)
    np.testing.assert_array_equal(engine(x), net.reference(x).astype(np.float32))
    assert engine.kernels == chosen
    assert ("max_pool2d_f32" in steps_of(engine)) == ("pool2" not in name)


@pytest.mark.parametrize(
    "pool", [sn.MaxPool2d(3), sn.MaxPool2d(2, stride=1), sn.AvgPool2d(2), sn.MaxPool2d(2, padding=1)]
)
def test_other_poolings_are_steps_of_their_own(pool):
    net = pooled_network((8, 8), pool)
    engine = sn.compile(net, planner="predict", progress=False)
    assert not any("pool2_" in name for name in steps_of(engine)[:-1])
    x = whole_numbers(np.random.default_rng(1), 1, *net.input_shape)
    np.testing.assert_allclose(engine(x), net.reference(x), rtol=1e-6)  # means of whole numbers round once


def test_a_convolution_that_others_read_is_not_pooled_at_once():
    weight = np.ones((6, 6, 1, 1), np.float32)
    nodes = [
        Node("conv", sn.Conv2d(weight), ("input",)),
        Node("pool", sn.MaxPool2d(2), ("conv",)),
        Node("again", sn.MaxPool2d(2), ("conv",)),
        Node("sum", sn.Add(), ("pool", "again")),
    ]
    net = sn.Network((6, 4, 4), nodes, "sum")
    engine = sn.compile(net, planner="predict", progress=False)
    assert steps_of(engine).count("max_pool2d_f32") == 2
    x = whole_numbers(np.random.default_rng(1), 1, 6, 4, 4)
    np.testing.assert_array_equal(engine(x), net.reference(x).astype(np.float32))


def test_kernels_that_pool_need_a_pooling():
    net = sn.Network.sequential((1, 4, 4), [sn.Conv2d(np.ones((2, 1, 1, 1), np.float32))])
    with pytest.raises(sn.CompileError, match="expected one of conv2d_f32"):
        sn.compile(net, kernels={"conv2d1": "conv2d_pool2_f32_csr_dense"})


def test_the_dense_kernel_is_always_tried_and_what_is_chosen_is_named():
    engine = sn.compile(pooled_network((9, 8), sn.MaxPool2d(2)), progress=False)
    (choice,) = engine.plan
    assert "conv2d_pool2_f32_dense_dense" in choice.measured_us
    assert choice.format == kernels()[choice.kernel].weights
