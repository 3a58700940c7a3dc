"""Every registered kernel has a cost and is lowered: nobody registers one that the planner stumbles over."""

from dataclasses import replace

import pytest

from sparsenet.lowering.choose import candidates, choose
from sparsenet.lowering.cost import WeightedWork, predict
from sparsenet.machine.facts import machine

CONV2D = WeightedWork(196, 100, 25, 64, 64, 1, 25_600, 6.0, 1, 6_400, 16)
POOLED = replace(CONV2D, pooled=True)
LINEAR = WeightedWork(1, 1, 1, 1600, 1500, 1, 72_000, 200.0, 1, 60_000, 60)


@pytest.mark.parametrize(("operation", "work"), [("conv2d", CONV2D), ("conv2d_pool2", POOLED), ("linear", LINEAR)])
def test_every_candidate_has_a_cost(operation, work):
    names = candidates(operation, work)
    assert f"{operation}_f32_dense_dense" in names
    for name in names:
        cost = predict(name, work, machine())
        assert 0 < cost.us < 1e6
        assert min(cost.arithmetic_us, cost.addresses_us, cost.reading_us) >= 0


@pytest.mark.parametrize(("operation", "work"), [("conv2d", CONV2D), ("conv2d_pool2", POOLED), ("linear", LINEAR)])
def test_what_is_chosen_is_predicted_to_be_fastest_and_says_why(operation, work):
    kernel, reason, predicted = choose(operation, work, machine())
    assert predicted[kernel] == min(predicted.values())
    assert reason


def test_kernels_that_only_convolve_are_candidates_where_none_pools_as_well():
    names = candidates("conv2d_pool2", POOLED)
    assert "conv2d_f32_csc_active" in names
    assert "conv2d_f32_csr_dense" not in names
    alone = predict("conv2d_f32_csc_active", CONV2D, machine())
    assert predict("conv2d_f32_csc_active", POOLED, machine()).us > alone.us
