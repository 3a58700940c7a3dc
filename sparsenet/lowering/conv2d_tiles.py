"""Implementations of convolutions of bytes on AMX tiles. Modules of kernels are imported when a layer is lowered."""

from functools import partial
from math import ceil

import numpy as np
import numpy.typing as npt

from sparsenet.layers import as_pair, kept_count
from sparsenet.lowering.byte_cost import TileWork, byte_tiles_cost
from sparsenet.lowering.bytes import no_tiles
from sparsenet.lowering.conv2d_bytes import SKIPS_TILES, ByteConv2d, after_sums, in_steps, of_bytes, packed_arrays
from sparsenet.lowering.draft import Arguments, scratch
from sparsenet.lowering.implementation import Bound
from sparsenet.lowering.predicted import Cost
from sparsenet_kernels.formats import Octets, Tiles, output_blocks, pack_octets, pack_slots, pack_tiles_conv2d
from sparsenet_kernels.formats.octets import OCTET, check_sets
from sparsenet_kernels.formats.pixels import SLOT_BYTES, slot_rows
from sparsenet_kernels.registry import Kernel

__all__ = ["TILE_IMPLEMENTATIONS"]


def _slots(problem: ByteConv2d) -> npt.NDArray[np.int8]:
    return problem.task.draft.once(pack_slots, problem.layer.weight)


def _bind_pixels(problem: ByteConv2d, kernel: Kernel) -> Bound:
    from sparsenet_kernels.cpu.conv2d_i8_amx_pixels import PIXEL_SUMS

    draft, layer, packed = problem.task.draft, problem.layer, _slots(problem)
    (height, width), kernel_height = problem.padded, problem.kernel[0]
    sums = scratch(draft, PIXEL_SUMS)
    given: Arguments = {
        "weights": packed,
        **after_sums(layer),
        "kernel_height": kernel_height,
        "slots": scratch(draft, slot_rows(height, kernel_height), width, SLOT_BYTES, item_bytes=1),
        "sums": sums,
    }
    return Bound(given, kept_count(layer) / packed.size)


def _fits_pixels(problem: ByteConv2d) -> str:
    from sparsenet_kernels.cpu.conv2d_i8_amx_pixels import fits_pixels

    layer = problem.layer
    stride, dilation = as_pair(layer.stride), as_pair(layer.dilation)
    if problem.stride != 1 or not fits_pixels(problem.kernel, problem.out, stride, dilation, 1, layer.groups):
        return "it takes an image of one channel, and a small filter without steps, dilation or groups"
    return no_tiles(problem.task)


def _pixels_cost(problem: ByteConv2d) -> Cost:
    (height, width), blocks = problem.out, len(_slots(problem))
    parts = ceil(width / 16)
    work = TileWork(4 * height * parts * blocks, ceil(width / parts), 4 * height * width * blocks)
    return byte_tiles_cost(work, problem.task.plan.machine)


def _tiles(problem: ByteConv2d) -> Tiles:
    layer = problem.layer
    return problem.task.draft.once(pack_tiles_conv2d, layer.weight, problem.stride, depth=64, groups=layer.groups)


def _bind_tiles(problem: ByteConv2d, kernel: Kernel) -> Bound:
    from sparsenet_kernels.cpu.tile_sums import TILE_SUMS

    layer, packed = problem.layer, _tiles(problem)
    weights = packed_arrays(problem, packed)
    sums = scratch(problem.task.draft, TILE_SUMS)
    return Bound({**weights, **after_sums(layer), **in_steps(layer), "sums": sums}, packed.fill)


def _fits_tiles(problem: ByteConv2d) -> str:
    from sparsenet_kernels.cpu.conv2d_i8_amx import fits_tiles

    if why := no_tiles(problem.task):
        return why
    if not fits_tiles(problem.out, problem.stride):
        return "it takes pixels of whole vectors"
    problem.check_offsets()
    return ""


def _tiles_cost(problem: ByteConv2d) -> Cost:
    return byte_tiles_cost(_work(problem, len(_tiles(problem).weights)), problem.task.plan.machine)


def _octets(problem: ByteConv2d) -> Octets:
    layer = problem.layer
    return problem.task.draft.once(pack_octets, layer.weight, problem.stride, groups=layer.groups)


def _bind_octets(problem: ByteConv2d, kernel: Kernel) -> Bound:
    from sparsenet_kernels.cpu.tile_sums import TILE_SUMS

    draft, layer, packed, image = problem.task.draft, problem.layer, _octets(problem), problem.padded
    given: Arguments = {
        **packed.arrays(image, as_pair(layer.dilation)[0]),
        **after_sums(layer),
        **in_steps(layer),
        "sets": scratch(draft, packed.set_count, image[0] * image[1], OCTET, item_bytes=1),
        "sums": scratch(draft, TILE_SUMS),
    }
    return Bound(given, packed.fill)


def _fits_octets(problem: ByteConv2d) -> str:
    from sparsenet_kernels.cpu.conv2d_i8_octets import fits_octets

    if why := no_tiles(problem.task):
        return why
    dilation = as_pair(problem.layer.dilation)
    if not fits_octets(problem.kernel, problem.padded, problem.out, problem.stride, dilation):
        return "it takes at least eight pixels of whole vectors, and a narrow filter without horizontal dilation"
    check_sets(_octets(problem).set_count, problem.padded)
    return ""


def _octets_cost(problem: ByteConv2d) -> Cost:
    packed, (height, width) = _octets(problem), problem.padded
    eights = len(packed.tables) * ceil(height * width / 8)
    return byte_tiles_cost(_work(problem, len(packed.weights), eights), problem.task.plan.machine)


def _work(problem: ByteConv2d, tiles: int, eights: int = 0) -> TileWork:
    """Count what a list of tiles takes: each meets every row of outputs, in parts of at most 16."""
    size = 2 if problem.fused else 1
    height, width = size * problem.out[0], size * problem.out[1]
    parts = ceil(width / 16)
    vectors = height * width * output_blocks(problem.outputs)
    return TileWork(tiles * height * parts, ceil(width / parts), vectors, eights)


_on_tiles = partial(of_bytes, variant="amx", split="rows")
SKIPS_SETS = "takes only the channels that 16 outputs share"

TILE_IMPLEMENTATIONS = (
    _on_tiles("tiles", "pixels", SKIPS_TILES, _pixels_cost, _bind_pixels, _fits_pixels, alone=False),
    _on_tiles("tiles", "dense", SKIPS_TILES, _tiles_cost, _bind_tiles, _fits_tiles),
    _on_tiles("octets", "dense", SKIPS_SETS, _octets_cost, _bind_octets, _fits_octets),
)
