"""Lowering linear layers of bytes."""

from functools import partial
from typing import Any

import numpy.typing as npt

from sparsenet.layers import QuantizedLinear, kept_count
from sparsenet.lowering.byte_choice import Candidate, choose_candidate
from sparsenet.lowering.byte_cost import byte_linear_cost, byte_linear_tiles_cost
from sparsenet.lowering.byte_values import Bytes, in_memory_order
from sparsenet.lowering.footprint import refuse_padding
from sparsenet.lowering.predicted import Cost
from sparsenet.lowering.values import Arguments, Draft, Value, View, emit, scratch
from sparsenet.lowering.weighted import Plan
from sparsenet_kernels.cpu.linear_i8_tiles import TOTALS
from sparsenet_kernels.cpu.tile_sums import TILE_SUMS
from sparsenet_kernels.formats.blocks4x16 import pack_blocks4x16
from sparsenet_kernels.formats.bytes import pack_dense_i8, padded_to_tiles
from sparsenet_kernels.formats.lookup import pack_lookup
from sparsenet_kernels.formats.tiles import Tiles, pack_tiles
from sparsenet_kernels.simd.amx import amx_available

__all__ = ["lower_quantized_linear"]

Array = npt.NDArray[Any]


def lower_quantized_linear(draft: Draft, plan: Plan, layer: QuantizedLinear, value: Bytes) -> Value:
    """Emit the kernel that the planner chooses for a linear layer of bytes."""
    N = len(layer.weight)
    refuse_padding(draft.layer, -(-N // 16) * 16 * value.layout.sample_bytes, layer.weight.size)
    weight = draft.once(_weight_in_memory_order, layer, value)
    mask = draft.once(_mask_in_memory_order, layer, value)
    chosen = choose_candidate(draft, plan, _linear_candidates(draft, plan, layer, value, weight, mask))
    out = draft.buffer(N)
    x = View(value.buffer, (value.layout.sample_bytes,))
    emit(draft, chosen.kernel, x, *chosen.bind(), View(out, (N,)))
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
    cost = partial(byte_linear_cost, machine=plan.machine, batch=draft.batch, active=active)

    def bind_blocks() -> Arguments:
        groups, totals = weight.shape[1] // 4, len(floats[0])
        places = scratch(draft, groups), scratch(draft, totals)
        return (blocks.indptr, blocks.starts, blocks.weights, *floats, *places)

    fill = kept_count(layer) / dense.size
    return [
        *_tiles_candidates(draft, plan, weight, floats),
        Candidate("linear_i8_dense_dense", fill, cost("dense", dense.size // 64), lambda: (dense, *floats)),
        Candidate(
            "linear_i8_lookup_dense",
            lookup.fill,
            cost("lookup", len(lookup.weights)),
            lambda: (lookup.indptr, lookup.offsets, lookup.indices, lookup.weights, *floats),
        ),
        Candidate("linear_i8_blocks_active", blocks.fill, cost("blocks", len(blocks.weights)), bind_blocks),
    ]


def _tiles_candidates(draft: Draft, plan: Plan, weight: Array, floats: tuple[Array, Array]) -> list[Candidate]:
    fours = draft.once(pack_tiles, weight, depth=4)
    size = plan.machine.register_width
    cost = byte_linear_cost("tiles", len(fours.weights), plan.machine, draft.batch, 1.0)
    found = [_bound(draft, f"linear_i8_tiles_dense__{size}", fours, floats, TOTALS, cost)]
    if amx_available():
        whole = draft.once(pack_tiles, weight, depth=64)
        cost = byte_linear_tiles_cost(len(whole.weights), len(weight), plan.machine, draft.batch)
        found.append(_bound(draft, "linear_i8_tiles_dense__amx", whole, floats, TILE_SUMS, cost))
    return found


def _bound(draft: Draft, kernel: str, packed: Tiles, floats: tuple[Array, Array], sums: int, cost: Cost) -> Candidate:
    def bind() -> Arguments:
        return (packed.indptr, packed.columns, packed.weights, *floats, scratch(draft, sums))

    return Candidate(kernel, packed.fill, cost, bind)
