"""The best mask of a family is of that family, as full as its random masks, and no other keeps more."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import sparsenet as sn
from sparsenet import packing
from sparsenet_kernels.formats import pack_blocks4x16, pack_complementary, pack_lookup_conv2d, pack_tiles_conv2d

torch = pytest.importorskip("torch", reason="needs the extra train")
from sparsenet.nn import best_mask, kept_energy  # noqa: E402

CONV2D, LINEAR = (32, 64, 3, 3), (40, 64 * 4)
CASES = [
    ("taps", CONV2D, 1 / 3, {}),
    ("taps", (40, 3, 5, 5), 0.24, {"outputs": 8}),
    ("subsets", CONV2D, 0.25, {}),
    ("blocks", CONV2D, 0.1, {}),
    ("blocks", LINEAR, 0.0325, {"channels": 64}),
    ("blocks", LINEAR, 0.1, {"channels": 64, "inputs": 1}),
    ("partitioned", CONV2D, 0.05, {}),
    ("partitioned", CONV2D, 0.25, {"per_group": 8}),
    ("partitioned", LINEAR, 0.2, {"channels": 64}),
    ("partitioned", (20, 96), 0.2, {}),
    ("complementary", CONV2D, 0.12, {}),
    ("complementary", LINEAR, 0.04, {"channels": 64}),
    ("complementary", LINEAR, 0.25, {"channels": 64, "granularity": "block"}),
    ("uniform", LINEAR, 0.04, {}),
]


def weights(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize(("family", "shape", "density", "parameters"), CASES)
def test_it_is_of_the_family_and_keeps_more_than_its_random_masks(family, shape, density, parameters):
    weight = weights(shape)
    mask = best_mask(weight, family, density, **parameters)
    by_chance = packing.FAMILIES[family](shape, density, **parameters)
    packing.verify(mask)
    assert (mask.kept, mask.family, mask.fills) == (by_chance.kept, family, by_chance.fills)
    assert kept_energy(weight, mask) > kept_energy(weight, by_chance)


@pytest.mark.parametrize(("family", "shape", "density", "parameters"), CASES)
def test_a_weight_of_the_family_keeps_all(family, shape, density, parameters):
    hidden = packing.FAMILIES[family](shape, density, seed=7, **parameters)
    weight = np.where(hidden.keep, np.random.default_rng(1).uniform(1, 2, shape), 0)
    np.testing.assert_array_equal(best_mask(weight, family, density, **parameters).keep, hidden.keep)


def test_what_it_gives_fills_the_formats():
    as_bytes = lambda mask: mask.keep.astype(np.int8)  # noqa: E731
    in_memory = lambda mask: mask.grid.in_memory(mask.keep).astype(np.int8)  # noqa: E731
    lookup = best_mask(weights(CONV2D), "partitioned", 0.25)
    assert pack_lookup_conv2d(as_bytes(lookup), channels=64).fill == 1.0
    for family in ("taps", "subsets", "blocks"):
        tiles = best_mask(weights(CONV2D), family, 1 / 3)
        assert pack_tiles_conv2d(as_bytes(tiles), channels=64, depth=4).fill == 1.0
    blocks = best_mask(weights((32, 256)), "blocks", 0.05, channels=64)
    assert pack_blocks4x16(in_memory(blocks)).fill == 1.0
    sets = best_mask(weights((50, 100)), "complementary", 0.04)
    assert pack_complementary(sets.keep.astype(np.float32), sets=sets.sets).fill == 1.0


def most_energy(energy, family, like):
    """The energy of the best of all masks of a family for one tile of outputs, by trying them all."""
    grid = like.grid
    if family == "uniform":
        return sum(max(sum(row[list(kept)]) for kept in combinations(range(grid.D), 2)) for row in energy)
    unit_of = {"taps": grid.units(grid.C), "blocks": grid.units(2), "subsets": grid.channels(2)}[family]
    units = [energy[:, unit_of == unit].sum() for unit in range(unit_of.max() + 1)]
    return sum(sorted(units)[-int(like.keep[0].sum() / np.bincount(unit_of)[0]) :])


@pytest.mark.parametrize(
    ("family", "parameters"), [("taps", {}), ("blocks", {"inputs": 2}), ("subsets", {"size": 2}), ("uniform", {})]
)
def test_no_mask_of_the_family_keeps_more(family, parameters):
    shape, density = ((6, 4, 2, 2), 0.5) if family != "uniform" else ((6, 8), 0.25)
    for seed in range(5):
        mask = best_mask(weights(shape, seed), family, density, **parameters)
        energy = np.square(weights(shape, seed)).reshape(6, -1)
        assert energy[mask.keep.reshape(6, -1)].sum() == pytest.approx(most_energy(energy, family, mask))


def test_no_partitioned_mask_keeps_more():
    """All depths that the places of a tile can have are tried: 3 lookups among 3 places, 2 of 4 inputs each."""
    for seed in range(5):
        energy = np.square(weights((5, 12), seed))
        mask = best_mask(weights((5, 12), seed), "partitioned", 0.5, per_group=2, channels=4)
        ranked = -np.sort(-energy.reshape(5, 4, 3).transpose(0, 2, 1), axis=2)
        tried = [
            sum(ranked[:, place, : 2 * lookups].sum() for place, lookups in enumerate(depth))
            for depth in product(range(3), repeat=3)
            if sum(depth) == 3
        ]
        assert energy[mask.keep].sum() == pytest.approx(max(tried))


def test_complementary_masks_keep_at_least_half_of_the_best():
    for seed in range(5):
        energy = np.square(weights((4, 12), seed))
        best = np.repeat(energy, 3, axis=0)[linear_sum_assignment(-np.repeat(energy, 3, axis=0))].sum()
        mask = best_mask(weights((4, 12), seed), "complementary", 0.25)
        assert best * (1 + 1e-12) >= energy[mask.keep].sum() >= best / 2  # the sums are rounded in other orders


def test_tensors_of_any_dtype_are_taken():
    weight = torch.randn(16, 32, dtype=torch.bfloat16, requires_grad=True)
    wanted = best_mask(weight.detach().float().numpy(), "uniform", 0.25)
    np.testing.assert_array_equal(best_mask(weight, "uniform", 0.25).keep, wanted.keep)


@pytest.mark.parametrize(("family", "words"), [("balanced", "best mask can be found"), ("wild", "got 'wild'")])
def test_other_families_are_refused(family, words):
    with pytest.raises(sn.SparsenetError, match=words):
        best_mask(weights((16, 32)), family, 0.25)
