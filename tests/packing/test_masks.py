"""Masks fill the formats that they say they fill, through the packers that the engine uses."""

import hashlib

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from sparsenet import SparsenetError, packing
from sparsenet_kernels.formats import (
    pack_blocks,
    pack_blocks4x16,
    pack_blocks_conv2d,
    pack_complementary,
    pack_complementary_conv2d,
    pack_csc,
    pack_lookup,
    pack_lookup_conv2d,
    pack_tiles_conv2d,
)

CONV2, LINEAR = (64, 64, 5, 5), (1500, 1600)


def memory(mask):
    """Ones where the mask keeps, as a linear layer's inputs lie in memory."""
    return mask.grid.in_memory(mask.keep).astype(np.int8)


def last_tile(N):
    """The share of the stored slots that belong to an output: kernels pad outputs to a multiple of 16."""
    return N / (-(-N // 16) * 16)


@pytest.mark.parametrize(("density", "per_group"), [(0.05, 4), (0.125, 8), (0.25, 4), (0.25, 16), (0.3, 8), (1.0, 4)])
def test_partitioned_fills_lookups_of_a_convolution(density, per_group):
    mask = packing.partitioned(CONV2, density, per_group=per_group)
    packed = pack_lookup_conv2d(mask.keep.astype(np.int8), channels=64)
    assert (mask.fills, packed.fill) == ("lookup", 1.0)
    assert abs(mask.density - density) <= per_group / 1600 / 2


@pytest.mark.parametrize("density", [0.03, 0.04, 0.05, 0.2])
def test_partitioned_fills_lookups_of_a_linear_layer(density):
    mask = packing.partitioned(LINEAR, density, channels=64)
    assert pack_lookup(memory(mask)).fill == last_tile(1500)


@pytest.mark.parametrize("shape", [(32, 32, 3, 3), (16, 96, 2, 2), (16, 200, 1, 1), (64, 512)])
def test_partitioned_fills_lookups_of_other_sizes(shape):
    mask = packing.partitioned(shape, 0.1)
    if len(shape) == 2:
        assert pack_lookup(memory(mask)).fill == 1.0
    else:
        assert pack_lookup_conv2d(mask.keep.astype(np.int8), channels=-(-shape[1] // 64) * 64).fill == 1.0


@pytest.mark.parametrize("depth", [4, 64])
def test_taps_fill_tiles(depth):
    mask = packing.taps(CONV2, 0.24)
    packed = pack_tiles_conv2d(mask.keep.astype(np.int8), channels=64, depth=depth)
    assert (mask.fills, mask.density, packed.fill) == ("tiles", 0.24, 1.0)


@pytest.mark.parametrize("make", [packing.subsets, packing.blocks])
def test_groups_of_channels_fill_tiles_of_fours(make):
    mask = make(CONV2, 0.25)
    assert pack_tiles_conv2d(mask.keep.astype(np.int8), channels=64, depth=4).fill == 1.0
    assert (mask.fills, mask.density) == ("tiles", 0.25)


def test_subsets_fill_lookups_too():
    assert pack_lookup_conv2d(packing.subsets(CONV2, 0.25).keep.astype(np.int8), channels=64).fill == 1.0


def test_blocks_fill_byte_products_of_a_linear_layer():
    mask = packing.blocks(LINEAR, 0.0325, channels=64)
    assert (mask.fills, pack_blocks4x16(memory(mask)).fill) == ("blocks4x16", last_tile(1500))


@pytest.mark.parametrize("make", [packing.taps, packing.subsets])
def test_linear_layers_behind_an_image_fill_blocks(make):
    mask = make(LINEAR, 0.25, channels=64)
    assert (mask.fills, pack_blocks4x16(memory(mask)).fill) == ("blocks4x16", last_tile(1500))


def test_blocks_of_one_input_fill_float_vectors():
    linear, conv2 = packing.blocks(LINEAR, 0.05, inputs=1), packing.blocks(CONV2, 0.05, inputs=1)
    assert (linear.fills, pack_blocks(linear.keep).fill) == ("blocks", last_tile(1500))
    assert (conv2.fills, pack_blocks_conv2d(conv2.keep).fill) == ("blocks", 1.0)


@pytest.mark.parametrize("granularity", ["element", "channel", "block"])
def test_complementary_sets_fill_what_their_division_allows(granularity):
    mask = packing.complementary((64, 64, 5, 5), 0.125, granularity=granularity)
    packed = pack_complementary_conv2d(mask.keep, sets=mask.sets)
    assert (packed.outputs.shape[1], packed.fill) == (8, 1.0)


@pytest.mark.parametrize(
    ("shape", "density", "sets", "fill"),
    [(LINEAR, 0.04, 60, 1.0), (CONV2, 0.12, 8, 0.96), ((512, 512), 0.05, 27, None)],
)
def test_complementary_sets_are_as_few_as_published(shape, density, sets, fill):
    mask = packing.complementary(shape, density)
    matrix = mask.keep.reshape(shape[0], -1)
    packed = pack_complementary(matrix, sets=mask.sets)
    assert packed.outputs.shape[1] == sets
    assert packed.fill == pytest.approx(mask.kept / (matrix.shape[1] * sets) if fill is None else fill)
    assert pack_complementary(matrix).outputs.shape[1] == sets  # first fit finds them again


@pytest.mark.parametrize("make", [packing.balanced, packing.uniform])
def test_compressed_columns_hold_what_is_kept(make):
    mask = make(LINEAR, 0.04)
    assert (mask.fills, pack_csc(mask.keep).nnz, mask.kept) == ("csc", 96_000, 96_000)


def test_balanced_neighbours_overlap_like_any_other_outputs():
    """Each input reaches 60 outputs, so two outputs share 1600 * C(60, 2) / C(1500, 2) = 2.52 on average.

    Neighbours were dealt out of one deck, sharing nothing; mixing must make them like any other two. 1499 pairs with a
    standard deviation of 1.5 each: five standard errors are 0.2.
    """
    keep = packing.balanced(LINEAR, 0.04).keep.astype(np.float32)
    assert (keep[:-1] * keep[1:]).sum(axis=1).mean() == pytest.approx(2.52, abs=0.2)


@pytest.mark.parametrize("family", packing.FAMILIES)
def test_seeds(family):
    make = packing.FAMILIES[family]
    first, again, other = make(CONV2, 0.25), make(CONV2, 0.25), make(CONV2, 0.25, seed=1)
    np.testing.assert_array_equal(first.keep, again.keep)
    assert (first.keep != other.keep).any()


DIGESTS = {
    "complementary": "64af904ff9f27f68",
    "partitioned": "8f2ff5020eb67e16",
    "subsets": "40f5df505aae4911",
    "taps": "5091e6bf3aee98d1",
    "blocks": "1ff1f3d2fa4b01e7",
    "balanced": "d562b9df219b4bb7",
    "uniform": "cfe33953c45ccb4b",
}
"""Of masks made on Linux x86-64: what a seed means is never changed, trained networks rely on it."""


@pytest.mark.parametrize("family", packing.FAMILIES)
def test_masks_are_the_same_everywhere(family):
    mask = packing.FAMILIES[family]((48, 128), 0.25, seed=7, channels=32)
    digest = hashlib.sha256(np.packbits(mask.keep).tobytes()).hexdigest()[:16]
    assert digest == DIGESTS[family]


@st.composite
def layers(draw):
    """Shapes with their channels, None where the shape says it."""
    N = draw(st.integers(1, 40))
    C = 4 * draw(st.integers(1, 20))
    if draw(st.booleans()):
        return (N, C, *draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))), None
    return (N, C * draw(st.integers(1, 4))), C


@given(layers(), st.sampled_from(sorted(packing.FAMILIES)), st.floats(0.01, 1), st.integers(0, 2**31))
def test_every_mask_that_can_be_made_passes_its_check(layer, family, density, seed):
    (shape, channels), settings = layer, {"subsets": {"size": 4}}.get(family, {})
    try:
        mask = packing.FAMILIES[family](shape, density, seed=seed, channels=channels, **settings)
    except SparsenetError as error:
        event(f"refused: {error}"[:60])
        return
    packing.verify(mask)
    assert mask.shape == shape
    assert 0 < mask.density <= 1


@given(layers(), st.sampled_from([0.25, 0.5, 1.0]))
def test_element_families_come_as_near_as_an_input(layer, density):
    (shape, channels) = layer
    for make in (packing.complementary, packing.balanced, packing.uniform):
        mask = make(shape, density, channels=channels)
        assert abs(mask.density - density) * mask.grid.D <= 0.5


def test_every_choice_is_alike_likely():
    """6 pairs of 4 inputs, 60,000 outputs: 10,000 each, give or take 5 standard deviations of 91."""
    keep = packing.uniform((60_000, 4), 0.5).keep
    counts = np.bincount(keep @ (1 << np.arange(4)))
    assert (np.abs(counts[[3, 5, 6, 9, 10, 12]] - 10_000) < 456).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: packing.uniform((8, 8), 25), "did you pass a percentage"),
        (lambda: packing.uniform((8, 8), 0), r"expected density in \(0, 1\], got 0"),
        (lambda: packing.uniform((8, 8), float("nan")), r"expected density in \(0, 1\], got nan"),
        (lambda: packing.uniform((8, 8), 0.01), "at least one of 8 inputs, 0.125, got 0.01"),
        (lambda: packing.taps(CONV2, 0.01), "at least one of 25 taps, 0.04"),
        (lambda: packing.taps((8, 8), 0.2), r"at least one of 1 taps .channels= gives .* positions., 1"),
        (lambda: packing.partitioned(CONV2, 0.001), "keeps 4 of 1600 inputs, 0.0025"),
        (lambda: packing.partitioned((16, 100), 0.9), "expected places of 44 inputs or more, got one of 36"),
        (lambda: packing.blocks((16, 6), 0.5), "expected inputs to divide 6 channels, got 4"),
        (lambda: packing.subsets((16, 12), 0.5), "expected size to divide 12 channels, got 8"),
        (lambda: packing.complementary((16, 6), 0.5, granularity="block"), "expected channels in blocks of 4"),
        (lambda: packing.complementary((16, 6), 0.5, granularity="row"), "expected a granularity of element"),
        (lambda: packing.uniform((8, 0), 0.5), "none of it empty"),
        (lambda: packing.uniform((8, 8, 3), 0.5), "expected a weight's shape"),
        (lambda: packing.uniform((8, 8), 0.5, channels=3), "expected channels that divide 8 inputs, got 3"),
        (lambda: packing.uniform((8, 8, 3, 3), 0.5, channels=3), "expected the convolution's own 8 channels"),
        (lambda: packing.uniform((8, 8), 0.5, seed=-1), "expected seed of at least 0"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(SparsenetError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: packing.uniform((8, 8), "half"),
        lambda: packing.uniform((8, 8), True),
        lambda: packing.uniform((8.0, 8), 0.5),
        lambda: packing.uniform((8, 8), 0.5, seed=1.5),
        lambda: packing.blocks((16, 8), 0.5, inputs=2.0),
    ],
)
def test_wrong_types_are_refused(call):
    with pytest.raises(TypeError, match="expected"):
        call()
