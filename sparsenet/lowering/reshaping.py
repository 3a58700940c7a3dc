"""Lowering what gives elements another shape, or puts them side by side."""

from sparsenet.lowering.bytes import as_padded_vector, is_whole_vectors
from sparsenet.lowering.draft import Arguments, View, emit
from sparsenet.lowering.step_work import StepCosts
from sparsenet.lowering.task import Lowering, Task
from sparsenet.lowering.tensor import (
    LOGICAL,
    Layout,
    Tensor,
    channels_last,
    dense_buffer,
    from_logical,
    layout_of,
    logical,
)

__all__ = ["LOWERINGS", "STEP_COSTS"]


def _reshape(task: Task) -> Tensor:
    """Give the elements another shape; flattening an image moves nothing until somebody minds the order."""
    draft, x = task.draft, task.x
    if len(task.shape) > 1 or x.layout.order == LOGICAL:
        dense = dense_buffer(draft, logical(draft, x))
        return from_logical(draft, dense, task.shape, x.dtype, task.order)
    if x.origin is not None or x.layout.image is not None:
        return x
    if x.rows == 1:
        return Tensor(x.dtype, task.shape, layout_of(task.shape), x.dense, x.lists, expected=x.expected)
    layout = Layout(1, x.size, x.size, image=(x.rows, x.channels))
    return Tensor(x.dtype, task.shape, layout, x.dense, origin=x, expected=x.rows * x.expected)


def _flatten_bytes(task: Task) -> Tensor:
    """Flatten without moving anything: whoever reads the vector knows the image it was."""
    x = task.x
    if len(x.shape) == 1:
        return x
    if not is_whole_vectors(x.layout):
        return as_padded_vector(task.draft, x)
    image = None if x.rows == 1 else (x.rows, x.channels)
    layout = Layout(x.layout.rows, x.layout.channels, x.layout.stride, image=image)
    return Tensor(x.dtype, task.shape, layout, x.dense, expected=x.rows * x.expected)


def _flattens(task: Task) -> bool:
    return len(task.shape) == 1


def _concat(task: Task) -> Tensor:
    draft, inputs = task.draft, [channels_last(task.draft, x) for x in task.inputs]
    R, C = inputs[0].rows, task.shape[0]
    out, first = draft.buffer(R, C), 0
    for x in inputs:
        given: Arguments = {
            "x": View(dense_buffer(draft, x), (R, x.channels)),
            "first": first,
            "out": View(out, (R, C)),
        }
        emit(draft, "place_f32", given)
        first += x.channels
    expected = sum(x.expected for x in inputs)
    return Tensor(inputs[0].dtype, task.shape, layout_of(task.shape), out, expected=expected)


_TO_A_SHAPE = Lowering(_reshape, dense=False), Lowering(_flatten_bytes, "uint8", _flattens)

LOWERINGS = {"Flatten": _TO_A_SHAPE, "Reshape": _TO_A_SHAPE, "Concat": (Lowering(_concat),)}

STEP_COSTS: StepCosts = {}
