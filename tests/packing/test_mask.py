"""Masks are values that nobody changes, and show themselves."""

import base64
import pickle
import re

import numpy as np
import pytest

from sparsenet import SparsenetError, packing


def test_masks_are_copies_that_cannot_be_written():
    keep = np.eye(4, dtype=bool)
    mask = packing.Mask(keep)
    keep[0, 1] = True
    assert not mask.keep[0, 1]
    for held in (mask, pickle.loads(pickle.dumps(packing.taps((16, 2, 2, 2), 0.5)))):
        with pytest.raises(ValueError, match="read-only"):
            held.keep[0] = True


def test_pickled_masks_are_the_same():
    mask = packing.partitioned((32, 128), 0.25, channels=64, seed=3)
    again = pickle.loads(pickle.dumps(mask))
    np.testing.assert_array_equal(again.keep, mask.keep)
    assert (again.family, again.fills, again.parameters) == (mask.family, mask.fills, mask.parameters)
    assert again.parameters == {"density": 0.25, "seed": 3, "per_group": 4, "channels": 64}


def test_masks_are_arrays_to_numpy():
    mask = packing.uniform((4, 8), 0.5)
    np.testing.assert_array_equal(np.ones((4, 8)) * np.asarray(mask), mask.keep.astype(float))
    assert np.asarray(mask, np.float32).dtype == np.float32


def test_only_complementary_masks_have_sets():
    assert packing.complementary((6, 9), 1 / 3).sets.tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(SparsenetError, match="`pack` finds sets for any mask"):
        packing.uniform((6, 9), 1 / 3).sets  # noqa: B018


def test_text():
    mask = packing.taps((32, 2, 2, 2), 0.25, seed=1)
    line, *picture = str(mask).splitlines()
    assert line == repr(mask)
    assert line.startswith("Mask(taps, 32x2x2x2, 64 kept, 25.00%, density=0.25, seed=1")
    assert len(picture) == 16
    assert {len(row) for row in picture} == {8 + 2}
    assert all(row.count("@") == 2 for row in picture)  # two channels of one tap, neighbours in memory
    assert all("@@" in row for row in picture)


def test_pictures_of_large_masks_are_small():
    assert max(len(line) for line in str(packing.uniform((1500, 1600), 0.04)).splitlines()[1:]) == 102


def test_notebooks_show_an_image():
    mask = packing.Mask(np.eye(3, dtype=bool), family="<b>")
    html = mask._repr_html_()
    assert "&lt;b&gt;" in html
    image = base64.b64decode(re.search(r"base64,([^\"]+)", html).group(1))
    assert image.startswith(b"\x89PNG")


def test_images_can_be_read():
    """Through another reader of PNG: black on the diagonal, white elsewhere."""
    import io

    from matplotlib import image as images

    html = packing.Mask(np.eye(3, 5, dtype=bool))._repr_html_()
    data = base64.b64decode(re.search(r"base64,([^\"]+)", html).group(1))
    np.testing.assert_array_equal(images.imread(io.BytesIO(data), format="png"), 1 - np.eye(3, 5))
