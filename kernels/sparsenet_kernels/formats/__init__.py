"""How weights lie in memory: one frozen dataclass per format, with pack, unpack and validate.

A format takes any mask: all zero, all dense, empty rows and columns. The zeros of `weight` are the sparsity; a mask may
be given where a kept weight happens to be zero. An instance that exists is valid: it is checked when it is made (also
when it is unpickled or copied), and its arrays are read-only; kernels therefore check nothing.

A convolution is packed as a matrix whose columns are the taps of its window: the tap (ky, kx) of input channel c is
column (ky * kw + kx) * C + c, so the C channels of one input pixel are C neighbouring columns.

Each format gives its arrays by the names that kernels have for them, ``packed.arrays()``: the names of the arguments
whose roles are "weight" and "index", and of the bias where it is padded for the kernel.

Dense weights lie in panels, which are arrays and no dataclass: nothing about them could be malformed. Planes are no
weights, but say where sparse weights find the image that they meet; padded sums, where they add up.
"""

from .blocks import Blocks, pack_blocks, pack_blocks_conv2d, unpack_blocks, validate_blocks
from .blocks4x16 import Blocks4x16, pack_blocks4x16, unpack_blocks4x16, validate_blocks4x16
from .bytes import pack_dense_i8, padded_to_tiles
from .complementary import (
    Complementary,
    overlaps,
    pack_complementary,
    pack_complementary_conv2d,
    unpack_complementary,
    validate_complementary,
)
from .conv2d_columns import conv2d_matrix, conv2d_weight
from .csc import Csc, pack_csc, pack_csc_conv2d, unpack_csc, validate_csc
from .csr import Csr, pack_csr, pack_csr_conv2d, unpack_csr, validate_csr
from .lookup import Lookup, pack_lookup, unpack_lookup, validate_lookup
from .octets import Octets, octet_offsets, pack_octets, unpack_octets, validate_octets
from .padded_sums import PaddedSums
from .panels import PANEL_VECTORS, Panels, pack_panels, pack_panels_conv2d
from .pixels import pack_slots, slot_rows, spread_pixels_weight
from .planes import Planes
from .tiles import AMX_DEPTH, VECTOR_DEPTH, Tiles, output_blocks, pack_tiles, unpack_tiles, validate_tiles
from .tiles_conv2d import (
    pack_bias,
    pack_lookup_conv2d,
    pack_tiles_conv2d,
    padded_conv2d_matrix,
    tap_offsets,
    window_arrays,
)

__all__ = [
    "AMX_DEPTH",
    "PANEL_VECTORS",
    "VECTOR_DEPTH",
    "Blocks",
    "Blocks4x16",
    "Complementary",
    "Csc",
    "Csr",
    "Lookup",
    "Octets",
    "PaddedSums",
    "Panels",
    "Planes",
    "Tiles",
    "conv2d_matrix",
    "conv2d_weight",
    "octet_offsets",
    "output_blocks",
    "overlaps",
    "pack_bias",
    "pack_blocks",
    "pack_blocks4x16",
    "pack_blocks_conv2d",
    "pack_complementary",
    "pack_complementary_conv2d",
    "pack_csc",
    "pack_csc_conv2d",
    "pack_csr",
    "pack_csr_conv2d",
    "pack_dense_i8",
    "pack_lookup",
    "pack_lookup_conv2d",
    "pack_octets",
    "pack_panels",
    "pack_panels_conv2d",
    "pack_slots",
    "pack_tiles",
    "pack_tiles_conv2d",
    "padded_conv2d_matrix",
    "padded_to_tiles",
    "slot_rows",
    "spread_pixels_weight",
    "tap_offsets",
    "unpack_blocks",
    "unpack_blocks4x16",
    "unpack_complementary",
    "unpack_csc",
    "unpack_csr",
    "unpack_lookup",
    "unpack_octets",
    "unpack_tiles",
    "validate_blocks",
    "validate_blocks4x16",
    "validate_complementary",
    "validate_csc",
    "validate_csr",
    "validate_lookup",
    "validate_octets",
    "validate_tiles",
    "window_arrays",
]
