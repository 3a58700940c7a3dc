"""Kernels that were registered elsewhere: the planner measures them, and runs them only where they fit."""

import numpy as np
import pytest
from numba import config

import sparsenet as sn
from sparsenet.bench.layer_shapes import LayerShape
from sparsenet.bench.layers import sweep_layers
from sparsenet.bench.tables import own_table
from sparsenet.errors import CompileError
from sparsenet_kernels.registry import kernel, registered_temporarily

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="compiles networks")

CSC = "columns i32[B, K]; values f32[B, K]; indptr i32[D1]; rows i32[Z]; weights f32[Z]; bias f32[N]; out f32[B, N]"
NAME = "linear_f32_csc_active__mine"


@pytest.fixture(autouse=True)
def _registry_as_it_was():
    with registered_temporarily():
        yield


def register_mine(features=(), variant="mine"):
    @kernel("linear", weights="csc", inputs="active", variant=variant, features=features, arguments=CSC)
    def mine(columns, values, indptr, rows, weights, bias, out):
        for b in range(columns.shape[0]):
            for n in range(out.shape[1]):
                out[b, n] = bias[n]
            for j in range(columns.shape[1]):
                if columns[b, j] < 0:
                    break
                for z in range(indptr[columns[b, j]], indptr[columns[b, j] + 1]):
                    out[b, rows[z]] += values[b, j] * weights[z]


def register_misfits():
    @kernel("linear", weights="csc", inputs="active", variant="misfit", arguments="x f32[B, D]; out f32[B, N]")
    def misfit(x, out):
        out[:] = 0

    @kernel("linear", weights="runs", inputs="active", variant="misfit", arguments="x f32[B, D]; out f32[B, N]")
    def runs(x, out):
        out[:] = 0


def sparse_layer():
    random = np.random.default_rng(0)
    weight = np.where(random.random((48, 64)) < 0.1, random.standard_normal((48, 64)), 0)
    return sn.Network.sequential((64,), [sn.KWinners(6), sn.Linear(weight, random.standard_normal(48))])


def test_a_kernel_of_ones_own_is_measured_beside_the_others():
    register_mine()
    choice = sn.compile(sparse_layer(), progress=False).plan[0]
    assert NAME in choice.measured_us
    assert choice.predicted_us[NAME] == choice.predicted_us["linear_f32_csc_active"]


def test_it_is_never_predicted_to_be_best():
    register_mine()
    assert not sn.compile(sparse_layer(), planner="predict").plan[0].kernel.endswith("__mine")


def test_it_can_be_asked_for_and_computes_what_the_network_means():
    register_mine()
    net = sparse_layer()
    engine = sn.compile(net, kernels={"linear1": NAME})
    assert engine.kernels == {"linear1": NAME}
    x = np.random.default_rng(1).standard_normal((1, 64)).astype(np.float32)
    np.testing.assert_allclose(engine(x), net.reference(x), rtol=0, atol=1e-5)  # six products of numbers below 5


def test_kernels_that_do_not_fit_are_never_tried():
    register_misfits()
    assert not any("misfit" in name for name in sn.compile(sparse_layer()).plan[0].measured_us)


def test_a_kernel_with_other_arguments_cannot_be_asked_for():
    register_misfits()
    with pytest.raises(
        CompileError, match=r"to take the arguments of linear_f32_csc_active, columns i32\[B, K\]; .*got x"
    ):
        sn.compile(sparse_layer(), kernels={"linear1": "linear_f32_csc_active__misfit"})


def test_a_kernel_for_another_processor_is_never_tried():
    register_mine(features=("no-such-feature",))
    assert NAME not in sn.compile(sparse_layer()).plan[0].measured_us


def test_one_that_numba_cannot_compile_is_an_error_of_one_sentence():
    @kernel("linear", weights="csc", inputs="active", variant="mine", arguments=CSC)
    def mine(columns, values, indptr, rows, weights, bias, out):
        out[0, 0] = "a"

    with pytest.raises(CompileError, match=r"^linear_f32_csc_active__mine cannot be compiled: "):
        sn.compile(sparse_layer(), kernels={"linear1": NAME})


def test_the_bench_of_layers_lists_it():
    register_mine()
    shape = LayerShape("linear", 40, 32)
    found = sweep_layers([shape], seconds=0.01)
    assert NAME in {row.kernel for row in found.rows if row.case == "both"}  # however short the time
    table = own_table(found)
    assert list(table.columns[2].cells) == [NAME]


def test_without_kernels_of_ones_own_the_bench_of_layers_lists_none():
    assert own_table(sweep_layers([LayerShape("linear", 40, 32)], seconds=0.01)).row_count == 0
