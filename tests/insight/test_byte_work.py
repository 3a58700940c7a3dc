"""What byte kernels multiply: all that their vectors and tiles hold, for the groups of inputs that they visit."""

import numpy as np
import pytest

import sparsenet
from sparsenet.insight.profile import profile
from sparsenet.layers import KWinners, Linear, ReLU
from sparsenet.network import Network

random = np.random.default_rng(7)
INPUTS, OUTPUTS = 128, 32


def rounded(layers):
    net = Network.sequential((INPUTS,), layers)
    return sparsenet.quantize(net, random.uniform(0, 1, (16, INPUTS)))


def profiled(net, layer, kernel, x):
    engine = sparsenet.compile(net, batch=1, threads=1, kernels={layer: kernel}, progress=False)
    return next(step for step in profile(engine, x, rounds=2).steps if step.kernel == kernel)


@pytest.fixture(scope="module")
def net():
    weight = np.where(random.random((OUTPUTS, INPUTS)) < 0.1, random.standard_normal((OUTPUTS, INPUTS)), 0)
    return rounded([ReLU(), KWinners(8), Linear(weight), ReLU(), Linear(random.standard_normal((4, OUTPUTS)))])


def test_dense_vectors_multiply_everything(net):
    step = profiled(net, "linear1", "linear_i8_dense_dense", random.uniform(0, 1, (4, INPUTS)))
    assert step.multiplications == INPUTS * OUTPUTS
    assert (step.unit, step.active) == ("bytes", None)
    assert step.bound in ("arithmetic", "reading")


def test_lookups_multiply_what_their_groups_hold(net):
    step = profiled(net, "linear1", "linear_i8_lookup_dense", random.uniform(0, 1, (4, INPUTS)))
    kept = np.count_nonzero(net["linear1"].weight)
    assert kept <= step.multiplications <= INPUTS * OUTPUTS
    assert step.multiplications % 64 == 0


def test_blocks_multiply_for_the_groups_with_an_active_input(net):
    x = np.zeros((1, INPUTS))
    x[0, [0, 1, 2, 64]] = 1.0  # of 8 winners 4 are zero: two groups of four are visited
    step = profiled(net, "linear1", "linear_i8_blocks_active", x)
    assert step.active == pytest.approx(2 * 4 / INPUTS)
    everything = profiled(net, "linear1", "linear_i8_blocks_active", np.ones((1, INPUTS)))
    assert everything.active == pytest.approx(2 * 4 / INPUTS)  # ties: the eight lowest win
    spread = np.zeros((1, INPUTS))
    spread[0, ::16] = 1.0
    assert profiled(net, "linear1", "linear_i8_blocks_active", spread).active == pytest.approx(8 * 4 / INPUTS)
