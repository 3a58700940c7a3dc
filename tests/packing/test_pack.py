"""Any mask packs into sets without overlap; dense weights keep as much as they can."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsenet import SparsenetError, packing
from sparsenet.packing.magnitude import deal
from sparsenet_kernels.formats import conv2d_weight, unpack_complementary

METHODS = sorted(packing.METHODS)


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)), st.sampled_from(METHODS))
def test_every_mask_packs(keep, method):
    packed = packing.pack(keep, method=method)
    packing.verify(keep, sets=packed.sets)
    np.testing.assert_array_equal(packed.keep, keep)
    assert packed.lower_bound <= packed.count <= len(keep)
    assert sorted(set(packed.sets.tolist())) == list(range(packed.count))
    assert packed.fill <= 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("keep", [np.zeros((3, 4), bool), np.eye(70, dtype=bool), np.ones((1, 1), bool)])
def test_what_never_conflicts_makes_one_set(keep, method):
    assert packing.pack(keep, method=method).count == 1


@pytest.mark.parametrize("method", METHODS)
def test_what_always_conflicts_makes_a_set_each(method):
    packed = packing.pack(np.ones((5, 3)), method=method)
    assert (packed.count, packed.lower_bound) == (5, 5)


def test_masks_built_in_sets_are_found_again():
    mask = packing.complementary((1500, 1600), 0.04, seed=5)
    packed = packing.pack(mask)
    assert (packed.count, packed.lower_bound, packed.fill) == (60, 60, 1.0)
    assert packing.pack(mask, sets=mask.sets).method == "given"


def test_colouring_beats_first_fit():
    """127 and 128 sets become 110."""
    mask = packing.uniform((512, 512), 0.05)
    counts = {method: packing.pack(mask, method=method).count for method in METHODS}
    assert counts["colouring"] < 0.9 * min(counts["first-fit"], counts["best-fit"])


def test_nothing_packs_where_all_conflict():
    packed = packing.pack(packing.uniform((64, 1600), 0.12), method="colouring")
    assert (packed.count, packed.lower_bound) == (64, 64)


@pytest.mark.parametrize(
    ("layer", "built", "least", "most"), [((1500, 1600, 0.04), 60, 480, 560), ((512, 512, 0.05), 27, 115, 145)]
)
def test_sets_of_random_masks_and_of_built_ones(layer, built, least, most):
    """Random masks of any seed: 522 and 133 sets published for one; seeds differ by a few in a hundred."""
    N, D, density = layer
    assert packing.pack(packing.complementary((N, D), density, seed=1)).count == built
    assert least < packing.pack(packing.uniform((N, D), density, seed=1)).count < most


def greedy(energy, sets, kept):
    """What `deal` says its outcome is: all weights of a set from the largest down."""
    keep = np.zeros(energy.shape, bool)
    for number in np.unique(sets):
        outputs = np.flatnonzero(sets == number)
        free = np.ones(energy.shape[1], bool)
        for place in np.argsort(-energy[outputs].ravel(), kind="stable"):
            output, column = outputs[place // energy.shape[1]], place % energy.shape[1]
            if free[column] and keep[output].sum() < kept:
                keep[output, column], free[column] = True, False
    return keep


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(2, 20), st.floats(0.05, 1))
def test_dealing_is_greedy(seed, N, D, density):
    r = np.random.default_rng(seed)
    energy = r.permutation(N * D).reshape(N, D).astype(np.float32)  # all different, so that there is one outcome
    kept = max(1, round(D * density))
    sets = r.permutation(N).astype(np.int32) // (D // kept)
    np.testing.assert_array_equal(deal(energy, sets, kept), greedy(energy, sets, kept))


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.floats(-9, 9, width=32)),
    st.floats(0.01, 1),
)
def test_dense_weights_pack(weight, density):
    """Ties and zeros too: every output keeps as many, no set overlaps, and no more energy is kept than freely could."""
    N, D = weight.shape
    if round(density * D) == 0:
        return
    packed = packing.pack(weight, density)
    packing.verify(packed.keep, sets=packed.sets)
    assert (packed.keep.sum(axis=1) == round(density * D)).all()
    assert packed.count == -(-N // (D // round(density * D)))
    assert packed.energy <= packed.free_energy + 1e-6  # sums of up to 576 squares in float32 and float64


@pytest.mark.parametrize(("shape", "density", "kept", "free"), [((1500, 1600), 0.04, 0.211, 0.240)])
def test_energy_kept_of_gaussian_weights(shape, density, kept, free):
    """As published for sets of neighbours; grouping outputs that want different inputs keeps more."""
    weight = np.random.default_rng(0).standard_normal(shape)
    neighbours = packing.pack(weight, density, sets=packing.complementary(shape, density).sets)
    grouped = packing.pack(weight, density)
    assert neighbours.energy == pytest.approx(kept, abs=0.003)
    assert neighbours.free_energy == pytest.approx(free, abs=0.003)
    assert neighbours.energy + 0.005 < grouped.energy < grouped.free_energy
    assert neighbours.count == grouped.count == 60


def test_scale_does_not_matter():
    weight = np.random.default_rng(1).standard_normal((16, 32))
    tiny, huge = packing.pack(weight * 1e-300, 0.25), packing.pack(weight * 1e300, 0.25)
    np.testing.assert_array_equal(tiny.keep, huge.keep)


def test_weights_of_zero_pack():
    packed = packing.pack(np.zeros((4, 8)), 0.25)
    assert (packed.energy, packed.free_energy, packed.kept) == (1.0, 1.0, 8)


def test_formats_hold_the_weights():
    weight = np.random.default_rng(2).standard_normal((32, 48)).astype(np.float32)
    packed = packing.pack(weight, 0.25)
    form = packed.complementary(weight)
    assert (form.fill, form.outputs.shape[1]) == (packed.fill, packed.count)
    np.testing.assert_array_equal(unpack_complementary(form), np.where(packed.keep, weight, 0))


def test_formats_hold_convolutions():
    weight = np.random.default_rng(3).standard_normal((8, 4, 3, 3)).astype(np.float32)
    packed = packing.pack(weight, 0.25)
    matrix = unpack_complementary(packed.complementary(weight))
    np.testing.assert_array_equal(conv2d_weight(matrix, (3, 3)), np.where(packed.keep, weight, 0))


def test_zeros_of_weights_are_their_mask():
    weight = np.array([[0.0, 2.0], [-1.0, 0.0]])
    assert packing.pack(weight).sets.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: packing.pack(np.ones((2, 2)), method="luck"), "expected a method of first-fit, best-fit, colouring"),
        (lambda: packing.pack(np.ones((2, 2)), method="magnitude"), "expected a density with the method magnitude"),
        (lambda: packing.pack(np.ones((2, 2)), 0.5, method="first-fit"), "got a density and 'first-fit'"),
        (lambda: packing.pack(np.ones((2, 2), bool), 0.5), "expected dense weights with a density, got a mask"),
        (lambda: packing.pack(np.ones((2, 2)), 50), "did you pass a percentage"),
        (lambda: packing.pack(np.full((2, 2), np.nan), 0.5), "expected finite weights, got 4"),
        (lambda: packing.pack(np.ones(4)), "expected a weight's shape"),
        (lambda: packing.pack(np.ones((2, 2), bool), sets=[0, 0]), "got outputs 0 and 1 of set 0 at input 0"),
        (lambda: packing.pack(np.ones((3, 2)), 0.5, sets=[0, 0, 0]), "expected sets of at most 2 outputs that keep 1"),
        (lambda: packing.pack(np.ones((2, 2))).complementary(np.ones((2, 3))), r"expected weights of shape \(2, 2\)"),
        (lambda: packing.pack(np.zeros((4097, 1)), method="colouring"), "expected at most 4096 outputs to colour"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(SparsenetError, match=message):
        call()


def test_names_are_no_weights():
    with pytest.raises(TypeError, match="expected a mask or weights, got <U1"):
        packing.pack(np.array([["a", "b"]]))
