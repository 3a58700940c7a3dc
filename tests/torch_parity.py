"""Comparing a torch module with the network made from it.

Both are computed in float64 from the same float32 weights, so that they may differ by float64's rounding only: sums of
some thousand terms, a few layers deep, stay far below 1e-11 of the largest value, and a wrong layer does not. Where
k-winners choose, values drawn from a continuous distribution lie further apart than that.
"""

import copy

import numpy as np

import sparsenet as sn

ROUNDING = 1e-11


def samples(shape, batch=3, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, *shape)).astype(np.float32)


def imported(module, shape, **settings):
    """Import a module with an example of zeros: values must not matter."""
    import torch

    return sn.from_torch(module, torch.zeros(1, *shape), **settings)


def answer(module, x, dtype="float64"):
    """Let a copy of a module answer in evaluation mode, in float64 or float32."""
    import torch

    made = copy.deepcopy(module).eval().to(getattr(torch, dtype))
    with torch.no_grad():
        return made(torch.from_numpy(np.array(x, dtype))).numpy()


def assert_same_meaning(module, shape, batch=3, seed=0, rounding=ROUNDING):
    """Import a module, compare what it means with the module's own answers, and return the network."""
    net, x = imported(module, shape), samples(shape, batch, seed)
    expected = answer(module, x)
    assert expected.shape == (batch, *net.output_shape)
    np.testing.assert_allclose(
        net.reference(x), expected, rtol=rounding, atol=rounding * max(1.0, np.abs(expected).max())
    )
    return net


def layers(net):
    return [type(node.layer).__name__ for node in net.nodes]


def names(net):
    return [node.name for node in net.nodes]


def notes(net):
    return [(note["layer"], note["note"]) for note in net.details["import"]]
