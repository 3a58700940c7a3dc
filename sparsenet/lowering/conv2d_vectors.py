"""The implementations of convolutions of bytes on vectors."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from sparsenet.lowering.byte_cost import byte_conv2d_cost
from sparsenet.lowering.bytes import VECTOR_BYTES, other_width
from sparsenet.lowering.conv2d_bytes import SKIPS_TILES, ByteConv2d, after_sums, in_steps, of_bytes, packed_arrays
from sparsenet.lowering.draft import Arguments, scratch
from sparsenet.lowering.implementation import Bound
from sparsenet.lowering.predicted import Cost
from sparsenet_kernels.formats import Lookup, Tiles, pack_lookup_conv2d, pack_tiles_conv2d, slot_rows, window_arrays
from sparsenet_kernels.formats.pixels import SLOT_BYTES, spread_pixels_weight
from sparsenet_kernels.formats.tiles_conv2d import check_window
from sparsenet_kernels.registry import Kernel

__all__ = ["VECTOR_IMPLEMENTATIONS"]


def _pixels(problem: ByteConv2d) -> Tiles:
    return problem.task.draft.once(_pack_pixels, problem.layer.weight)


def _pack_pixels(weight: npt.NDArray[np.int8]) -> Tiles:
    return pack_tiles_conv2d(spread_pixels_weight(weight), channels=SLOT_BYTES, depth=4)


def _bind_pixels(problem: ByteConv2d, kernel: Kernel) -> Bound:
    layer, packed = problem.layer, _pixels(problem)
    (height, width), (kernel_height, kernel_width) = problem.padded, problem.kernel
    given: Arguments = {
        **window_arrays(packed, SLOT_BYTES, kernel_width, width),
        **after_sums(layer),
        **in_steps(layer),
        "kernel_height": kernel_height,
        "slots": scratch(problem.task.draft, slot_rows(height, kernel_height), width, SLOT_BYTES, item_bytes=1),
    }
    return Bound(given, packed.fill)


def _fits_pixels(problem: ByteConv2d) -> str:
    if not problem.on_pixels:
        return "it takes an image of one channel, and a small filter without dilation or groups"
    kernel_height, kernel_width = problem.kernel
    check_window((slot_rows(kernel_height, kernel_height), kernel_width), SLOT_BYTES, problem.padded[1])
    return ""


def _tiles(problem: ByteConv2d) -> Tiles:
    layer = problem.layer
    return problem.task.draft.once(pack_tiles_conv2d, layer.weight, problem.stride, depth=4, groups=layer.groups)


def _bind_tiles(problem: ByteConv2d, kernel: Kernel) -> Bound:
    layer, packed = problem.layer, _tiles(problem)
    return Bound({**packed_arrays(problem, packed), **after_sums(layer), **in_steps(layer)}, packed.fill)


def _lookup(problem: ByteConv2d) -> Lookup:
    return problem.task.draft.once(pack_lookup_conv2d, problem.layer.weight, problem.stride, problem.layer.groups)


def _bind_lookup(problem: ByteConv2d, kernel: Kernel) -> Bound:
    layer, packed = problem.layer, _lookup(problem)
    return Bound({**packed_arrays(problem, packed), **after_sums(layer), **in_steps(layer)}, packed.fill)


def _fits_vectors(problem: ByteConv2d) -> str:
    if problem.stride % VECTOR_BYTES:
        return "it takes pixels of whole vectors"
    problem.check_offsets()
    return ""


def _fits_lookup(problem: ByteConv2d) -> str:
    if not problem.task.plan.machine.has_byte_lookup:
        return "this processor cannot look up bytes in a vector (avx512vbmi)"
    return _fits_vectors(problem)


def _cost(problem: ByteConv2d, pack: Callable[[ByteConv2d], Tiles | Lookup], chosen: bool = False) -> Cost:
    """Predict by the vectors of weights that are stored; ``chosen`` where each output chooses its own inputs."""
    positions = problem.out[0] * problem.out[1] * (4 if problem.fused else 1)
    return byte_conv2d_cost(positions * len(pack(problem).weights), problem.task.plan.machine, chosen)


def _on(width: str, fits: Callable[[ByteConv2d], str], problem: ByteConv2d) -> str:
    """Say why a kernel cannot run, or that it is for vectors of another width."""
    return other_width(problem.task, width) or fits(problem)


SKIPS_ZEROS = "skips zero weights, each output its own"

_KINDS = (
    of_bytes("tiles", "pixels", SKIPS_TILES, partial(_cost, pack=_pixels), _bind_pixels, _fits_pixels),
    of_bytes("tiles", "dense", SKIPS_TILES, partial(_cost, pack=_tiles), _bind_tiles, _fits_vectors, split="rows"),
    of_bytes(
        "lookup",
        "dense",
        SKIPS_ZEROS,
        partial(_cost, pack=_lookup, chosen=True),
        _bind_lookup,
        _fits_lookup,
        split="rows",
    ),
)

VECTOR_IMPLEMENTATIONS = tuple(
    replace(kind, variant=width, fits=partial(_on, width, kind.fits)) for width in ("wide", "narrow") for kind in _KINDS
)
