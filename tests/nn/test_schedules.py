"""Schedules end where they should, and masks that move keep their counts, family and fill."""

from itertools import pairwise

import numpy as np
import pytest

import sparsenet as sn
from sparsenet import packing
from sparsenet_kernels.formats import pack_lookup_conv2d, pack_tiles_conv2d

torch = pytest.importorskip("torch", reason="needs the extra train")
from sparsenet.nn import (  # noqa: E402
    KSchedule,
    KWinners,
    KWinners2d,
    MagnitudePruning,
    MaskedConv2d,
    MaskedLinear,
    Regrowth,
    density_at,
    masked,
    regrown_mask,
)


def test_k_falls_to_its_value_in_every_layer():
    network = torch.nn.Sequential(KWinners2d(64, 6), KWinners(1500, 150, k_inference=140))
    schedule = KSchedule(network, steps=5)
    ks = [[layer.k for layer in network]]
    for _ in range(6):
        schedule.step()
        ks.append([layer.k for layer in network])
    assert ks[0] == [32, 750]
    assert ks[5:] == [[6, 150]] * 2
    assert ks == sorted(ks, reverse=True)
    assert network[1].k_inference == 140


def test_a_resumed_k_schedule_goes_on():
    layer = KWinners(100, 10)
    schedule = KSchedule(layer, steps=4, start=50)
    for _ in range(3):
        schedule.step()
    other = KWinners(100, 10)
    KSchedule(other, steps=4, start=50).load_state_dict(schedule.state_dict())
    assert other.k == layer.k == 20


@pytest.mark.parametrize(
    ("network", "start", "words"),
    [
        (lambda: torch.nn.ReLU(), 0.5, "one without"),
        (lambda: KWinners2d(4, 3, scope="all"), 0.5, 'scope "all"'),
        (lambda: KWinners(4, 2), 5.0, "share of units"),
    ],
)
def test_k_schedules_refuse_what_cannot_be(network, start, words):
    with pytest.raises(sn.GraphError, match=words):
        KSchedule(network(), steps=3, start=start)


def test_density_falls_by_the_cube():
    assert density_at(0, 10, 1.0, 0.1) == 1.0
    assert density_at(5, 10, 1.0, 0.1) == pytest.approx(0.1 + 0.9 / 8)
    assert density_at(10, 10, 1.0, 0.1) == density_at(99, 10, 1.0, 0.1) == 0.1


def train(layer, shape, schedules, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        layer(torch.randn(shape)).square().sum().backward()
        optimizer.step()
        for schedule in schedules:
            schedule.step()


def test_pruning_ends_with_a_full_mask_of_the_family():
    layer = MaskedConv2d(64, 32, 3, np.ones((32, 64, 3, 3), bool))
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-3)
    pruning = MagnitudePruning(layer, "taps", 1 / 3, steps=6, every=2, optimizer=optimizer)
    before = layer.mask.clone()
    for taps in (5, 3, 3, 3):  # of nine; the schedule asks for 0.531, 0.358, 0.333
        train(layer, (2, 64, 5, 5), [pruning], optimizer, 2)
        assert not (layer.mask & ~before).any()  # what went stays away
        assert layer.density == taps / 9
        before = layer.mask.clone()
    keep = layer.mask.numpy()
    packing.verify(keep, family="taps")
    assert pack_tiles_conv2d(keep.astype(np.int8), channels=64, depth=64).fill == 1.0
    assert not layer.weight[~layer.mask].any()


def test_a_pruned_layer_can_be_made_small():
    layer = MaskedLinear(64, 16, np.ones((16, 64), bool))
    MagnitudePruning(layer, "blocks", 0.25, steps=1).step()
    small, x = masked(layer, layer.mask), torch.randn(3, 64)
    assert small.kept_weight.shape == (256,)
    assert torch.equal(small(x), layer(x))


def test_pruning_refuses_before_training_what_the_family_cannot_have():
    with pytest.raises(sn.SparsenetError, match="taps"):
        MagnitudePruning(MaskedConv2d(4, 16, 3, np.ones((16, 4, 3, 3), bool)), "taps", 0.01, steps=10)


FAMILIES = [
    ("taps", 1 / 3, {}),
    ("subsets", 0.25, {}),
    ("blocks", 0.25, {}),
    ("partitioned", 0.25, {}),
    ("complementary", 0.12, {}),
    ("uniform", 0.1, {}),
]


@pytest.mark.parametrize(("family", "density", "parameters"), FAMILIES)
def test_regrown_masks_keep_counts_family_and_fill(family, density, parameters):
    mask = packing.FAMILIES[family]((32, 64, 3, 3), density, **parameters)
    weight, gradient = torch.randn(32, 64, 3, 3) * torch.from_numpy(mask.keep.copy()), torch.randn(32, 64, 3, 3)
    new = regrown_mask(weight, gradient, mask, 0.5)
    packing.verify(new)
    assert (new.kept, new.fills) == (mask.kept, mask.fills)
    assert 0 < (new.keep & ~mask.keep).sum() <= 0.7 * mask.kept  # 2 of 3 taps, the most, is half rounded up


@pytest.mark.parametrize(("family", "density", "parameters"), FAMILIES)
def test_nothing_moves_where_no_share_may(family, density, parameters):
    mask = packing.FAMILIES[family]((32, 64, 3, 3), density, **parameters)
    weight = torch.randn(32, 64, 3, 3) * torch.from_numpy(mask.keep.copy())
    np.testing.assert_array_equal(regrown_mask(weight, torch.randn(32, 64, 3, 3), mask, 0.0).keep, mask.keep)


def test_the_smallest_units_go_and_those_of_largest_gradient_come():
    mask = packing.Mask(np.array([[True, True, True, True, False, False, False, False]]), "uniform")
    weight = torch.tensor([[4.0, -0.1, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]])
    gradient = torch.tensor([[9.0, 0.0, 0.1, 9.0, 0.5, -2.0, 1.0, 0.0]])
    assert regrown_mask(weight, gradient, mask, 0.5).keep.tolist() == [
        [True, False, False, True, False, True, True, False]
    ]


def test_regrowth_moves_a_layers_mask_while_it_trains():
    mask = packing.partitioned((16, 64, 3, 3), 0.25)
    layer = MaskedConv2d(64, 16, 3, mask)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-3)
    regrowth = Regrowth(layer, mask, steps=9, every=3, share=0.4, optimizer=optimizer)
    seen = [mask.keep]
    for _ in range(5):
        train(layer, (2, 64, 5, 5), [regrowth], optimizer, 3)
        seen.append(layer.mask.numpy().copy())
        np.testing.assert_array_equal(regrowth.mask.keep, seen[-1])
        packing.verify(regrowth.mask)
        assert pack_lookup_conv2d(seen[-1].astype(np.int8), channels=64).fill == 1.0
        assert not layer.weight[~layer.mask].any()
    moved = [int((before & ~after).sum()) for before, after in pairwise(seen)]
    assert moved[0] > moved[1] > 0 == moved[2] == moved[3]


def test_a_resumed_regrowth_goes_on():
    mask = packing.taps((16, 4, 3, 3), 1 / 3)
    layer = MaskedConv2d(4, 16, 3, mask)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    regrowth = Regrowth(layer, mask, steps=20, every=2)
    train(layer, (2, 4, 5, 5), [regrowth], optimizer, 3)
    other = MaskedConv2d(4, 16, 3, mask)
    resumed = Regrowth(other, mask, steps=20, every=2)
    other.load_state_dict(layer.state_dict())
    resumed.load_state_dict(regrowth.state_dict())
    torch.manual_seed(1)
    train(layer, (2, 4, 5, 5), [regrowth], optimizer, 5)
    torch.manual_seed(1)
    train(other, (2, 4, 5, 5), [resumed], torch.optim.SGD(other.parameters(), lr=0.1), 5)
    np.testing.assert_array_equal(resumed.mask.keep, regrowth.mask.keep)
    assert torch.equal(other.weight, layer.weight)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_shares_are_checked(share):
    mask = packing.uniform((4, 8), 0.5)
    with pytest.raises(sn.SparsenetError, match="share from 0 to 1"):
        Regrowth(MaskedLinear(8, 4, mask), mask, steps=3, share=share)
    with pytest.raises(sn.SparsenetError, match="share from 0 to 1"):
        regrown_mask(torch.zeros(4, 8), torch.zeros(4, 8), mask, share)


def test_another_mask_than_the_layers_is_refused():
    mask = packing.uniform((4, 8), 0.5)
    with pytest.raises(sn.GraphError, match="the mask that the layer has"):
        Regrowth(MaskedLinear(8, 4, mask), packing.uniform((4, 8), 0.5, seed=1), steps=3)
