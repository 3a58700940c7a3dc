"""Lowering the layers of bytes that have weights: each format is packed, and its size decides."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.engine.byte_values import VECTOR_BYTES, Bytes, byte_buffer, byte_stride, in_memory_order, restrided
from sparsenet.engine.values import Argument, Draft, Value, View, emit
from sparsenet.engine.weighted import Plan
from sparsenet.errors import CompileError
from sparsenet.layers import QuantizedConv2d, QuantizedLinear, as_pair
from sparsenet.planner.choose import Choice
from sparsenet.planner.cost import byte_conv2d_us, byte_linear_us
from sparsenet.shapes import Shape
from sparsenet_kernels.cpu.conv2d_i8_amx import TILE_SUMS, fits_tiles
from sparsenet_kernels.cpu.conv2d_i8_amx_pixels import PIXEL_SUMS, fits_pixels
from sparsenet_kernels.formats.blocks4x16 import pack_blocks4x16
from sparsenet_kernels.formats.bytes import pack_dense_i8, padded_to_tiles
from sparsenet_kernels.formats.conv2d_columns import conv2d_matrix
from sparsenet_kernels.formats.lookup import Lookup, pack_lookup
from sparsenet_kernels.formats.pixels import pack_slots, slot_rows, spread_pixels_weight
from sparsenet_kernels.formats.tiles import Tiles
from sparsenet_kernels.formats.tiles_conv2d import pack_bias, pack_tiles_conv2d, tap_offsets
from sparsenet_kernels.registry import kernels
from sparsenet_kernels.simd.amx import amx_available

__all__ = ["lower_quantized_conv2d", "lower_quantized_linear"]

Arguments = tuple[Argument, ...]
Array = npt.NDArray[Any]

LARGEST_PIXELS_FILTER = 8
"""Filters up to this height and width are computed on the pixels of an image of one channel."""

LOOKUP_STEPS = 2.5
"""A product with each output's own choice of inputs takes so many times a product with shared ones."""


@dataclass(frozen=True)
class Candidate:
    """A kernel that can run a layer: its format's fill, its predicted time, and a function that gives its arguments."""

    kernel: str
    fill: float
    predicted_us: float
    bind: Callable[[], Arguments]


def lower_quantized_linear(draft: Draft, plan: Plan, layer: QuantizedLinear, value: Bytes) -> Value:
    """Emit the kernel that the planner chooses for a linear layer of bytes."""
    N = len(layer.weight)
    weight = draft.once(_weight_in_memory_order, layer, value)
    mask = draft.once(_mask_in_memory_order, layer, value)
    chosen = _choose(draft, plan, _linear_candidates(draft, plan, layer, value, weight, mask))
    out = draft.buffer(N)
    x = View(value.buffer, (weight.shape[1],))
    emit(draft, chosen.kernel, x, *_constants(draft, chosen.bind()), View(out, (N,)))
    return Value(1, N, out)


def _weight_in_memory_order(layer: QuantizedLinear, value: Bytes) -> Array:
    return in_memory_order(layer.weight, value)


def _mask_in_memory_order(layer: QuantizedLinear, value: Bytes) -> Array | None:
    return None if layer.mask is None else in_memory_order(layer.mask, value)


def _linear_candidates(
    draft: Draft, plan: Plan, layer: QuantizedLinear, value: Bytes, weight: Array, mask: Array | None
) -> list[Candidate]:
    floats = padded_to_tiles(layer.scale), padded_to_tiles(layer.bias)
    active = value.expected / (value.rows * value.channels)
    dense = draft.once(pack_dense_i8, weight)
    lookup = draft.once(pack_lookup, weight, mask)
    blocks = draft.once(pack_blocks4x16, weight, mask)
    cost = partial(byte_linear_us, machine=plan.machine, batch=draft.batch, active=active)

    def bind_blocks() -> Arguments:
        groups, totals = weight.shape[1] // 4, len(floats[0])
        scratch = _scratch(draft, groups), _scratch(draft, totals)
        return (blocks.indptr, blocks.starts, blocks.weights, *floats, *scratch)

    fill = _kept(layer) / dense.size
    return [
        Candidate("linear_i8_dense_dense", fill, cost("dense", dense.size // 64), lambda: (dense, *floats)),
        Candidate(
            "linear_i8_lookup_dense",
            lookup.fill,
            cost("lookup", len(lookup.weights)),
            lambda: (lookup.indptr, lookup.offsets, lookup.indices, lookup.weights, *floats),
        ),
        Candidate("linear_i8_blocks_active", blocks.fill, cost("blocks", len(blocks.weights)), bind_blocks),
    ]


@dataclass(frozen=True)
class ByteGeometry:
    """How the windows of a convolution of bytes lie over its image, padding included."""

    layer: QuantizedConv2d
    stride: int
    height: int
    width: int
    out: tuple[int, int]

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width with the padding."""
        top, left = as_pair(self.layer.padding)
        return self.height + 2 * top, self.width + 2 * left


def lower_quantized_conv2d(
    draft: Draft, plan: Plan, layer: QuantizedConv2d, value: Bytes, shape: Shape, out_shape: Shape, pool: bool
) -> Bytes:
    """Emit the kernel that the planner chooses for a convolution of bytes, with a 2 x 2 max pooling or without."""
    _, H, W = shape
    N, OH, OW = out_shape
    if value.stride == 1 and not _fits_pixels(layer):
        value = restrided(draft, value)
    geometry = ByteGeometry(layer, value.stride, H, W, (OH, OW))
    image = _padded(draft, geometry, value)
    chosen = _choose(draft, plan, _conv2d_candidates(draft, plan, geometry, pool))
    S = byte_stride(2, max(N, 2))  # outputs are always padded to whole vectors
    arguments = _constants(draft, chosen.bind())
    out = byte_buffer(draft, OH * OW, S)
    emit(draft, chosen.kernel, image, *arguments, View(out, (OH, OW, S)))
    return Bytes(OH * OW, N, S, out)


def _padded(draft: Draft, geometry: ByteGeometry, value: Bytes) -> View:
    """Return the image with its padding around it, copied only where it has one."""
    shape = (*geometry.padded, value.stride) if value.stride > 1 else geometry.padded
    if as_pair(geometry.layer.padding) == (0, 0):
        return View(value.buffer, shape)
    padded = byte_buffer(draft, *geometry.padded, value.stride)
    source = View(value.buffer, (geometry.height, geometry.width, value.stride))
    target = View(padded, (*geometry.padded, value.stride))
    emit(draft, "pad2d_i8", source, *as_pair(geometry.layer.padding), geometry.layer.zero, target)
    return View(padded, shape)


Maker = Callable[[Draft, Plan, ByteGeometry, bool], Candidate | None]


def _conv2d_candidates(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> list[Candidate]:
    makers: list[Maker] = [_pixels_candidate, _fours_candidate, _lookup_candidate]
    if pool and amx_available():
        makers = [_pixel_tiles_candidate, _tiles_candidate, *makers]
    found = [maker(draft, plan, geometry, pool) for maker in makers]
    return [candidate for candidate in found if candidate is not None]


def _pixel_tiles_candidate(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer = geometry.layer
    kernel = layer.weight.shape[2:]
    stride, dilation = as_pair(layer.stride), as_pair(layer.dilation)
    if geometry.stride != 1 or not fits_pixels(kernel, geometry.out, stride, dilation, 1, layer.groups):
        return None
    packed = draft.once(pack_slots, layer.weight)
    products = 4 * geometry.out[0] * -(-geometry.out[1] // 16) * len(packed)

    def bind() -> Arguments:
        slots = (slot_rows(geometry.padded[0], kernel[0]), geometry.padded[1], 8)
        scratch = View(byte_buffer(draft, *slots, per_sample=False), slots), _scratch(draft, PIXEL_SUMS)
        return (packed, pack_bias(layer.bias, layer.weight, layer.shift), layer.shift, kernel[0], *scratch)

    cost = byte_conv2d_us("tiles", products, plan.machine)
    return Candidate("conv2d_pool2_i8_tiles_pixels__amx", _kept(layer) / packed.size, cost, bind)


def _tiles_candidate(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer = geometry.layer
    if not fits_tiles(geometry.out, geometry.stride):
        return None
    packed = draft.once(pack_tiles_conv2d, layer.weight, geometry.stride, depth=64, groups=layer.groups)
    products = 2 * geometry.out[0] * -(-geometry.out[1] // 8) * len(packed.weights)

    def bind() -> Arguments:
        offsets = _offsets(geometry, packed.columns)
        weights = packed.indptr, offsets, packed.weights, pack_bias(layer.bias, layer.weight, layer.shift)
        return (*weights, layer.shift, *as_pair(layer.stride), _scratch(draft, TILE_SUMS))

    cost = byte_conv2d_us("tiles", products, plan.machine)
    return Candidate("conv2d_pool2_i8_tiles_dense__amx", packed.fill, cost, bind)


def _pixels_candidate(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer = geometry.layer
    kernel_height, kernel_width = layer.weight.shape[2:]
    if geometry.stride != 1 or not _fits_pixels(layer):
        return None
    packed = draft.once(_pack_pixels, layer.weight)

    def bind() -> Arguments:
        offsets = tap_offsets(packed.columns, 8, kernel_width, geometry.padded[1])
        slots = (slot_rows(geometry.padded[0], kernel_height), geometry.padded[1], 8)
        scratch = View(byte_buffer(draft, *slots, per_sample=False), slots)
        return (*_listed(geometry, packed.indptr, offsets, packed.weights), kernel_height, scratch)

    name = _vector_name("tiles_pixels", plan, pool)
    return Candidate(name, packed.fill, _vectors_us(plan, geometry, pool, len(packed.weights)), bind)


def _fits_pixels(layer: QuantizedConv2d) -> bool:
    plain = as_pair(layer.dilation) == (1, 1) and layer.groups == 1
    return plain and max(layer.weight.shape[2:]) <= LARGEST_PIXELS_FILTER


def _pack_pixels(weight: npt.NDArray[np.int8]) -> Tiles:
    return pack_tiles_conv2d(spread_pixels_weight(weight), channels=8, depth=4)


def _fours_candidate(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer = geometry.layer
    if geometry.stride % VECTOR_BYTES:
        return None
    packed = draft.once(pack_tiles_conv2d, layer.weight, geometry.stride, depth=4, groups=layer.groups)

    def bind() -> Arguments:
        return _listed(geometry, packed.indptr, _offsets(geometry, packed.columns), packed.weights)

    name = _vector_name("tiles_dense", plan, pool)
    return Candidate(name, packed.fill, _vectors_us(plan, geometry, pool, len(packed.weights)), bind)


def _lookup_candidate(draft: Draft, plan: Plan, geometry: ByteGeometry, pool: bool) -> Candidate | None:
    layer = geometry.layer
    if geometry.stride % VECTOR_BYTES or "avx512vbmi" not in plan.machine.features:
        return None
    packed = draft.once(_pack_conv2d_lookup, layer, geometry.stride)

    def bind() -> Arguments:
        first, offsets, *rest = _listed(
            geometry, _whole_vectors(packed.indptr), _offsets(geometry, packed.offsets), packed.weights
        )
        return (first, offsets, packed.indices, *rest)

    vectors_us = LOOKUP_STEPS * _vectors_us(plan, geometry, pool, len(packed.weights))
    return Candidate(_vector_name("lookup_dense", plan, pool), packed.fill, vectors_us, bind)


def _pack_conv2d_lookup(layer: QuantizedConv2d, stride: int) -> Lookup:
    """Pack a convolution as a matrix of outputs by taps of ``stride`` channels each."""
    return pack_lookup(_with_channels(layer.weight, layer, stride), _with_channels(_mask(layer), layer, stride))


def _with_channels(weight: Array, layer: QuantizedConv2d, stride: int) -> Array:
    matrix = conv2d_matrix(weight, layer.groups)
    channels = layer.weight.shape[1] * layer.groups
    wide = np.zeros((len(matrix), matrix.shape[1] // channels, stride), matrix.dtype)
    wide[:, :, :channels] = matrix.reshape(len(matrix), -1, channels)
    return wide.reshape(len(matrix), -1)


def _mask(layer: QuantizedConv2d) -> Array:
    return layer.weight != 0 if layer.mask is None else layer.mask


def _whole_vectors(indptr: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Let the blocks that pad the outputs to whole vectors have no weights."""
    blocks = -(-(len(indptr) - 1) // 4) * 4
    return np.concatenate([indptr, np.full(blocks + 1 - len(indptr), indptr[-1], np.int32)])


def _listed(geometry: ByteGeometry, indptr: Array, offsets: Array, weights: Array) -> Arguments:
    """Return the arguments that every kernel which walks a list of weights takes."""
    layer = geometry.layer
    bias = pack_bias(layer.bias, layer.weight, layer.shift)
    return indptr, offsets, weights, bias, layer.shift, *as_pair(layer.stride)


def _vector_name(form: str, plan: Plan, pool: bool) -> str:
    size = "wide" if plan.machine.vector_bits >= 512 else "narrow"
    return f"{'conv2d_pool2' if pool else 'conv2d'}_i8_{form}__{size}"


def _vectors_us(plan: Plan, geometry: ByteGeometry, pool: bool, stored: int) -> float:
    positions = geometry.out[0] * geometry.out[1] * (4 if pool else 1)
    return byte_conv2d_us("vectors", positions * stored, plan.machine)


def _offsets(geometry: ByteGeometry, columns: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    layer = geometry.layer
    return tap_offsets(columns, geometry.stride, layer.weight.shape[3], geometry.padded[1], as_pair(layer.dilation))


def _choose(draft: Draft, plan: Plan, candidates: list[Candidate]) -> Candidate:
    """Choose by predicted time, or as asked for, and note the choice."""
    by_name = {candidate.kernel: candidate for candidate in candidates}
    predicted = {name: candidate.predicted_us for name, candidate in by_name.items()}
    best = min(predicted, key=predicted.__getitem__)
    reason = "fastest of the byte kernels, predicted"
    forced = plan.forced.get(draft.layer)
    if forced is not None:
        if forced not in by_name:
            raise CompileError(f"layer {draft.layer!r}: expected one of {', '.join(by_name)}, got {forced!r}")
        best, reason = forced, "asked for"
    chosen = by_name[best]
    form = kernels()[chosen.kernel].weights
    plan.choices.append(Choice(draft.layer, chosen.kernel, form, reason, chosen.fill, predicted, {}))
    return chosen


def _scratch(draft: Draft, size: int) -> View:
    return View(draft.buffer(size, per_sample=False), (size,))


def _kept(layer: QuantizedConv2d | QuantizedLinear) -> int:
    return int(np.count_nonzero(layer.weight if layer.mask is None else layer.mask))


def _constants(draft: Draft, arguments: Arguments) -> Arguments:
    return tuple(draft.constant(entry) if isinstance(entry, np.ndarray) else entry for entry in arguments)
