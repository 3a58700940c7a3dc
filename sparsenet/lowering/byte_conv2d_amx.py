"""Candidates for convolutions of bytes on AMX tiles."""

from math import ceil

from sparsenet.layers import as_pair, kept_count
from sparsenet.lowering.byte_choice import Candidate
from sparsenet.lowering.byte_cost import TileWork, byte_tiles_cost
from sparsenet.lowering.byte_geometry import ByteGeometry, Maker, window_offsets
from sparsenet.lowering.byte_values import byte_buffer
from sparsenet.lowering.values import Arguments, Draft, View, scratch
from sparsenet.lowering.weighted import Plan
from sparsenet_kernels.cpu.conv2d_i8_amx import fits_tiles
from sparsenet_kernels.cpu.conv2d_i8_amx_pixels import PIXEL_SUMS, fits_pixels
from sparsenet_kernels.cpu.conv2d_i8_octets import fits_octets
from sparsenet_kernels.cpu.tile_sums import TILE_SUMS
from sparsenet_kernels.formats.octets import OCTET, check_sets, octet_offsets, pack_octets
from sparsenet_kernels.formats.pixels import pack_slots, slot_rows
from sparsenet_kernels.formats.tiles import output_blocks
from sparsenet_kernels.formats.tiles_conv2d import pack_bias, pack_tiles_conv2d

__all__ = ["AMX_CANDIDATES"]


def _pixels(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer = geometry.layer
    kernel = layer.weight.shape[2:]
    stride, dilation = as_pair(layer.stride), as_pair(layer.dilation)
    if not pool or geometry.stride != 1 or not fits_pixels(kernel, geometry.out, stride, dilation, 1, layer.groups):
        return None
    packed = draft.once(pack_slots, layer.weight)

    def bind() -> Arguments:
        slots = (slot_rows(geometry.padded[0], kernel[0]), geometry.padded[1], 8)
        sums = scratch(draft, PIXEL_SUMS)
        spread = View(byte_buffer(draft, *slots, per_sample=False), slots)
        return (packed, pack_bias(layer.bias, layer.weight, layer.shift), layer.shift, kernel[0], spread, sums)

    height, width = geometry.out
    parts = ceil(width / 16)
    work = TileWork(4 * height * parts * len(packed), ceil(width / parts), 4 * height * width * len(packed))
    cost = byte_tiles_cost(work, plan.machine)
    return Candidate("conv2d_pool2_i8_tiles_pixels__amx", kept_count(layer) / packed.size, cost, bind)


def _tiles(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer = geometry.layer
    if not fits_tiles(geometry.out, geometry.stride):
        return None
    geometry.check_offsets()
    packed = draft.once(pack_tiles_conv2d, layer.weight, geometry.stride, depth=64, groups=layer.groups)

    def bind() -> Arguments:
        offsets = window_offsets(geometry, packed.columns)
        weights = packed.indptr, offsets, packed.weights, pack_bias(layer.bias, layer.weight, layer.shift)
        return (*weights, layer.shift, *as_pair(layer.stride), scratch(draft, TILE_SUMS))

    cost = byte_tiles_cost(_work(geometry, pool, len(packed.weights)), plan.machine)
    return Candidate(_name("tiles", pool), packed.fill, cost, bind)


def _octets(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer, image = geometry.layer, geometry.padded
    dilation = as_pair(layer.dilation)
    if not fits_octets(layer.weight.shape[2:], image, geometry.out, geometry.stride, dilation):
        return None
    packed = draft.once(pack_octets, layer.weight, geometry.stride, groups=layer.groups)
    check_sets(packed.set_count, image)

    def bind() -> Arguments:
        shape = packed.set_count, image[0] * image[1], OCTET
        taken = View(byte_buffer(draft, *shape, per_sample=False), shape)
        arrays = packed.tables, packed.chosen, packed.indptr, octet_offsets(packed, image, dilation[0]), packed.weights
        bias = pack_bias(layer.bias, layer.weight, layer.shift)
        return (*arrays, bias, layer.shift, *as_pair(layer.stride), taken, scratch(draft, TILE_SUMS))

    eights = len(packed.tables) * ceil(image[0] * image[1] / 8)
    cost = byte_tiles_cost(_work(geometry, pool, len(packed.weights), eights), plan.machine)
    return Candidate(_name("octets", pool), packed.fill, cost, bind)


def _name(form: str, pool: bool) -> str:
    return f"conv2d{'_pool2' if pool else ''}_i8_{form}_dense__amx"


def _work(geometry: ByteGeometry, pool: bool, tiles: int, eights: int = 0) -> TileWork:
    """Count what a list of tiles takes: each meets every row of outputs, in parts of at most 16."""
    size = 2 if pool else 1
    height, width = size * geometry.out[0], size * geometry.out[1]
    parts = ceil(width / 16)
    vectors = height * width * output_blocks(len(geometry.layer.weight))
    return TileWork(tiles * height * parts, ceil(width / parts), vectors, eights)


AMX_CANDIDATES: tuple[Maker, ...] = (_pixels, _tiles, _octets)
