"""Packed weights print themselves in a line, and in notebooks as a table that is small whatever they hold."""

import numpy as np
import pytest

from sparsenet_kernels import formats

WEIGHT = np.where(np.random.default_rng(0).random((64, 64)) < 0.2, 1.0, 0.0)
BYTES = WEIGHT.astype(np.int8)

PACKED = {
    "Blocks": lambda: formats.pack_blocks(WEIGHT),
    "Blocks4x16": lambda: formats.pack_blocks4x16(BYTES),
    "Complementary": lambda: formats.pack_complementary(WEIGHT),
    "Csc": lambda: formats.pack_csc(WEIGHT),
    "Csr": lambda: formats.pack_csr(WEIGHT),
    "Lookup": lambda: formats.pack_lookup(BYTES),
    "Octets": lambda: formats.pack_octets(BYTES.reshape(64, 64, 1, 1), 64),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_format_says_what_it_is_in_a_line(name):
    packed = PACKED[name]()
    said = repr(packed)
    assert said.startswith(f"<{name} 64 ")
    assert f"{packed.size_bytes:,} bytes" in said
    assert f"{packed.fill:.1%} full" in said
    assert len(said) < 300
    assert "\n" not in said


@pytest.mark.parametrize("name", PACKED)
def test_in_notebooks_it_lists_its_arrays(name):
    packed = PACKED[name]()
    arrays = [value for value in vars(packed).values() if isinstance(value, np.ndarray)]
    assert packed._repr_html_().count("<tr>") == 1 + len(arrays)
