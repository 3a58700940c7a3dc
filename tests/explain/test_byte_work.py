"""What byte kernels multiply: all that their vectors and tiles hold, for the groups of inputs that they visit."""

import numpy as np
import pytest

import sparsenet
from sparsenet.explain.profile import profile
from sparsenet.graph.network import Network
from sparsenet.layers import Quantize, QuantizedLinear

random = np.random.default_rng(7)
INPUTS, OUTPUTS = 128, 32


def profiled(net, kernel, x):
    engine = sparsenet.compile(net, batch=1, threads=1, kernels={net.nodes[-1].name: kernel}, progress=False)
    return next(step for step in profile(engine, x, rounds=2).steps if step.kernel == kernel)


@pytest.fixture(scope="module")
def net():
    kept = random.random((OUTPUTS, INPUTS)) < 0.1
    weight = np.where(kept, random.integers(1, 100, (OUTPUTS, INPUTS)), 0).astype(np.int8)
    last = QuantizedLinear(weight, np.zeros(OUTPUTS), np.full(OUTPUTS, 0.5))
    return Network.sequential((INPUTS,), [Quantize(1.0, 0), last])


def some_active(*places):
    x = np.zeros((3, INPUTS))
    x[:, places] = 9.0
    return x


def test_dense_vectors_multiply_everything(net):
    step = profiled(net, "linear_i8_dense_dense", some_active(3))
    assert step.multiplications == INPUTS * OUTPUTS
    assert (step.unit, step.active) == ("bytes", None)
    assert step.bound in ("arithmetic", "L1 bytes", "L2 bytes", "call overhead")  # whatever the core is like


def test_lookups_multiply_what_their_groups_hold(net):
    step = profiled(net, "linear_i8_lookup_dense", some_active(3))
    assert np.count_nonzero(net.nodes[-1].layer.weight) <= step.multiplications <= INPUTS * OUTPUTS
    assert step.multiplications % 64 == 0


@pytest.mark.parametrize(
    ("places", "groups"), [((), 0), ((0,), 1), ((0, 1, 2, 64), 2), (range(0, INPUTS, 16), 8), (range(INPUTS), 32)]
)
def test_blocks_multiply_for_the_groups_with_an_active_input(net, places, groups):
    step = profiled(net, "linear_i8_blocks_active", some_active(*places))
    everything = profiled(net, "linear_i8_blocks_active", some_active(*range(INPUTS)))
    assert step.active == groups * 4 / INPUTS
    assert step.multiplications == round(everything.multiplications * step.active)
    assert step.weight_bytes <= everything.weight_bytes
