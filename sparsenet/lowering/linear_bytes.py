"""The implementations of linear layers of bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy.typing as npt

from sparsenet.layers import kept_count
from sparsenet.lowering.byte_cost import byte_linear_cost, byte_linear_tiles_cost
from sparsenet.lowering.bytes import no_tiles, other_width
from sparsenet.lowering.draft import Arguments, scratch
from sparsenet.lowering.implementation import Bound, Implementation
from sparsenet.lowering.predicted import Cost
from sparsenet.lowering.task import Task
from sparsenet_kernels.formats import (
    Blocks4x16,
    Lookup,
    Tiles,
    pack_blocks4x16,
    pack_dense_i8,
    pack_lookup,
    pack_tiles,
    padded_to_tiles,
)
from sparsenet_kernels.registry import Kernel

__all__ = ["BYTE_IMPLEMENTATIONS", "ByteLinear"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class ByteLinear:
    """A linear layer of bytes that is being lowered; see :class:`~sparsenet.lowering.implementation.WeightedTask`.

    ``weight`` and ``mask`` have their columns where the bytes of the input lie, those of padding zero.
    """

    task: Task
    weight: Array
    mask: Array | None
    fused: str = ""

    alike = None
    """Its candidates are packed before one of them is chosen."""

    @property
    def outputs(self) -> int:
        """How many outputs there are."""
        return len(self.weight)

    @property
    def active(self) -> float:
        """The share of its inputs to be expected not to be zero."""
        x = self.task.x
        return x.expected / (x.rows * x.channels)

    @property
    def floats(self) -> Arguments:
        """What makes floats of the sums."""
        layer = self.task.layer
        return {"scale": padded_to_tiles(layer.scale), "bias": padded_to_tiles(layer.bias)}


def _dense(problem: ByteLinear) -> Array:
    return problem.task.draft.once(pack_dense_i8, problem.weight)


def _bind_dense(problem: ByteLinear, kernel: Kernel) -> Bound:
    dense = _dense(problem)
    return Bound({"weights": dense, **problem.floats}, kept_count(problem.task.layer) / dense.size)


def _dense_cost(problem: ByteLinear) -> Cost:
    return _cost(problem, "dense", _dense(problem).size // 64)


def _lookup(problem: ByteLinear) -> Lookup:
    return problem.task.draft.once(pack_lookup, problem.weight, problem.mask)


def _bind_lookup(problem: ByteLinear, kernel: Kernel) -> Bound:
    packed = _lookup(problem)
    return Bound({**packed.arrays(), **problem.floats}, packed.fill)


def _lookup_cost(problem: ByteLinear) -> Cost:
    return _cost(problem, "lookup", len(_lookup(problem).weights))


def _blocks(problem: ByteLinear) -> Blocks4x16:
    return problem.task.draft.once(pack_blocks4x16, problem.weight, problem.mask)


def _bind_blocks(problem: ByteLinear, kernel: Kernel) -> Bound:
    draft, packed, floats = problem.task.draft, _blocks(problem), problem.floats
    groups = scratch(draft, problem.weight.shape[1] // 4)
    totals = scratch(draft, -(-problem.outputs // 16) * 16)
    return Bound({**packed.arrays(), **floats, "groups": groups, "totals": totals}, packed.fill)


def _blocks_cost(problem: ByteLinear) -> Cost:
    return _cost(problem, "blocks", len(_blocks(problem).weights))


def _cost(problem: ByteLinear, form: str, stored: int) -> Cost:
    task = problem.task
    return byte_linear_cost(form, stored, task.plan.machine, task.draft.batch, problem.active)


def _tiles(problem: ByteLinear, depth: int) -> Tiles:
    return problem.task.draft.once(pack_tiles, problem.weight, depth=depth)


def _bind_tiles(problem: ByteLinear, sums: int, depth: int) -> Bound:
    packed = _tiles(problem, depth)
    return Bound({**packed.arrays(), **problem.floats, "sums": scratch(problem.task.draft, sums)}, packed.fill)


def _bind_fours(problem: ByteLinear, kernel: Kernel) -> Bound:
    from sparsenet_kernels.cpu.linear_i8_tiles import TOTALS  # modules of kernels are not imported beforehand

    return _bind_tiles(problem, TOTALS, depth=4)


def _bind_whole_tiles(problem: ByteLinear, kernel: Kernel) -> Bound:
    from sparsenet_kernels.cpu.tile_sums import TILE_SUMS

    return _bind_tiles(problem, TILE_SUMS, depth=64)


def _fours_cost(problem: ByteLinear) -> Cost:
    return _cost(problem, "tiles", len(_tiles(problem, 4).weights))


def _whole_tiles_cost(problem: ByteLinear) -> Cost:
    task = problem.task
    return byte_linear_tiles_cost(
        len(_tiles(problem, 64).weights), problem.outputs, task.plan.machine, task.draft.batch
    )


def _needs_tiles(problem: ByteLinear) -> str:
    return no_tiles(problem.task)


def _suits(width: str, problem: ByteLinear) -> str:
    return other_width(problem.task, width)


def _implementation(
    weights: str, inputs: str, uses: str, cost: Callable[[ByteLinear], Cost], bind: Any, **others: Any
) -> Implementation:
    return Implementation("linear", "i8", weights, inputs, uses, cost, bind, **others)


_LEAVES_OUT = "leaves out tiles without a weight"

BYTE_IMPLEMENTATIONS = (
    *(
        _implementation(
            "tiles",
            "dense",
            _LEAVES_OUT,
            _fours_cost,
            _bind_fours,
            fits=partial(_suits, width),
            variant=width,
            split="outputs",
        )
        for width in ("wide", "narrow")
    ),
    _implementation(
        "tiles",
        "dense",
        _LEAVES_OUT,
        _whole_tiles_cost,
        _bind_whole_tiles,
        fits=_needs_tiles,
        variant="amx",
        split="outputs",
    ),
    _implementation("dense", "dense", "no zeros worth skipping", _dense_cost, _bind_dense, split="outputs"),
    _implementation(
        "lookup", "dense", "skips zero weights, each output its own", _lookup_cost, _bind_lookup, split="outputs"
    ),
    _implementation("blocks", "active", "skips zero weights and inactive inputs", _blocks_cost, _bind_blocks),
)
