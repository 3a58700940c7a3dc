"""Lower batch norms and softmax."""

from math import ceil, prod

import numpy as np
import numpy.typing as npt

from sparsenet.errors import RangeError
from sparsenet.graph.reference import LEAVES_FLOAT32
from sparsenet.layers import BatchNorm
from sparsenet.lowering.draft import Arguments, View, emit
from sparsenet.lowering.layout import LOGICAL
from sparsenet.lowering.step_work import Shapes, StepCosts, StepWork
from sparsenet.lowering.task import Lowering, Task
from sparsenet.lowering.tensor import Tensor, channels_last, dense_buffer, logical
from sparsenet.ops.normalization import batch_norm_affine
from sparsenet.passes.fold_batchnorm import loses_digits

__all__ = ["LOWERINGS", "STEP_COSTS"]

Floats = npt.NDArray[np.float32]

SMALL = 2.0**-64
"""Scales below this are applied in two steps where their digits would be lost otherwise."""

NORMALISED_NS = 3.6
"""Reading 16 numbers of a row four times, and writing them."""
NORMALISED_ROW_NS = 40.0
"""The waits for a row's sums, and its root."""
EXPONENTIAL_NS = 11.0
"""One term of a softmax."""


def _batch_norm(task: Task) -> Tensor:
    draft, x = task.draft, channels_last(task.draft, task.x)
    shape = (x.rows, x.channels)
    dense = dense_buffer(draft, x)
    for scale, shift in _affine_steps(draft.layer, task.layer):
        out = draft.buffer(*shape)
        given: Arguments = {"x": View(dense, shape), "scale": scale, "shift": shift, "out": View(out, shape)}
        emit(draft, "affine_f32", given)
        dense = out
    return x.like(dense)


def _affine_steps(name: str, layer: BatchNorm) -> list[tuple[Floats, Floats]]:
    """Return scales and shifts: one pair, or two where float32 would lose digits of a very small scale."""
    scale, shift = batch_norm_affine(layer)
    largest = max(np.abs(scale).max(), np.abs(shift).max())
    if largest >= LEAVES_FLOAT32:
        raise RangeError(
            f"layer {name!r}: expected a scale and a shift that float32 can hold, got {largest:.0e}; such a "
            "variance, or mean, means that the layer's inputs must be scaled"
        )
    if loses_digits(scale):
        first = np.where(np.abs(scale) < SMALL, SMALL, 1.0)
        zeros = np.zeros(len(scale), np.float32)
        return [(first.astype(np.float32), zeros), ((scale / first).astype(np.float32), shift.astype(np.float32))]
    return [(scale.astype(np.float32), shift.astype(np.float32))]


def _layer_norm(task: Task) -> Tensor:
    draft, layer, x = task.draft, task.layer, logical(task.draft, task.x)
    size = prod(x.shape[-layer.axes :])
    shape = (x.size // size, size)
    given: Arguments = {
        "x": View(dense_buffer(draft, x), shape),
        "weight": np.ones(size, np.float32) if layer.weight is None else layer.weight,
        "bias": np.zeros(size, np.float32) if layer.bias is None else layer.bias,
        "epsilon": np.array([layer.epsilon], np.float32),
    }
    out = draft.buffer(x.size)
    emit(draft, "layer_norm_f32", {**given, "out": View(out, shape)})
    return x.like(out)


def _softmax(task: Task) -> Tensor:
    return _normalized(task, logarithm=0)


def _log_softmax(task: Task) -> Tensor:
    return _normalized(task, logarithm=1)


def _normalized(task: Task, logarithm: int) -> Tensor:
    draft, x = task.draft, channels_last(task.draft, task.x)
    shape = (x.rows, x.channels)
    dense, out = dense_buffer(draft, x), draft.buffer(*shape)
    emit(draft, "softmax_f32", {"x": View(dense, shape), "logarithm": logarithm, "out": View(out, shape)})
    return x.like(out)


LOWERINGS = {
    "BatchNorm": (Lowering(_batch_norm),),
    "LayerNorm": (Lowering(_layer_norm, reads=LOGICAL),),
    "Softmax": (Lowering(_softmax),),
    "LogSoftmax": (Lowering(_log_softmax),),
}


def _exponentials(shapes: Shapes) -> StepWork:
    rows, channels = shapes["x"]
    return StepWork(arithmetic_ns=rows * channels * EXPONENTIAL_NS)


def _normalised(shapes: Shapes) -> StepWork:
    rows, size = shapes["x"]
    return StepWork(arithmetic_ns=rows * (ceil(size / 16) * NORMALISED_NS + NORMALISED_ROW_NS))


STEP_COSTS: StepCosts = {"layer_norm_f32": _normalised, "softmax_f32": _exponentials}
