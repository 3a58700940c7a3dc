"""The weights of float32 convolutions in the form of each kernel, and the arguments that kernel takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sparsenet.layers import Conv2d, Linear, as_pair, kept_count
from sparsenet.lowering.values import Arguments, Draft, Value, View, active_lists, dense_buffer, emit, scratch
from sparsenet_kernels.formats import (
    Blocks,
    PaddedSums,
    Planes,
    pack_blocks_conv2d,
    pack_complementary_conv2d,
    pack_csc_conv2d,
    pack_csr_conv2d,
    pack_panels_conv2d,
)
from sparsenet_kernels.formats.entries import check_weight_count
from sparsenet_kernels.indices import IndexRangeError
from sparsenet_kernels.registry import find_kernel

__all__ = ["BIND_CONV2D", "Geometry", "bias_of", "failing", "share_kept", "unfit_conv2d"]

Floats = npt.NDArray[np.float32]
Key = TypeVar("Key")


@dataclass(frozen=True)
class Geometry:
    """How the windows of a convolution lie over its image; ``out`` is what is computed, before any pooling."""

    layer: Conv2d
    channels: int
    height: int
    width: int
    out: tuple[int, int]

    @property
    def stride(self) -> tuple[int, int]:
        """Vertical and horizontal step of the windows: 1 where there is one row of them, or one column.

        Whatever step the layer names there is never taken, and planes for each phase of it would take its square.
        """
        steps = as_pair(self.layer.stride)
        return (1 if self.out[0] == 1 else steps[0], 1 if self.out[1] == 1 else steps[1])

    @property
    def padding(self) -> tuple[int, int]:
        """Rows above and below the image, columns left and right of it."""
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


def _conv2d_dense(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer = geometry.layer
    panels, bias = _conv2d_panels(draft, layer, name)
    padded = _padded(draft, geometry, value)
    return (padded, panels, bias, *geometry.settings(pad=(0, 0))), share_kept(layer, panels)


def _conv2d_dense_active(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer = geometry.layer
    panels, bias = _conv2d_panels(draft, layer, name)
    sums = prod(geometry.out) * panels.shape[-1]
    lists = _image_lists(draft, geometry, value)
    return (*lists, geometry.height, panels, bias, *geometry.settings(), scratch(draft, sums)), share_kept(
        layer, panels
    )


def _conv2d_csc_active(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer = geometry.layer
    csc = draft.once(pack_csc_conv2d, layer.weight, layer.groups, layer.mask)
    weights = csc.indptr, csc.rows, csc.values, bias_of(layer.bias, len(layer.weight))
    return (*_image_lists(draft, geometry, value), *weights, *geometry.settings()), csc.fill


def _conv2d_complementary(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer = geometry.layer
    packed = draft.once(pack_complementary_conv2d, layer.weight, layer.groups, mask=layer.mask)
    weights = packed.outputs, packed.values, bias_of(layer.bias, len(layer.weight))
    if name.partition("__")[0].endswith("active"):
        return (*_image_lists(draft, geometry, value), *weights, *geometry.settings()), packed.fill
    return (_image(draft, geometry, value), *weights, *geometry.settings()), packed.fill


def _conv2d_csr_dense(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer = geometry.layer
    csr = draft.once(pack_csr_conv2d, layer.weight, layer.groups, layer.mask)
    planes = geometry.planes
    split = _split(draft, geometry, value)
    offsets = planes.offsets(csr.columns, layer.weight.shape[3])
    bias = bias_of(layer.bias, len(layer.weight))
    return (
        split,
        csr.indptr,
        offsets,
        csr.values,
        bias,
        planes.row,
        scratch(draft, planes.sums_size(geometry.out)),
    ), csr.fill


def _conv2d_blocks_dense(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer, planes, N = geometry.layer, geometry.planes, len(geometry.layer.weight)
    blocks = draft.once(pack_blocks_conv2d, layer.weight, layer.groups, layer.mask)
    indptr, columns, values = draft.once(blocks.by_tile)
    offsets = planes.offsets(columns, layer.weight.shape[3])
    bias = np.pad(bias_of(layer.bias, N), (0, -N % 16))
    return (_split(draft, geometry, value), indptr, offsets, values, bias, planes.row), blocks.fill


def _conv2d_blocks_active(draft: Draft, geometry: Geometry, value: Value, name: str) -> tuple[Arguments, float]:
    layer, padded = geometry.layer, geometry.padded_sums
    blocks = draft.once(pack_blocks_conv2d, layer.weight, layer.groups, layer.mask)
    groups, members, offsets, values = draft.once(_grouped, blocks, padded=padded)
    weights = groups, members, offsets, values, bias_of(layer.bias, len(layer.weight))
    listed = scratch(draft, 2 * geometry.channels * geometry.height * geometry.width)
    places = padded.row, padded.first, padded.lanes
    room = scratch(draft, geometry.channels), listed, scratch(draft, padded.total_size)
    return (*_image_lists(draft, geometry, value), *weights, *geometry.stride, *places, *room), blocks.fill


def _grouped(blocks: Blocks, *, padded: PaddedSums) -> tuple[npt.NDArray[np.generic], ...]:
    return padded.grouped(blocks)


def unfit_conv2d(geometry: Geometry) -> dict[tuple[str, str], str]:
    """Say, by the forms of weights and inputs, which kernels cannot count as far as this convolution reaches, and why.

    All others compute places in 64 bits, of which a sample's elements take 28.
    """
    weights = geometry.layer.weight.size
    proofs: dict[tuple[str, str], Callable[[], None]] = {
        **{form: partial(check_weight_count, weights) for form in BIND_CONV2D if form[0] != "dense"},
        ("csr", "dense"): partial(_check_planes, geometry),
        ("blocks", "dense"): partial(_check_planes, geometry),
        ("blocks", "active"): partial(_check_sums, geometry),
    }
    return failing(proofs)


def _check_planes(geometry: Geometry) -> None:
    check_weight_count(geometry.layer.weight.size)
    geometry.planes.check_offsets(geometry.out)


def _check_sums(geometry: Geometry) -> None:
    check_weight_count(geometry.layer.weight.size)
    geometry.padded_sums.check_offsets()


def failing(proofs: Mapping[Key, Callable[[], None]]) -> dict[Key, str]:
    """Return what the proofs that fail say."""
    found = {}
    for key, prove in proofs.items():
        try:
            prove()
        except IndexRangeError as error:
            found[key] = str(error)
    return found


BIND_CONV2D = {
    ("dense", "dense"): _conv2d_dense,
    ("dense", "active"): _conv2d_dense_active,
    ("csr", "dense"): _conv2d_csr_dense,
    ("csc", "active"): _conv2d_csc_active,
    ("blocks", "dense"): _conv2d_blocks_dense,
    ("blocks", "active"): _conv2d_blocks_active,
    ("complementary", "dense"): _conv2d_complementary,
    ("complementary", "active"): _conv2d_complementary,
}
"""For the format of the weights and the form of the inputs: what gives a kernel's arguments and its format's fill."""


def _image(draft: Draft, geometry: Geometry, value: Value) -> View:
    return View(dense_buffer(draft, value), (geometry.height, geometry.width, geometry.channels))


def _split(draft: Draft, geometry: Geometry, value: Value) -> View:
    """Return the image as planes; written from its lists where nobody has needed it in dense form."""
    planes = geometry.planes
    size = planes.total_size(geometry.out)
    settings = *geometry.stride, *geometry.padding, planes.rows, planes.row
    split = View(draft.buffer(size), (size,))
    if value.dense is None and value.lists is not None:
        emit(draft, "expand_phases_f32", *_image_lists(draft, geometry, value), *settings, split)
    else:
        emit(draft, "split_phases_f32", _image(draft, geometry, value), *settings, split)
    return split


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
    return draft.once(pack_panels_conv2d, layer.weight, layer.bias, layer.groups, **find_kernel(name).packing)


def bias_of(bias: Floats | None, N: int) -> Floats:
    """Return a bias, of zeros where there is none."""
    return np.zeros(N, np.float32) if bias is None else bias


def share_kept(layer: Conv2d | Linear, stored: Floats) -> float:
    """Return the kept weights over all places that a dense format stores."""
    return kept_count(layer) / stored.size
