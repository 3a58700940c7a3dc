"""No index leaves its type: what is narrowed is looked at, what shapes allow is proven, and nobody goes around."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import sparsenet
import sparsenet_kernels
from sparsenet_kernels.formats import (
    PaddedSums,
    Planes,
    octet_offsets,
    pack_blocks_conv2d,
    pack_octets,
    tap_offsets,
)
from sparsenet_kernels.formats.octets import check_sets
from sparsenet_kernels.formats.tiles_conv2d import check_window
from sparsenet_kernels.indices import IndexRangeError, check_index, narrowed
from sparsenet_kernels.reference import flatten_active

NARROW = [np.int32, np.int16, np.uint16, np.int8, np.uint8, np.uint32]
MOST = 2**31 - 1


@given(arrays(np.int64, st.integers(0, 5)), st.sampled_from(NARROW))
def test_what_is_narrowed_is_the_same_or_refused(values, dtype):
    limits = np.iinfo(dtype)
    if all(limits.min <= value <= limits.max for value in values.tolist()):
        assert narrowed(values, dtype, "offsets").tolist() == values.tolist()
        assert narrowed(values, dtype, "offsets").dtype == dtype
    else:
        with pytest.raises(IndexRangeError, match=rf"^expected offsets from {limits.min} to {limits.max}, got -?\d+$"):
            narrowed(values, dtype, "offsets")


@pytest.mark.parametrize("number", [0.5, np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_whole_number_is_no_index(number):
    with pytest.raises(IndexRangeError, match="expected offsets"):
        narrowed([1.0, number], np.int32, "offsets")


@given(st.integers(MOST - 2, MOST + 2))
def test_the_largest_index_is_the_last_that_fits(largest):
    if largest <= MOST:
        check_index(largest, np.int32, "bytes", "stop")
    else:
        with pytest.raises(IndexRangeError, match=f"^expected at most {MOST} bytes, got {largest}; stop$"):
            check_index(largest, np.int32, "bytes", "stop")


def fits(prove, *arguments, **settings):
    try:
        prove(*arguments, **settings)
    except IndexRangeError:
        return False
    return True


PAIRS = st.tuples(st.integers(1, 5), st.integers(1, 5))


@st.composite
def windows(draw):
    """Draw a window whose last byte lies around 2**31 bytes behind its first, or anywhere."""
    kernel, channels = draw(PAIRS), draw(st.sampled_from([8, 64, 128]))
    dilation = draw(st.integers(1, 2**15)), draw(st.integers(1, 2**15))
    rows = max((kernel[0] - 1) * dilation[0], 1)
    near = max((2**31 // channels - (kernel[1] - 1) * dilation[1]) // rows, 1)
    return kernel, channels, draw(st.integers(max(near - 2, 1), near + 2) | st.integers(1, 2**28)), dilation


@given(windows())
def test_windows_are_proven_to_the_byte(window):
    kernel, channels, width, dilation = window
    last = np.array([kernel[0] * kernel[1] * channels - 1])
    reach = ((kernel[0] - 1) * dilation[0] * width + (kernel[1] - 1) * dilation[1] + 1) * channels - 1
    assert fits(check_window, kernel, channels, width, dilation) == (reach <= MOST)
    assert fits(tap_offsets, last, channels, kernel[1], width, dilation) == (reach <= MOST)
    if reach <= MOST:
        assert tap_offsets(last, channels, kernel[1], width, dilation).tolist() == [reach]


@st.composite
def images(draw):
    """Draw channels and the size of an image of up to 2**28 numbers."""
    channels = draw(st.sampled_from([1, 2, 5, 64, 4096]))
    height = draw(st.sampled_from([1, 2, 100, 20_000]))
    width = draw(st.integers(1, 2**28 // (channels * height)))
    return channels, (height, width)


@given(images(), PAIRS, PAIRS, st.tuples(st.integers(0, 2**15), st.integers(0, 2)), PAIRS)
def test_what_planes_promise_to_hold_fits(image, kernel, stride, padding, dilation):
    channels, size = image
    planes = Planes(channels, size, stride, padding, dilation)
    if fits(planes.check_offsets, (1, 1)):
        taps = np.array([0, kernel[0] * kernel[1] * channels - 1])
        assert 0 <= planes.offsets(taps, kernel[1]).max() <= MOST
        assert planes.total_size((1, 1)) <= MOST
    else:
        assert planes.total_size((1, 1)) > MOST


@given(images(), PAIRS, st.integers(1, 80), st.integers(1, 20_000))
def test_what_sums_promise_to_hold_fits(image, kernel, outputs, dilation):
    channels, size = 1, image[1]
    reach = tuple((taps - 1) * dilation for taps in kernel)
    out = tuple(max(side - more, 1) for side, more in zip(size, reach, strict=True))
    sums = PaddedSums(outputs, size, out, kernel, (1, 1), (0, 0), (dilation, dilation))
    packed = pack_blocks_conv2d(np.ones((outputs, channels, *kernel), np.float32))
    if fits(sums.check_offsets):
        offsets = sums.grouped(packed)[2]
        assert 0 <= offsets.min() <= offsets.max() < sums.total_size <= MOST
    else:
        assert sums.total_size > MOST


@given(st.integers(1, 5), st.sampled_from([(1, 2**28), (2**14, 2**14), (8, 8)]), st.integers(0, 2))
def test_what_sets_promise_to_hold_fits(height, image, away):
    packed = pack_octets(np.ones((1, 64, height, 1), np.int8), channels=64)
    size = image[0], max(image[1] - away, 1)
    if fits(check_sets, packed.set_count, size):
        assert fits(octet_offsets, packed, size) or height > size[0]
    else:
        assert packed.set_count * size[0] * size[1] * 8 > MOST


def test_flattened_lists_count_in_int32_or_not_at_all():
    columns = np.broadcast_to(np.int32(0), (1, 2, 1))
    assert flatten_active(columns, np.ones((1, 2, 1)), 2**30 - 1)[0].tolist() == [[[0, 2**30 - 1]]]
    with pytest.raises(IndexRangeError, match="expected at most 2147483647 places in 2 rows of 1073741824"):
        flatten_active(columns, np.ones((1, 2, 1)), 2**30)


FLOORS = [
    Path(sparsenet_kernels.__file__).parent,
    *(Path(sparsenet.__file__).parent / room for room in ("engine", "lowering", "packing", "passes", "storage")),
]
NAMES = {np.dtype(dtype).name for dtype in NARROW}
CASTS = {"astype": 0, "array": 1, "asarray": 1}
"""Where a call to one of these names its dtype."""


def bare_casts(path):
    """Yield the lines of casts to narrow integers that nobody has looked at; clipping is a proof of its own."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CASTS:
            made, place = CASTS[node.func.attr], ast.unparse(node.func.value)
            named = [*node.args[made : made + 1], *(word.value for word in node.keywords if word.arg == "dtype")]
            values = place if made == 0 else ast.unparse(node.args[0])
            cast = (made == 0 or place == "np") and any(is_narrow(dtype) for dtype in named)
            if cast and not values.startswith("np.clip("):
                yield node.lineno


def is_narrow(dtype):
    """Tell whether an expression names a narrow integer type: ``np.int32``, ``"<u4"``."""
    if isinstance(dtype, ast.Constant) and isinstance(dtype.value, str):
        return np.dtype(dtype.value).name in NAMES
    return ast.unparse(dtype).rpartition(".")[2] in NAMES


def test_nobody_casts_indices_without_their_owner():
    """In the two packages' rooms that make what kernels read; drawn test cases and pictures aside."""
    found = [
        f"{path.relative_to(floor.parent)}:{line}"
        for floor in FLOORS
        for path in sorted(floor.rglob("*.py"))
        if "testing" not in path.parts
        for line in bare_casts(path)
    ]
    assert all(floor.is_dir() for floor in FLOORS)
    assert not found, f"use sparsenet_kernels.indices.narrowed there: {', '.join(found)}"


def test_the_search_for_casts_finds_them(tmp_path):
    source = "a.astype(np.int32)\nnp.array(x, np.uint16)\nnp.asarray(x, dtype='<u4')\nb.astype(np.float32)\n"
    (tmp_path / "module.py").write_text(source + "np.clip(x, 0, 255).astype(np.uint8)\nc.astype(np.int64)\n")
    assert list(bare_casts(tmp_path / "module.py")) == [1, 2, 3]
