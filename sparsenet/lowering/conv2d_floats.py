"""Implementations of float convolutions: how each kernel's weights are packed, and its arguments."""

from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
import numpy.typing as npt

from sparsenet.layers import Conv2d
from sparsenet.lowering import float_cost
from sparsenet.lowering.conv2d_geometry import Geometry
from sparsenet.lowering.conv2d_images import dense_image, image_lists, padded_image, split_image
from sparsenet.lowering.draft import Arguments, scratch
from sparsenet.lowering.float_implementation import counts_weights, float_implementation
from sparsenet.lowering.float_work import WeightedWork, bias_of, share_kept
from sparsenet.lowering.implementation import Bound
from sparsenet.lowering.task import Task
from sparsenet_kernels.forks import kept_property
from sparsenet_kernels.formats import (
    Blocks,
    PaddedSums,
    Panels,
    pack_blocks_conv2d,
    pack_complementary_conv2d,
    pack_csc_conv2d,
    pack_csr_conv2d,
    pack_panels_conv2d,
)
from sparsenet_kernels.formats.entries import check_weight_count
from sparsenet_kernels.formats.padded_sums import GroupedBlocks
from sparsenet_kernels.registry import Kernel

__all__ = ["FLOAT_IMPLEMENTATIONS", "FloatConv2d"]


@dataclass(frozen=True, eq=False)
class FloatConv2d:
    """A convolution of floats that is being lowered; see :class:`~sparsenet.lowering.implementation.WeightedTask`."""

    task: Task
    work: WeightedWork
    fused: str = ""

    @property
    def layer(self) -> Conv2d:
        """The convolution."""
        layer: Conv2d = self.task.layer
        return layer

    @property
    def outputs(self) -> int:
        """How many outputs a group has."""
        return len(self.layer.weight) // self.layer.groups

    @property
    def alike(self) -> WeightedWork:
        """What layers that get the same kernel have in common."""
        return self.work

    @kept_property
    def geometry(self) -> Geometry:
        """How its windows lie; of a kernel that pools, those whose outputs it pools."""
        C, H, W = self.task.x.shape
        _, OH, OW = self.task.shape
        out = (OH // 2 * 2, OW // 2 * 2) if self.fused else (OH, OW)
        return Geometry(self.layer, C, H, W, out)


def _dense_dense(problem: FloatConv2d, kernel: Kernel) -> Bound:
    layer, geometry = problem.layer, problem.geometry
    panels = _panels(problem, kernel)
    given: Arguments = {
        "x": padded_image(problem.task.draft, geometry, problem.task.x),
        **panels.arrays(),
        **geometry.settings(pad=(0, 0)),
    }
    return Bound(given, share_kept(layer, panels.weights))


def _dense_active(problem: FloatConv2d, kernel: Kernel) -> Bound:
    draft, geometry = problem.task.draft, problem.geometry
    panels = _panels(problem, kernel)
    lists = image_lists(problem.task.draft, problem.geometry, problem.task.x)
    sums = scratch(draft, prod(geometry.out) * panels.weights.shape[-1])
    given: Arguments = {**lists, "height": geometry.height, **panels.arrays(), **geometry.settings(), "sums": sums}
    return Bound(given, share_kept(problem.layer, panels.weights))


def _panels(problem: FloatConv2d, kernel: Kernel) -> Panels:
    layer = problem.layer
    return problem.task.draft.once(pack_panels_conv2d, layer.weight, layer.bias, layer.groups, **kernel.packing)


def _csc_active(problem: FloatConv2d, kernel: Kernel) -> Bound:
    layer = problem.layer
    csc = problem.task.draft.once(pack_csc_conv2d, layer.weight, layer.groups, layer.mask)
    weights: Arguments = {**csc.arrays(), "bias": _bias(layer)}
    return Bound(
        {**image_lists(problem.task.draft, problem.geometry, problem.task.x), **weights, **problem.geometry.settings()},
        csc.fill,
    )


def _complementary_active(problem: FloatConv2d, kernel: Kernel) -> Bound:
    weights, fill = _sets(problem)
    return Bound(
        {**image_lists(problem.task.draft, problem.geometry, problem.task.x), **weights, **problem.geometry.settings()},
        fill,
    )


def _complementary_dense(problem: FloatConv2d, kernel: Kernel) -> Bound:
    weights, fill = _sets(problem)
    return Bound(
        {
            "x": dense_image(problem.task.draft, problem.geometry, problem.task.x),
            **weights,
            **problem.geometry.settings(),
        },
        fill,
    )


def _sets(problem: FloatConv2d) -> tuple[Arguments, float]:
    layer = problem.layer
    packed = problem.task.draft.once(pack_complementary_conv2d, layer.weight, layer.groups, mask=layer.mask)
    return {**packed.arrays(), "bias": _bias(layer)}, packed.fill


def _csr_dense(problem: FloatConv2d, kernel: Kernel) -> Bound:
    draft, layer, geometry = problem.task.draft, problem.layer, problem.geometry
    csr = draft.once(pack_csr_conv2d, layer.weight, layer.groups, layer.mask)
    planes = geometry.planes
    given: Arguments = {
        "planes": split_image(problem.task.draft, problem.geometry, problem.task.x),
        **planes.arrays(csr.arrays(), layer.weight.shape[3]),
        "bias": _bias(layer),
        "row": planes.row,
        "sums": scratch(draft, planes.sums_size(geometry.out)),
    }
    return Bound(given, csr.fill)


def _blocks_dense(problem: FloatConv2d, kernel: Kernel) -> Bound:
    draft, layer, planes = problem.task.draft, problem.layer, problem.geometry.planes
    blocks = draft.once(pack_blocks_conv2d, layer.weight, layer.groups, layer.mask)
    by_tile = draft.once(blocks.by_tile)
    given: Arguments = {
        "planes": split_image(problem.task.draft, problem.geometry, problem.task.x),
        **planes.arrays(by_tile.arrays(), layer.weight.shape[3]),
        "bias": np.pad(_bias(layer), (0, -len(layer.weight) % 16)),
        "row": planes.row,
    }
    return Bound(given, blocks.fill)


def _blocks_active(problem: FloatConv2d, kernel: Kernel) -> Bound:
    draft, layer, geometry = problem.task.draft, problem.layer, problem.geometry
    padded = geometry.padded_sums
    blocks = draft.once(pack_blocks_conv2d, layer.weight, layer.groups, layer.mask)
    weights: Arguments = {**draft.once(_grouped, blocks, padded=padded).arrays(), "bias": _bias(layer)}
    listed_inputs = scratch(draft, 2 * geometry.channels * geometry.height * geometry.width)
    stride_y, stride_x = geometry.stride
    places = {"row": padded.row, "first": padded.first, "lanes": padded.lanes}
    room = {
        "ends": scratch(draft, geometry.channels),
        "listed": listed_inputs,
        "sums": scratch(draft, padded.total_size),
    }
    steps = {"stride_y": stride_y, "stride_x": stride_x}
    return Bound(
        {**weights, **steps, **places, **room, **image_lists(problem.task.draft, problem.geometry, problem.task.x)},
        blocks.fill,
    )


def _grouped(blocks: Blocks, *, padded: PaddedSums) -> GroupedBlocks:
    return padded.grouped(blocks)


def _bias(layer: Conv2d) -> npt.NDArray[np.float32]:
    return bias_of(layer.bias, len(layer.weight))


def _one_group(problem: FloatConv2d) -> str:
    return "" if problem.layer.groups == 1 else "it takes all channels as one group"


def _counts_planes(problem: FloatConv2d) -> str:
    geometry = problem.geometry
    check_weight_count(problem.layer.weight.size)
    geometry.planes.check_offsets(geometry.out)
    return ""


def _counts_sums(problem: FloatConv2d) -> str:
    check_weight_count(problem.layer.weight.size)
    problem.geometry.padded_sums.check_offsets()
    return ""


def _sets_fill(problem: FloatConv2d) -> float:
    return _sets(problem)[1]


# all but those that check more compute places in 64 bits, of which a sample's elements take 28
_implementation = partial(float_implementation, "conv2d")
_pooling = partial(_implementation, fuses=("pool2",))
# nobody packs sets to find out how many there are: where some are full, csc does the same work in less memory
_in_sets = partial(_implementation, fits=counts_weights, fill=_sets_fill, offered=False)

FLOAT_IMPLEMENTATIONS = (
    _pooling(
        "blocks",
        "active",
        "skips blocks of zero weights and inactive inputs",
        _blocks_active,
        float_cost.BLOCKS_ACTIVE,
        fits=_counts_sums,
    ),
    _implementation(
        "blocks",
        "dense",
        "skips blocks of zero weights",
        _blocks_dense,
        float_cost.BLOCKS_DENSE,
        fits=_counts_planes,
        split="rows",
    ),
    _pooling("csr", "dense", "skips zero weights", _csr_dense, float_cost.CSR_DENSE, fits=_counts_planes),
    _pooling("dense", "dense", "no zeros worth skipping", _dense_dense, float_cost.DENSE_DENSE, split="rows"),
    _pooling("dense", "active", "skips inactive inputs", _dense_active, float_cost.DENSE_ACTIVE, fits=_one_group),
    _implementation(
        "csc",
        "active",
        "skips zero weights and inactive inputs",
        _csc_active,
        float_cost.CSC_ACTIVE,
        fits=counts_weights,
    ),
    _in_sets(
        "complementary",
        "active",
        "skips zero weights and inactive inputs",
        _complementary_active,
        float_cost.COMPLEMENTARY_ACTIVE,
    ),
    _in_sets("complementary", "dense", "skips zero weights", _complementary_dense, float_cost.COMPLEMENTARY_DENSE),
)
