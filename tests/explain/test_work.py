from math import prod

import numpy as np
import pytest
from hypothesis import given
from strategies import networks

from sparsenet.explain.work import total, work
from sparsenet.graph.network import INPUT, Network, Node
from sparsenet.graph.reference import evaluate
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
    MaxPool2d,
    ReLU,
    Reshape,
)


def keep(kept, *shape):
    """Weights of which each output keeps so many."""
    weight = np.zeros((shape[0], prod(shape[1:])), np.float32)
    weight[:, :kept] = 1
    return weight.reshape(shape)


def active(shape, *layers):
    """The share of non-zero inputs that a last layer sees after these."""
    return work(Network.sequential(shape, [*layers, ReLU()]))[-1].active


@pytest.fixture
def reference_network():
    """The published spoken-word network, with the densities that its parameter count implies."""
    layers = [
        *(Conv2d(keep(20, 64, 1, 5, 5), np.zeros(64)), MaxPool2d(2), KWinners(6, scope="channels")),
        *(Conv2d(keep(192, 64, 64, 5, 5), np.zeros(64)), MaxPool2d(2), KWinners(8, scope="channels")),
        *(Flatten(), Linear(keep(64, 1500, 1600), np.zeros(1500)), KWinners(150)),
        Linear(np.ones((12, 1500)), np.zeros(12)),
    ]
    return Network.sequential((1, 32, 32), layers)


def test_the_table_of_the_reference_network(reference_network):
    rows = {row.name: row for row in work(reference_network) if row.density is not None}
    counts = {name: (row.dense, row.weight_sparse, row.twice) for name, row in rows.items()}
    assert counts == {
        "conv2d1": (1_254_400, 1_003_520, 1_003_520),
        "conv2d2": (10_240_000, 1_228_800, 115_200),
        "linear1": (2_400_000, 96_000, 12_000),
        "linear2": (18_000, 18_000, 1_800),
    }
    assert [row.density for row in rows.values()] == [0.8, 0.12, 0.04, 1.0]


def test_the_totals_of_the_reference_network(reference_network):
    summed = total(work(reference_network))
    assert (summed.dense, summed.weight_sparse, summed.twice) == (13_912_400, 2_346_320, 1_132_520)
    assert summed.weight_sparse_ratio == pytest.approx(5.93, abs=0.005)
    assert summed.twice_ratio == pytest.approx(12.28, abs=0.005)
    kept = 1_280 + 12_288 + 96_000 + 18_000
    assert (summed.dense_bytes, summed.sparse_bytes) == (4 * 2_522_000, 8 * kept)


@pytest.mark.parametrize(
    ("share", "shape", "layers"),
    [
        (1.0, (8,), []),
        (0.25, (8,), [KWinners(2)]),
        (0.25, (8,), [KWinners(2), ReLU()]),
        (1.0, (8,), [KWinners(2), Linear(np.eye(8))]),
        (1.0, (8,), [KWinners(2), BatchNorm(np.ones(8), np.ones(8))]),
        (0.125, (8,), [KWinners(4), KWinners(1)]),
        (0.125, (8,), [KWinners(1), KWinners(4)]),
        (0.0, (8,), [KWinners(0)]),
        (0.25, (8, 4, 4), [KWinners(2, "channels")]),
        (0.25, (8, 4, 4), [KWinners(2, "channels"), Flatten()]),
        (0.25, (8, 4, 4), [KWinners(2, "channels"), Reshape((2, -1))]),
        (1.0, (8, 4, 4), [KWinners(2, "channels"), MaxPool2d(2)]),
        (0.5, (8, 4, 4), [KWinners(1, "channels"), MaxPool2d(2)]),
        (0.5, (8, 4, 4), [KWinners(1, "channels"), AvgPool2d(2)]),
        (0.125, (8, 5, 5), [KWinners(1, "channels"), MaxPool2d(1, 2)]),
        (0.5, (16, 5, 5), [KWinners(2, "channels"), MaxPool2d(2)]),  # four of a window's; the border is left out
        (3 / 32, (8, 4, 4), [KWinners(3), MaxPool2d(2)]),  # all three may lie in different windows
        (12 / 72, (8, 4, 4), [KWinners(3), MaxPool2d(2, 1)]),  # each lies in four windows
        (0.5, (8, 2, 2), [KWinners(4), GlobalAvgPool2d()]),
    ],
)
def test_the_share_of_active_inputs(share, shape, layers):
    assert active(shape, *layers) == share


def test_branches_add_up_to_all():
    nodes = [
        *(Node("a", KWinners(1, "channels"), (INPUT,)), Node("b", KWinners(2, "channels"), (INPUT,))),
        *(Node("sum", Add(), ("a", "b")), Node("both", Concat(), ("a", "b", "sum")), Node("end", ReLU(), ("both",))),
    ]
    rows = {row.name: row for row in work(Network((8, 2, 2), nodes, "end"))}
    assert rows["sum"].active == 0.25
    assert rows["end"].active == (1 + 2 + 3) / 24


def test_groups_and_strides_count_what_is_multiplied():
    net = Network.sequential((4, 9, 9), [Conv2d(np.ones((6, 2, 3, 3)), stride=2, padding=1, groups=2)])
    assert work(net)[0].dense == 6 * 2 * 9 * 25


def test_a_kept_zero_is_kept():
    mask = np.eye(4, dtype=bool)
    row = work(Network.sequential((4,), [Linear(np.zeros((4, 4)), mask=mask)]))[0]
    assert (row.weight_sparse, row.density) == (4, 0.25)


def test_no_work_has_no_ratio():
    summed = total(work(Network.sequential((4,), [ReLU()])))
    assert (summed.weight_sparse_ratio, summed.twice_ratio) == (None, None)
    assert total([]).dense == 0


@given(net=networks())
def test_no_network_has_more_active_inputs_than_said(net):
    x = np.random.default_rng(0).standard_normal((2, *net.input_shape))
    values = evaluate(net, x)
    for node, row in zip(net.nodes, work(net), strict=True):
        for source in node.inputs:
            seen = np.count_nonzero(values[source].reshape(2, -1), axis=1) / prod(net.shapes[source])
            assert (seen <= row.active + 1e-12).all(), (node, row)
        assert 0 <= row.twice <= row.weight_sparse <= row.dense
