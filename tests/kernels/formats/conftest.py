"""The formats side by side: whatever holds for one holds for all."""

from collections import namedtuple

import pytest

from sparsenet_kernels import formats

Format = namedtuple("Format", "packed pack pack_conv2d unpack validate")

ALL = [
    Format(formats.Csc, formats.pack_csc, formats.pack_csc_conv2d, formats.unpack_csc, formats.validate_csc),
    Format(formats.Csr, formats.pack_csr, formats.pack_csr_conv2d, formats.unpack_csr, formats.validate_csr),
    Format(
        formats.Complementary,
        formats.pack_complementary,
        formats.pack_complementary_conv2d,
        formats.unpack_complementary,
        formats.validate_complementary,
    ),
    Format(
        formats.Blocks, formats.pack_blocks, formats.pack_blocks_conv2d, formats.unpack_blocks, formats.validate_blocks
    ),
]


def name_of(kind):
    return kind.packed.__name__


@pytest.fixture(params=ALL, ids=name_of, scope="session")
def kind(request):
    return request.param


@pytest.fixture(params=[kind for kind in ALL if kind.packed is not formats.Blocks], ids=name_of, scope="session")
def exact_kind(request):
    """Give the formats that hold the mask itself: blocks only count what it keeps."""
    return request.param
