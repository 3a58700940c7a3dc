"""Lower elementwise operations."""

import numpy as np

from sparsenet.lowering.draft import Arguments, View, emit
from sparsenet.lowering.layout import SAME
from sparsenet.lowering.quantization import as_floats
from sparsenet.lowering.step_work import StepCosts
from sparsenet.lowering.task import Lowering, Task
from sparsenet.lowering.tensor import Tensor, dense_buffer, in_one_order, in_order

__all__ = ["LOWERINGS", "STEP_COSTS"]


def _relu(task: Task) -> Tensor:
    draft, x = task.draft, task.x
    dense, out = dense_buffer(draft, x), draft.buffer(x.size)
    emit(draft, "relu_f32", {"x": View(dense, (x.size,)), "out": View(out, (x.size,))})
    return x.like(out, expected=x.expected)


def _leaky_relu(task: Task) -> Tensor:
    draft, x = task.draft, task.x
    dense, out, slope = dense_buffer(draft, x), draft.buffer(x.size), np.array([task.layer.slope], np.float32)
    given: Arguments = {"x": View(dense, (x.size,)), "slope": slope, "out": View(out, (x.size,))}
    emit(draft, "leaky_relu_f32", given)
    return x.like(out, expected=x.expected)


def _add(task: Task) -> Tensor:
    draft = task.draft
    first, *others = in_one_order(draft, task.inputs)
    flat = (first.size,)
    total, out = dense_buffer(draft, first), draft.buffer(first.size)
    for other in others:
        addend = dense_buffer(draft, other)
        emit(draft, "add_f32", {"x": View(total, flat), "y": View(addend, flat), "out": View(out, flat)})
        total = out
    return first.like(out)


def _cast(task: Task) -> Tensor:
    """Turn whole numbers into floats."""
    draft, x = task.draft, task.x
    out = draft.buffer(x.size)
    emit(draft, "cast_i32", {"x": View(dense_buffer(draft, x), (x.size,)), "out": View(out, (x.size,))})
    return in_order(draft, Tensor("float32", x.shape, x.layout, out), task.order)


def _cast_bool(task: Task) -> Tensor:
    """Turn truth values, which lie in bytes, into floats."""
    return in_order(task.draft, as_floats(task.draft, task.x), task.order)


LOWERINGS = {
    "ReLU": (Lowering(_relu, reads=SAME),),
    "LeakyReLU": (Lowering(_leaky_relu, reads=SAME),),
    "Add": (Lowering(_add, reads=SAME),),
    "Cast": (Lowering(_cast, "int32"), Lowering(_cast_bool, "bool")),
}

STEP_COSTS: StepCosts = {}
