"""Lowering layers that have weights: facts for the planner, packed weights and arguments for the kernels."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sparsenet.engine.values import Argument, Draft, Value, View, active_lists, dense_buffer, emit
from sparsenet.errors import CompileError
from sparsenet.layers import Conv2d, Linear, as_pair
from sparsenet.planner.choose import Choice, choose, variant_name
from sparsenet.planner.cost import WeightedWork
from sparsenet.planner.machine import Machine
from sparsenet_kernels.formats import (
    PANEL_VECTORS,
    PLANE_LANES,
    PaddedSums,
    Planes,
    pack_blocks,
    pack_blocks_conv2d,
    pack_complementary,
    pack_complementary_conv2d,
    pack_csc,
    pack_csc_conv2d,
    pack_csr,
    pack_csr_conv2d,
    pack_panels,
    pack_panels_conv2d,
)

__all__ = ["Plan", "lower_conv2d", "lower_linear"]

Floats = npt.NDArray[np.float32]
Number = TypeVar("Number", np.float32, np.bool_)
Arguments = tuple[Argument, ...]


@dataclass
class Plan:
    """What lowering needs besides the network, and the choices it made."""

    machine: Machine
    forced: Mapping[str, str]
    choices: list[Choice] = field(default_factory=list)


@dataclass(frozen=True)
class Geometry:
    """How the windows of a convolution lie over its image."""

    layer: Conv2d
    channels: int
    height: int
    width: int
    out: tuple[int, int]

    @property
    def stride(self) -> tuple[int, int]:
        return as_pair(self.layer.stride)

    @property
    def padding(self) -> tuple[int, int]:
        return as_pair(self.layer.padding)

    @property
    def planes(self) -> Planes:
        """How the image lies as planes, for kernels that walk their weights."""
        dilation = as_pair(self.layer.dilation)
        return Planes(self.channels, (self.height, self.width), self.stride, self.padding, dilation)

    @property
    def padded_sums(self) -> PaddedSums:
        """Where kernels add up that send inputs to outputs."""
        size, kernel = (self.height, self.width), (self.layer.weight.shape[2], self.layer.weight.shape[3])
        windows = kernel, self.stride, self.padding, as_pair(self.layer.dilation)
        return PaddedSums(len(self.layer.weight), size, self.out, *windows)

    def settings(self, pad: tuple[int, int] | None = None) -> tuple[int, ...]:
        """Return the integers that convolution kernels take: filter, stride, padding, dilation."""
        kernel_height, kernel_width = self.layer.weight.shape[2:]
        return (kernel_height, kernel_width, *self.stride, *(pad or self.padding), *as_pair(self.layer.dilation))


def lower_linear(draft: Draft, plan: Plan, layer: Linear, value: Value) -> Value:
    """Emit the kernel that the planner chooses for a linear layer."""
    if value.turned:
        layer = draft.once(_in_order_of_memory, layer, value)
    N, D = layer.weight.shape
    blocks = draft.once(_block_count, layer)
    work = WeightedWork(1, 1, 1, D, N, 1, _kept(layer), value.expected, draft.batch, blocks)
    kernel = _choose(draft, plan, "linear", work)
    _, _, weights, inputs = kernel.split("_")
    name = variant_name(kernel, N, plan.machine)
    arguments = _linear_inputs(draft, value, inputs)
    packed, fill = _linear_weights(draft, layer, weights, inputs, name)
    out = draft.buffer(N)
    emit(draft, name, *arguments, *_constants(draft, packed), View(out, (N,)))
    _record(plan, name, fill)
    return Value(1, N, out)


def lower_conv2d(
    draft: Draft, plan: Plan, layer: Conv2d, value: Value, shape: tuple[int, ...], out_shape: tuple[int, ...]
) -> Value:
    """Emit the kernel that the planner chooses for a convolution, and what prepares its input."""
    C, H, W = shape
    N, OH, OW = out_shape
    taps = prod(layer.weight.shape[2:])
    blocks = draft.once(_block_count, layer)
    work = WeightedWork(H * W, OH * OW, taps, C, N, layer.groups, _kept(layer), value.expected, draft.batch, blocks)
    kernel = _choose(draft, plan, "conv2d", work)
    _, _, weights, inputs = kernel.split("_")
    name = variant_name(kernel, N // layer.groups, plan.machine)
    geometry = Geometry(layer, C, H, W, (OH, OW))
    arguments, fill = _BIND_CONV2D[weights, inputs](draft, geometry, value, name)
    out = draft.buffer(OH * OW, N)
    emit(draft, name, *_constants(draft, arguments), View(out, (OH, OW, N)))
    _record(plan, name, fill)
    return Value(OH * OW, N, out)


def _constants(draft: Draft, arguments: Arguments) -> Arguments:
    return tuple(draft.constant(entry) if isinstance(entry, np.ndarray) else entry for entry in arguments)


def _kept(layer: Conv2d | Linear) -> int:
    return int(np.count_nonzero(layer.weight if layer.mask is None else layer.mask))


def _block_count(layer: Conv2d | Linear) -> int:
    """Count the blocks of 16 outputs by one input that hold a kept weight."""
    kept = layer.weight != 0 if layer.mask is None else layer.mask
    outputs = np.arange(len(kept))
    per_group = len(kept) // layer.groups if isinstance(layer, Conv2d) else len(kept)
    begins = np.flatnonzero((outputs % 16 == 0) | (outputs % per_group == 0))
    return int(np.count_nonzero(np.logical_or.reduceat(kept, begins, axis=0)))


def _choose(draft: Draft, plan: Plan, operation: str, work: WeightedWork) -> str:
    forced = plan.forced.get(draft.layer, "").partition("__")[0]
    try:
        kernel, reason, predicted = choose(operation, work, plan.machine, forced)
    except CompileError as error:
        raise CompileError(f"layer {draft.layer!r}: {error}") from None
    plan.choices.append(Choice(draft.layer, kernel, kernel.split("_")[2], reason, None, predicted, {}))
    return kernel


def _record(plan: Plan, name: str, fill: float) -> None:
    """Complete the choice made last by the kernel's full name and how full its format is."""
    plan.choices[-1] = replace(plan.choices[-1], kernel=name, fill=fill)


def _in_order_of_memory(layer: Linear, value: Value) -> Linear:
    mask = None if layer.mask is None else _turned_columns(layer.mask, value)
    return Linear(_turned_columns(layer.weight, value), layer.bias, mask)


def _turned_columns(matrix: npt.NDArray[Number], value: Value) -> npt.NDArray[Number]:
    """Reorder columns from the (C, H, W) order of meaning to the (H, W, C) order of memory."""
    image = value.origin
    assert image is not None
    columns = matrix.reshape(len(matrix), image.channels, image.rows)
    return columns.transpose(0, 2, 1).reshape(len(matrix), -1)


def _linear_inputs(draft: Draft, value: Value, inputs: str) -> tuple[Argument, ...]:
    if inputs == "active":
        lists = active_lists(draft, value)
        return View(lists.columns, (lists.width,)), View(lists.values, (lists.width,))
    return (View(dense_buffer(draft, value), (value.rows * value.channels,)),)


def _linear_weights(draft: Draft, layer: Linear, weights: str, inputs: str, name: str) -> tuple[Arguments, float]:
    N, D = layer.weight.shape
    if weights == "dense":
        panels, bias = draft.once(pack_panels, layer.weight[None], layer.bias, vectors=PANEL_VECTORS[_variant(name)])
        return (panels[0], bias[0]), _share(layer, panels)
    if weights == "csr":
        csr = draft.once(pack_csr, layer.weight, layer.mask)
        scratch = View(draft.buffer(D, 16, per_sample=False), (D, 16)), View(draft.buffer(16, per_sample=False), (16,))
        return (csr.indptr, csr.columns, csr.values, _bias(layer.bias, N), *scratch), csr.fill
    if weights == "csc":
        csc = draft.once(pack_csc, layer.weight, layer.mask)
        return (csc.indptr, csc.rows, csc.values, _bias(layer.bias, N)), csc.fill
    if weights == "blocks":
        blocks = draft.once(pack_blocks, layer.weight, layer.mask)
        sums = draft.buffer(-(-N // 16) * 16, per_sample=False)
        arrays = blocks.indptr, blocks.starts, blocks.values, _bias(layer.bias, N)
        return (*arrays, View(sums, (-(-N // 16) * 16,))), blocks.fill
    packed = draft.once(pack_complementary, layer.weight, mask=layer.mask)
    return (packed.outputs, packed.values, _bias(layer.bias, N)), packed.fill


def _conv2d_dense(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer = geometry.layer
    panels, bias = _conv2d_panels(draft, layer, name)
    padded = _padded(draft, geometry, value)
    return (padded, panels, bias, *geometry.settings(pad=(0, 0))), _share(layer, panels)


def _conv2d_dense_active(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer = geometry.layer
    panels, bias = _conv2d_panels(draft, layer, name)
    sums = prod(geometry.out) * panels.shape[-1]
    scratch = View(draft.buffer(sums, per_sample=False), (sums,))
    lists = _image_lists(draft, geometry, value)
    return (*lists, geometry.height, panels, bias, *geometry.settings(), scratch), _share(layer, panels)


def _conv2d_csc_active(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer = geometry.layer
    csc = draft.once(pack_csc_conv2d, layer.weight, layer.groups, layer.mask)
    weights = csc.indptr, csc.rows, csc.values, _bias(layer.bias, len(layer.weight))
    return (*_image_lists(draft, geometry, value), *weights, *geometry.settings()), csc.fill


def _conv2d_complementary(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer = geometry.layer
    packed = draft.once(pack_complementary_conv2d, layer.weight, layer.groups, mask=layer.mask)
    weights = packed.outputs, packed.values, _bias(layer.bias, len(layer.weight))
    if name.endswith("active"):
        return (*_image_lists(draft, geometry, value), *weights, *geometry.settings()), packed.fill
    return (_image(draft, geometry, value), *weights, *geometry.settings()), packed.fill


def _conv2d_csr_dense(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer = geometry.layer
    csr = draft.once(pack_csr_conv2d, layer.weight, layer.groups, layer.mask)
    planes, lanes = geometry.planes, PLANE_LANES[_variant(name)]
    size, sums = planes.total_size(geometry.out, lanes), planes.sums_size(geometry.out, lanes)
    split = View(draft.buffer(size), (size,))
    image = _image(draft, geometry, value)
    emit(draft, "split_phases_f32", image, *geometry.stride, *geometry.padding, planes.rows, planes.row, split)
    scratch = View(draft.buffer(sums, per_sample=False), (sums,))
    offsets = planes.offsets(csr.columns, layer.weight.shape[3])
    return (split, csr.indptr, offsets, csr.values, _bias(layer.bias, len(layer.weight)), planes.row, scratch), csr.fill


def _conv2d_blocks_active(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer, padded = geometry.layer, geometry.padded_sums
    blocks = draft.once(pack_blocks_conv2d, layer.weight, layer.groups, layer.mask)
    indptr, offsets, values = draft.once(padded.by_channel, blocks)
    weights = indptr, offsets, values, _bias(layer.bias, len(layer.weight))
    lists = geometry.channels, geometry.height * geometry.width
    shapes = (geometry.height + 1, geometry.channels), lists, lists, (padded.total_size,)
    scratch = [View(draft.buffer(*shape, per_sample=False), shape) for shape in shapes]
    places: Arguments = (padded.row, padded.margin, *scratch)
    return (*_image_lists(draft, geometry, value), *weights, *geometry.settings(), *places), blocks.fill


_BIND_CONV2D = {
    ("dense", "dense"): _conv2d_dense,
    ("dense", "active"): _conv2d_dense_active,
    ("csr", "dense"): _conv2d_csr_dense,
    ("csc", "active"): _conv2d_csc_active,
    ("blocks", "active"): _conv2d_blocks_active,
    ("complementary", "dense"): _conv2d_complementary,
    ("complementary", "active"): _conv2d_complementary,
}


def _image(draft: Draft, geometry: Geometry, value: Value) -> View:
    return View(dense_buffer(draft, value), (geometry.height, geometry.width, geometry.channels))


def _image_lists(draft: Draft, geometry: Geometry, value: Value) -> Arguments:
    lists = active_lists(draft, value)
    shape = (value.rows, lists.width)
    return View(lists.columns, shape), View(lists.values, shape), geometry.width, geometry.channels


def _padded(draft: Draft, geometry: Geometry, value: Value) -> View:
    """Return the image with its padding around it, copied only where it has one."""
    image = _image(draft, geometry, value)
    top, left = geometry.padding
    if top == left == 0:
        return image
    shape = (geometry.height + 2 * top, geometry.width + 2 * left, geometry.channels)
    padded = View(draft.buffer(*shape), shape)
    emit(draft, "pad2d_f32", image, top, left, padded)
    return padded


def _conv2d_panels(draft: Draft, layer: Conv2d, name: str) -> tuple[Floats, Floats]:
    vectors = PANEL_VECTORS[_variant(name)]
    return draft.once(pack_panels_conv2d, layer.weight, layer.bias, layer.groups, vectors=vectors)


def _variant(name: str) -> str:
    return name.partition("__")[2]


def _bias(bias: Floats | None, N: int) -> Floats:
    return np.zeros(N, np.float32) if bias is None else bias


def _share(layer: Conv2d | Linear, stored: Floats) -> float:
    """Return the kept weights over all places that a dense format stores."""
    return float(np.count_nonzero(layer.weight if layer.mask is None else layer.mask)) / stored.size
