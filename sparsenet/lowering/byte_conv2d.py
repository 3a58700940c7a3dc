"""Lowering convolutions of bytes."""

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.layers import QuantizedConv2d, as_pair
from sparsenet.lowering.byte_choice import Candidate, choose_candidate
from sparsenet.lowering.byte_conv2d_amx import AMX_CANDIDATES
from sparsenet.lowering.byte_cost import byte_conv2d_cost
from sparsenet.lowering.byte_geometry import ByteGeometry, Maker, window_offsets
from sparsenet.lowering.byte_values import VECTOR_BYTES, Bytes, byte_buffer, padded_layout, restrided
from sparsenet.lowering.footprint import refuse_padding
from sparsenet.lowering.predicted import Cost
from sparsenet.lowering.values import Arguments, Draft, View, emit
from sparsenet.lowering.weighted import Plan
from sparsenet.ops.shapes import Shape
from sparsenet_kernels.formats.pixels import SLOT_BYTES, slot_rows, spread_pixels_weight
from sparsenet_kernels.formats.tiles import Tiles
from sparsenet_kernels.formats.tiles_conv2d import (
    check_window,
    pack_bias,
    pack_lookup_conv2d,
    pack_tiles_conv2d,
    tap_offsets,
)
from sparsenet_kernels.indices import IndexRangeError
from sparsenet_kernels.simd.amx import amx_available

__all__ = ["lower_quantized_conv2d"]

Array = npt.NDArray[Any]

LARGEST_PIXELS_FILTER = 8
"""Filters up to this height and width are computed on the pixels of an image of one channel."""


def lower_quantized_conv2d(
    draft: Draft, plan: Plan, layer: QuantizedConv2d, value: Bytes, shape: Shape, out_shape: Shape, pool: bool
) -> Bytes:
    """Emit the kernel that the planner chooses for a convolution of bytes, with a 2 x 2 max pooling or without."""
    _, H, W = shape
    N, OH, OW = out_shape
    if value.stride == 1 and not _fits_pixels(layer):
        value = restrided(draft, value)
    taps = prod(layer.weight.shape[2:])
    refuse_padding(draft.layer, -(-N // 16) * 16 * taps * value.stride, layer.weight.size)
    geometry = ByteGeometry(layer, value.stride, H, W, (OH, OW))
    image = _padded(draft, geometry, value)
    chosen = choose_candidate(draft, plan, _conv2d_candidates(draft, plan, geometry, pool))
    layout = replace(padded_layout(1, N), rows=OH * OW)  # outputs are always padded to whole vectors
    arguments = chosen.bind()
    out = byte_buffer(draft, *layout.shape)
    emit(draft, chosen.kernel, image, *arguments, View(out, (OH, OW, layout.stride)))
    return Bytes(OH * OW, N, layout, out)


def _padded(draft: Draft, geometry: ByteGeometry, value: Bytes) -> View:
    """Return the image with its padding around it, copied only where it has one."""
    shape = (*geometry.padded, value.stride)
    seen = shape if value.stride > 1 else geometry.padded  # pixels have no axis of channels
    if as_pair(geometry.layer.padding) == (0, 0):
        return View(value.buffer, seen)
    padded = byte_buffer(draft, *shape)
    source = View(value.buffer, (geometry.height, geometry.width, value.stride))
    emit(draft, "pad2d_i8", source, *as_pair(geometry.layer.padding), geometry.layer.zero, View(padded, shape))
    return View(padded, seen)


def _conv2d_candidates(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> list[Candidate]:
    makers: list[Maker] = [_pixels_candidate, _fours_candidate, _lookup_candidate]
    if amx_available():
        makers = [*AMX_CANDIDATES, *makers]
    found, wrong = [], []
    for maker in makers:
        try:
            found.append(maker(draft, plan, geometry, pool))
        except IndexRangeError as error:  # others may count further
            wrong.append(error)
    candidates = [candidate for candidate in found if candidate is not None]
    if wrong and not candidates:
        raise wrong[-1]
    return candidates


def _pixels_candidate(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer = geometry.layer
    kernel_height, kernel_width = layer.weight.shape[2:]
    if geometry.stride != 1 or not _fits_pixels(layer):
        return None
    check_window((slot_rows(kernel_height, kernel_height), kernel_width), SLOT_BYTES, geometry.padded[1])
    packed = draft.once(_pack_pixels, layer.weight)

    def bind() -> Arguments:
        offsets = tap_offsets(packed.columns, SLOT_BYTES, kernel_width, geometry.padded[1])
        slots = (slot_rows(geometry.padded[0], kernel_height), geometry.padded[1], SLOT_BYTES)
        spread = View(byte_buffer(draft, *slots, per_sample=False), slots)
        return (*_listed(geometry, packed.indptr, offsets, packed.weights), kernel_height, spread)

    name = _vector_name("tiles_pixels", plan, pool)
    return Candidate(name, packed.fill, _vectors_cost(plan, geometry, pool, len(packed.weights)), bind)


def _fits_pixels(layer: QuantizedConv2d) -> bool:
    plain = as_pair(layer.dilation) == (1, 1) and layer.groups == 1
    return plain and max(layer.weight.shape[2:]) <= LARGEST_PIXELS_FILTER


def _pack_pixels(weight: npt.NDArray[np.int8]) -> Tiles:
    return pack_tiles_conv2d(spread_pixels_weight(weight), channels=SLOT_BYTES, depth=4)


def _fours_candidate(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer = geometry.layer
    if geometry.stride % VECTOR_BYTES:
        return None
    geometry.check_offsets()
    packed = draft.once(pack_tiles_conv2d, layer.weight, geometry.stride, depth=4, groups=layer.groups)

    def bind() -> Arguments:
        return _listed(geometry, packed.indptr, window_offsets(geometry, packed.columns), packed.weights)

    name = _vector_name("tiles_dense", plan, pool)
    return Candidate(name, packed.fill, _vectors_cost(plan, geometry, pool, len(packed.weights)), bind)


def _lookup_candidate(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer = geometry.layer
    if geometry.stride % VECTOR_BYTES or "avx512vbmi" not in plan.machine.features:
        return None
    geometry.check_offsets()
    packed = draft.once(pack_lookup_conv2d, layer.weight, geometry.stride, layer.groups)

    def bind() -> Arguments:
        indptr, offsets, *rest = _listed(
            geometry, packed.indptr, window_offsets(geometry, packed.offsets), packed.weights
        )
        return (indptr, offsets, packed.indices, *rest)

    cost = _vectors_cost(plan, geometry, pool, len(packed.weights), chosen=True)
    return Candidate(_vector_name("lookup_dense", plan, pool), packed.fill, cost, bind)


def _listed(geometry: ByteGeometry, indptr: Array, offsets: Array, weights: Array) -> Arguments:
    """Return the arguments that every kernel which walks a list of weights takes."""
    layer = geometry.layer
    bias = pack_bias(layer.bias, layer.weight, layer.shift)
    return indptr, offsets, weights, bias, layer.shift, *as_pair(layer.stride)


def _vector_name(form: str, plan: Plan, pool: bool) -> str:
    size = plan.machine.register_width
    return f"{'conv2d_pool2' if pool else 'conv2d'}_i8_{form}__{size}"


def _vectors_cost(plan: Plan, geometry: ByteGeometry, pool: bool, stored: int, chosen: bool = False) -> Cost:
    positions = geometry.out[0] * geometry.out[1] * (4 if pool else 1)
    return byte_conv2d_cost(positions * stored, plan.machine, chosen)
