"""Folding batch norms changes neither the function nor the mask."""

import numpy as np
from hypothesis import given
from strategies import inputs, networks

import sparsenet as sn
from sparsenet.layers import BatchNorm


def norm(channels, seed=0, variance=None):
    r = np.random.default_rng(seed)
    return sn.BatchNorm(
        r.normal(size=channels),
        np.full(channels, variance) if variance is not None else r.uniform(0.5, 2, channels),
        r.normal(size=channels),
        r.normal(size=channels),
    )


def count(net):
    return sum(isinstance(node.layer, BatchNorm) for node in net.nodes)


def test_folds_what_follows_weights():
    r = np.random.default_rng(1)
    layers = [
        sn.Conv2d(r.normal(size=(4, 2, 3, 3))),
        norm(4),
        sn.ReLU(),
        sn.Flatten(),
        sn.Linear(r.normal(size=(3, 64))),
    ]
    net = sn.Network.sequential((2, 6, 6), [*layers, norm(3, 2)])
    folded = sn.fold_batchnorm(net)
    assert count(folded) == 0
    assert [node.name for node in folded.nodes] == ["conv2d1", "relu1", "flatten1", "linear1"]
    x = r.normal(size=(3, 2, 6, 6))
    np.testing.assert_allclose(folded.reference(x), net.reference(x), rtol=1e-5, atol=1e-5)


def test_leaves_what_other_layers_read():
    nodes = [
        sn.Node("linear", sn.Linear(np.eye(3)), ("input",)),
        sn.Node("norm", norm(3), ("linear",)),
        sn.Node("sum", sn.Add(), ("linear", "norm")),
    ]
    assert count(sn.fold_batchnorm(sn.Network((3,), nodes, "sum"))) == 1


def test_leaves_what_stands_alone():
    net = sn.Network.sequential((3,), [norm(3), sn.ReLU()])
    assert count(sn.fold_batchnorm(net)) == 1


def test_chains_of_norms_fold():
    net = sn.Network.sequential((3,), [sn.Linear(np.eye(3)), norm(3, 1), norm(3, 2)])
    folded = sn.fold_batchnorm(net)
    assert count(folded) == 0
    x = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(folded.reference(x), net.reference(x), rtol=1e-5, atol=1e-5)


def test_zeros_stay_zeros():
    weight = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]])
    folded = sn.fold_batchnorm(sn.Network.sequential((3,), [sn.Linear(weight), norm(2)]))
    np.testing.assert_array_equal(folded["linear1"].weight != 0, weight != 0)


def test_a_weight_that_has_died_stays_kept():
    dead = sn.BatchNorm([0.0], [1.0], weight=[1e-40])
    folded = sn.fold_batchnorm(sn.Network.sequential((1,), [sn.Linear([[1e-30]]), dead]))
    assert folded["linear1"].weight == 0
    assert folded["linear1"].mask.all()


def test_weights_that_would_lose_their_digits_are_left():
    net = sn.Network.sequential((1,), [sn.Linear([[1e-30]]), norm(1, variance=1e30)])
    assert count(sn.fold_batchnorm(net)) == 1


def test_weights_that_would_overflow_are_left():
    tiny = sn.BatchNorm([0.0], [1e-38], epsilon=0.0)
    net = sn.Network.sequential((1,), [sn.Linear([[1e30]]), tiny])
    assert count(sn.fold_batchnorm(net)) == 1


@given(networks().flatmap(lambda net: inputs(net, batch=2).map(lambda x: (net, x))))
def test_any_network_keeps_its_shapes(drawn):
    net, x = drawn
    folded = sn.fold_batchnorm(net)
    assert folded.output_shape == net.output_shape
    assert folded.reference(x).shape == net.reference(x).shape
    assert count(folded) <= count(net)
