"""Lowering what is computed element by element."""

from sparsenet.lowering.draft import View, emit
from sparsenet.lowering.step_work import StepCosts
from sparsenet.lowering.task import Lowering, Task
from sparsenet.lowering.tensor import LOGICAL, Tensor, dense_buffer, in_one_order

__all__ = ["LOWERINGS", "STEP_COSTS"]


def _relu(task: Task) -> Tensor:
    draft, x = task.draft, task.x
    dense, out = dense_buffer(draft, x), draft.buffer(x.size)
    emit(draft, "relu_f32", {"x": View(dense, (x.size,)), "out": View(out, (x.size,))})
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
    draft, x = task.draft, task.x
    dense, out = dense_buffer(draft, x), draft.buffer(x.size)
    name = "cast_i32" if x.dtype == "int32" else "cast_u8"
    emit(draft, name, {"x": View(dense, (x.size,)), "out": View(out, (x.size,))})
    return Tensor(task.dtype, x.shape, x.layout, out)


LOWERINGS = {
    "ReLU": (Lowering(_relu),),
    "Add": (Lowering(_add),),
    "Cast": (Lowering(_cast, "int32", reads=LOGICAL), Lowering(_cast, "bool", reads=LOGICAL)),
}

STEP_COSTS: StepCosts = {}
