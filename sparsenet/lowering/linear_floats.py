"""Implementations of float linear layers: how each kernel's weights are packed, and its arguments."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from sparsenet.layers import Linear
from sparsenet.lowering import float_cost
from sparsenet.lowering.draft import Arguments, View, scratch
from sparsenet.lowering.float_implementation import counts_weights, float_implementation
from sparsenet.lowering.float_work import WeightedWork, bias_of, share_kept
from sparsenet.lowering.implementation import Bound
from sparsenet.lowering.task import Task
from sparsenet.lowering.tensor import active_lists, dense_buffer, listed
from sparsenet_kernels.formats import pack_blocks, pack_complementary, pack_csc, pack_csr, pack_panels
from sparsenet_kernels.registry import Kernel

__all__ = ["FLOAT_IMPLEMENTATIONS", "FloatLinear"]


@dataclass(frozen=True, eq=False)
class FloatLinear:
    """A linear layer of floats that is being lowered; see :class:`~sparsenet.lowering.implementation.WeightedTask`.

    ``layer`` has its columns in the order in which the inputs lie.
    """

    task: Task
    layer: Linear
    work: WeightedWork
    fused: str = ""

    @property
    def outputs(self) -> int:
        """How many outputs there are."""
        return len(self.layer.weight)

    @property
    def alike(self) -> WeightedWork:
        """What layers that get the same kernel have in common."""
        return self.work


def _lists(problem: FloatLinear) -> Arguments:
    return dict(listed(active_lists(problem.task.draft, problem.task.x)))


def _dense(problem: FloatLinear) -> Arguments:
    x = problem.task.x
    return {"x": View(dense_buffer(problem.task.draft, x), (x.size,))}


def _bias(problem: FloatLinear, padding: int = 0) -> Arguments:
    bias = bias_of(problem.layer.bias, problem.outputs)
    return {"bias": np.pad(bias, (0, padding)) if padding else bias}


def _panels(problem: FloatLinear, kernel: Kernel, x: Arguments) -> Bound:
    layer = problem.layer
    panels = problem.task.draft.once(pack_panels, layer.weight[None], layer.bias, **kernel.packing)
    return Bound({**x, **panels.arrays(group=0)}, share_kept(layer, panels.weights))


def _dense_dense(problem: FloatLinear, kernel: Kernel) -> Bound:
    return _panels(problem, kernel, _dense(problem))


def _dense_active(problem: FloatLinear, kernel: Kernel) -> Bound:
    return _panels(problem, kernel, _lists(problem))


def _csr_dense(problem: FloatLinear, kernel: Kernel) -> Bound:
    draft, layer, x = problem.task.draft, problem.layer, _dense(problem)
    csr = draft.once(pack_csr, layer.weight, layer.mask)
    weights: Arguments = {**csr.arrays(), **_bias(problem)}
    room = {"turned": scratch(draft, layer.weight.shape[1], 16), "lanes": scratch(draft, 16)}
    return Bound({**x, **weights, **room}, csr.fill)


def _csc(problem: FloatLinear, x: Arguments) -> Bound:
    csc = problem.task.draft.once(pack_csc, problem.layer.weight, problem.layer.mask)
    return Bound({**x, **csc.arrays(), **_bias(problem)}, csc.fill)


def _csc_dense(problem: FloatLinear, kernel: Kernel) -> Bound:
    return _csc(problem, _dense(problem))


def _csc_active(problem: FloatLinear, kernel: Kernel) -> Bound:
    return _csc(problem, _lists(problem))


def _blocks_dense(problem: FloatLinear, kernel: Kernel) -> Bound:
    draft, layer, x = problem.task.draft, problem.layer, _dense(problem)
    blocks = draft.once(pack_blocks, layer.weight, layer.mask)
    weights = draft.once(blocks.by_tile).arrays()
    bias = _bias(problem, padding=-problem.outputs % 16)
    return Bound({**x, **weights, **bias, "together": 8 if draft.batch >= 8 else 1}, blocks.fill)


def _blocks_active(problem: FloatLinear, kernel: Kernel) -> Bound:
    draft, layer, x = problem.task.draft, problem.layer, _lists(problem)
    blocks = draft.once(pack_blocks, layer.weight, layer.mask)
    sums = scratch(draft, -(-problem.outputs // 16) * 16)
    return Bound({**x, **blocks.arrays(), **_bias(problem), "sums": sums}, blocks.fill)


def _sets(problem: FloatLinear, x: Arguments) -> Bound:
    packed = problem.task.draft.once(pack_complementary, problem.layer.weight, mask=problem.layer.mask)
    return Bound({**x, **packed.arrays(), **_bias(problem)}, packed.fill)


def _complementary_dense(problem: FloatLinear, kernel: Kernel) -> Bound:
    return _sets(problem, _dense(problem))


def _complementary_active(problem: FloatLinear, kernel: Kernel) -> Bound:
    return _sets(problem, _lists(problem))


def _sets_fill(problem: FloatLinear) -> float:
    return _sets(problem, {}).fill


_implementation = partial(float_implementation, "linear")
_listed = partial(_implementation, fits=counts_weights)
_in_sets = partial(_listed, fill=_sets_fill, offered=False)

FLOAT_IMPLEMENTATIONS = (
    _implementation("dense", "dense", "no zeros worth skipping", _dense_dense, float_cost.DENSE_DENSE, split="outputs"),
    _implementation("dense", "active", "skips inactive inputs", _dense_active, float_cost.DENSE_ACTIVE),
    _listed("csc", "dense", "skips zero weights", _csc_dense, float_cost.CSC_DENSE),
    _listed("csc", "active", "skips zero weights and inactive inputs", _csc_active, float_cost.CSC_ACTIVE),
    _listed("csr", "dense", "skips zero weights", _csr_dense, float_cost.CSR_DENSE, split="outputs"),
    _in_sets("complementary", "dense", "skips zero weights", _complementary_dense, float_cost.COMPLEMENTARY_DENSE),
    _in_sets(
        "complementary",
        "active",
        "skips zero weights and inactive inputs",
        _complementary_active,
        float_cost.COMPLEMENTARY_ACTIVE,
    ),
    _listed(
        "blocks",
        "active",
        "skips blocks of zero weights and inactive inputs",
        _blocks_active,
        float_cost.BLOCKS_ACTIVE,
    ),
    _listed("blocks", "dense", "skips blocks of zero weights", _blocks_dense, float_cost.BLOCKS_DENSE, split="outputs"),
)
