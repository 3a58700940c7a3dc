"""A mask that breaks its family's promise is found out, and the place is named."""

import re

import numpy as np
import pytest

from sparsenet import SparsenetError, packing


def moved(mask, taken, given):
    """Drop one weight of an array that the family made, and keep another."""
    keep = mask.keep.copy()
    assert keep[taken]
    assert not keep[given]
    keep[taken], keep[given] = False, True
    return keep


def first(array):
    return tuple(np.argwhere(array)[0].tolist())


def test_an_overlap_is_named():
    mask = packing.complementary((8, 16), 0.25)
    keep = moved(mask, first(mask.keep[:1]), (0, first(mask.keep[1:2])[1]))
    column = first(mask.keep[1:2])[1]
    message = f"got outputs 0 and 1 of set 0 at input {column}"
    with pytest.raises(SparsenetError, match=message):
        packing.verify(keep, sets=mask.sets)
    with pytest.raises(SparsenetError, match=message):
        packing.verify(keep, family="complementary")


def test_an_overlap_in_a_convolution_is_named():
    keep = np.ones((2, 3, 2, 2), bool)
    keep[1, :2] = keep[0, 2] = False
    keep[1, 1, 0, 1] = True
    with pytest.raises(SparsenetError, match="outputs 0 and 1 of set 0 at channel 1, position 1"):
        packing.verify(keep, sets=[0, 0])
    packing.verify(keep, sets=[0, 1])


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("partitioned", "multiple of 4 inputs at each place, got \\d+ at output 0, channels 0 to 31, position"),
        ("taps", "expected units kept whole or not at all, got (31 of 32|1 of 32) inputs of unit \\d at output 0"),
        ("blocks", "expected units kept whole or not at all, got [13] of 4 inputs"),
        ("subsets", "expected units kept whole or not at all, got"),
        ("balanced", "expected every input to reach as many outputs"),
    ],
)
def test_a_moved_weight_is_found(family, message):
    mask = packing.FAMILIES[family]((32, 128), 0.25, channels=32)
    packing.verify(mask.keep, family=family, channels=32)
    places = mask.grid.units(4)
    taken = first(mask.keep[:1])
    given = (0, np.flatnonzero(~mask.keep[0] & (places != places[taken[1]]) & (np.arange(128) % 4 != taken[1] % 4))[0])
    with pytest.raises(SparsenetError, match=message):
        packing.verify(moved(mask, taken, given), family=family, channels=32)


def test_outputs_of_a_tile_that_keep_other_taps_are_found():
    keep = packing.taps((32, 4, 3, 3), 0.3).keep.copy()
    keep[5] = np.roll(keep[5], 1, axis=-1)
    with pytest.raises(SparsenetError, match="tiles of 16 outputs .* at output 0 and .* at output 5, position"):
        packing.verify(keep, family="taps")


def test_a_missing_weight_is_found():
    keep = packing.uniform((8, 16), 0.25).keep.copy()
    keep[3] = False
    with pytest.raises(SparsenetError, match="got 4 at output 0 and 0 at output 3"):
        packing.verify(keep, family="uniform")


def test_nothing_kept_is_no_overlap():
    packing.verify(np.zeros((3, 4), bool), sets=[0, 0, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: packing.verify(np.ones((2, 2), bool)), "expected a family of complementary, .*, or sets, got ''"),
        (lambda: packing.verify(np.ones((2, 2), bool), family="stripes"), "got 'stripes'"),
        (lambda: packing.verify(packing.uniform((2, 2), 0.5), family="taps"), "expected a Mask alone"),
        (lambda: packing.verify(np.ones((2, 2), bool), sets=[0]), "expected one integer set for each of 2 outputs"),
        (lambda: packing.verify(np.ones((2, 2), bool), sets=[0.0, 1.0]), "expected one integer set"),
        (lambda: packing.verify(np.ones((2, 2), bool), sets=[0, 2]), "expected sets from 0 to 1, got 0 to 2"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(SparsenetError, match=message):
        call()


def test_a_weight_is_no_mask():
    with pytest.raises(TypeError, match=re.escape("give `weight != 0`")):
        packing.verify(np.ones((2, 2)), family="uniform")
