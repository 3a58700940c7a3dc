"""Lowering layers that have weights: facts for the planner, packed weights and arguments for the kernels."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil, prod
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sparsenet.errors import CompileError, did_you_mean
from sparsenet.layers import Conv2d, Linear, kept_count
from sparsenet.lowering.choose import Choice, choose, variant_name
from sparsenet.lowering.conv2d_weights import BIND_CONV2D, Geometry, bias_of, failing, share_kept, unfit_conv2d
from sparsenet.lowering.cost import WeightedWork, predict
from sparsenet.lowering.footprint import allowed_bytes
from sparsenet.lowering.own_kernels import check_stands_in
from sparsenet.lowering.values import Arguments, Draft, Value, View, active_lists, dense_buffer, emit, scratch
from sparsenet.machine.facts import Machine
from sparsenet_kernels.formats import (
    pack_blocks,
    pack_complementary,
    pack_csc,
    pack_csr,
    pack_panels,
)
from sparsenet_kernels.formats.entries import check_weight_count
from sparsenet_kernels.registry import find_kernel, kernels

__all__ = ["Plan", "lower_conv2d", "lower_linear"]

Floats = npt.NDArray[np.float32]
Number = TypeVar("Number", np.float32, np.bool_)


@dataclass
class Plan:
    """What lowering needs besides the network, and the choices it made; ``weighted`` counts the layers with weights."""

    machine: Machine
    forced: Mapping[str, str]
    weighted: int = 1
    choices: list[Choice] = field(default_factory=list)


def lower_linear(draft: Draft, plan: Plan, layer: Linear, value: Value) -> Value:
    """Emit the kernel that the planner chooses for a linear layer."""
    if value.turned:
        layer = draft.once(_in_order_of_memory, layer, value)
    N, D = layer.weight.shape
    blocks = draft.once(_block_count, layer)
    work = WeightedWork(1, 1, 1, D, N, 1, kept_count(layer), value.expected, draft.batch, blocks)
    kernel = _choose(draft, plan, "linear", work, layer.weight.nbytes, _unfit_linear(layer))
    _, _, weights, inputs = kernel.split("_")
    name = _variant_name(draft, plan, kernel, N)
    arguments = _linear_inputs(draft, value, inputs)
    packed, fill = _linear_weights(draft, layer, weights, name)
    out = draft.buffer(N)
    emit(draft, name, *arguments, *packed, View(out, (N,)))
    _record(plan, name, fill, work)
    return Value(1, N, out)


def lower_conv2d(
    draft: Draft,
    plan: Plan,
    layer: Conv2d,
    value: Value,
    shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    pool: bool = False,
) -> tuple[Value, bool]:
    """Emit the kernel that the planner chooses for a convolution, and what prepares its input.

    Where a 2 x 2 max pooling follows (``pool``), the kernel may do that, too; the second answer says whether it does.
    """
    C, H, W = shape
    N, OH, OW = out_shape
    taps = prod(layer.weight.shape[2:])
    blocks = draft.once(_block_count, layer)
    work = WeightedWork(
        H * W, OH * OW, taps, C, N, layer.groups, kept_count(layer), value.expected, draft.batch, blocks, pooled=pool
    )
    unfit = unfit_conv2d(Geometry(layer, C, H, W, (OH, OW)))
    operation = "conv2d_pool2" if pool else "conv2d"
    kernel = _choose(draft, plan, operation, work, layer.weight.nbytes, unfit)
    *_, weights, inputs = kernel.split("_")
    name = _variant_name(draft, plan, kernel, N // layer.groups)
    is_pooled = kernel.startswith("conv2d_pool2")
    out = (OH // 2, OW // 2) if is_pooled else (OH, OW)
    summed = (2 * out[0], 2 * out[1]) if is_pooled else out
    arguments, fill = BIND_CONV2D[weights, inputs](draft, Geometry(layer, C, H, W, summed), value, name)
    buffer = draft.buffer(prod(out), N)
    emit(draft, name, *arguments, View(buffer, (*out, N)))
    _record(plan, name, fill, work)
    return Value(prod(out), N, buffer), is_pooled


def _block_count(layer: Conv2d | Linear) -> int:
    """Count the blocks of 16 outputs by one input that hold a kept weight."""
    kept = layer.weight != 0 if layer.mask is None else layer.mask
    outputs = np.arange(len(kept))
    per_group = len(kept) // layer.groups if isinstance(layer, Conv2d) else len(kept)
    begins = np.flatnonzero((outputs % 16 == 0) | (outputs % per_group == 0))
    return int(np.count_nonzero(np.logical_or.reduceat(kept, begins, axis=0)))


def _unfit_linear(layer: Linear) -> dict[tuple[str, str], str]:
    """Say which kernels cannot count the layer's weights, and why."""
    sparse = [(weights, inputs) for weights in _SPARSE for inputs in ("dense", "active")]
    return failing(dict.fromkeys(sparse, partial(check_weight_count, layer.weight.size)))


_SPARSE = ("csr", "csc", "blocks", "complementary")


def _choose(
    draft: Draft,
    plan: Plan,
    operation: str,
    work: WeightedWork,
    weight_bytes: int,
    unfit: Mapping[tuple[str, str], str],
) -> str:
    """Choose by prediction, or as asked for, and note the choice; for all layers that do the same work at once."""
    forced = plan.forced.get(draft.layer, "").partition("__")[0]
    most_bytes = allowed_bytes(weight_bytes, plan.weighted)
    key = operation, work, forced, most_bytes, *unfit.items()
    if key not in draft.packs:
        try:
            kernel, reason, predicted = choose(operation, work, plan.machine, forced, unfit, most_bytes)
        except CompileError as error:
            raise CompileError(f"layer {draft.layer!r}: {error}") from None
        cost = predict(kernel, work, plan.machine)
        draft.packs[key] = Choice("", kernel, kernel.split("_")[-2], reason, None, predicted, {}, cost)
    choice: Choice = replace(draft.packs[key], layer=draft.layer)
    plan.choices.append(choice)
    return choice.kernel


def _variant_name(draft: Draft, plan: Plan, kernel: str, outputs: int) -> str:
    """Complete the kernel's name by the variant that was asked for, or the one that suits machine and layer."""
    forced = plan.forced.get(draft.layer, "")
    if "__" not in forced:
        return variant_name(kernel, outputs, plan.machine)
    if forced not in kernels():
        variants = [name for name in kernels() if name.partition("__")[0] == kernel]
        close = did_you_mean(forced, variants)
        raise CompileError(f"layer {draft.layer!r}: expected one of {', '.join(variants)}, got {forced!r}{close}")
    check_stands_in(forced, kernel)
    return forced


def _record(plan: Plan, name: str, fill: float, work: WeightedWork) -> None:
    """Complete the choice made last by the kernel's full name, how full its format is, and what that makes it take."""
    choice, cost = plan.choices[-1], plan.choices[-1].cost
    if choice.format == "complementary":  # how many sets there are is known only once they are packed
        sets = ceil(work.nnz / max(fill * work.taps * work.channels, 1.0))
        cost = predict(choice.kernel, replace(work, sets=sets), plan.machine)
    plan.choices[-1] = replace(choice, kernel=name, fill=fill, cost=cost)


def _in_order_of_memory(layer: Linear, value: Value) -> Linear:
    mask = None if layer.mask is None else _turned_columns(layer.mask, value)
    return Linear(_turned_columns(layer.weight, value), layer.bias, mask)


def _turned_columns(matrix: npt.NDArray[Number], value: Value) -> npt.NDArray[Number]:
    """Reorder columns from the (C, H, W) order of meaning to the (H, W, C) order of memory."""
    image = value.origin
    assert image is not None
    columns = matrix.reshape(len(matrix), image.channels, image.rows)
    return columns.transpose(0, 2, 1).reshape(len(matrix), -1)


def _linear_inputs(draft: Draft, value: Value, inputs: str) -> Arguments:
    if inputs == "active":
        lists = active_lists(draft, value)
        return View(lists.columns, (lists.width,)), View(lists.values, (lists.width,))
    return (View(dense_buffer(draft, value), (value.rows * value.channels,)),)


def _linear_weights(draft: Draft, layer: Linear, weights: str, name: str) -> tuple[Arguments, float]:
    N, D = layer.weight.shape
    if weights == "dense":
        panels, bias = draft.once(pack_panels, layer.weight[None], layer.bias, **find_kernel(name).packing)
        return (panels[0], bias[0]), share_kept(layer, panels)
    if weights == "csr":
        csr = draft.once(pack_csr, layer.weight, layer.mask)
        turned, lanes = scratch(draft, D, 16), scratch(draft, 16)
        return (csr.indptr, csr.columns, csr.values, bias_of(layer.bias, N), turned, lanes), csr.fill
    if weights == "csc":
        csc = draft.once(pack_csc, layer.weight, layer.mask)
        return (csc.indptr, csc.rows, csc.values, bias_of(layer.bias, N)), csc.fill
    if weights == "blocks":
        blocks = draft.once(pack_blocks, layer.weight, layer.mask)
        bias, padding = bias_of(layer.bias, N), -N % 16
        if name.partition("__")[0].endswith("dense"):
            together = 8 if draft.batch >= 8 else 1
            return (*draft.once(blocks.by_tile), np.pad(bias, (0, padding)), together), blocks.fill
        return (blocks.indptr, blocks.tiles, blocks.values, bias, scratch(draft, N + padding)), blocks.fill
    packed = draft.once(pack_complementary, layer.weight, mask=layer.mask)
    return (packed.outputs, packed.values, bias_of(layer.bias, N)), packed.fill
