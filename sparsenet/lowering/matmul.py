"""Lowering products of two activations."""

from math import ceil, prod

from sparsenet.lowering.cost import VECTOR_NS
from sparsenet.lowering.draft import View, emit, scratch
from sparsenet.lowering.layout import LOGICAL, layout_of
from sparsenet.lowering.step_work import PASS_NS, Shapes, StepCosts, StepWork
from sparsenet.lowering.task import Lowering, Task
from sparsenet.lowering.tensor import Tensor, dense_buffer, logical
from sparsenet_kernels.registry import find_kernel

__all__ = ["LOWERINGS", "STEP_COSTS"]


def _matmul(task: Task) -> Tensor:
    draft, shape = task.draft, task.shape
    left, right = (logical(draft, one) for one in task.inputs)
    pairs, (M, N), D = prod(shape[:-2]), shape[-2:], left.shape[-1]
    name = f"matmul_f32__{task.plan.machine.register_width}"
    lanes, out = 16 * find_kernel(name).packing["vectors"], draft.buffer(prod(shape))
    given = {
        "x": View(dense_buffer(draft, left), (pairs, M, D)),
        "y": View(dense_buffer(draft, right), (pairs, D, N)),
        "panel": scratch(draft, D, lanes),
        "zeros": scratch(draft, lanes),
        "out": View(out, (pairs, M, N)),
    }
    emit(draft, name, given)
    return Tensor("float32", shape, layout_of(shape, LOGICAL), out)


LOWERINGS = {"MatMul": (Lowering(_matmul, reads=LOGICAL),)}


def _cost(shapes: Shapes) -> StepWork:
    (pairs, rows, depth), (_, lanes) = shapes["x"], shapes["panel"]
    vectors = ceil(shapes["out"][-1] / lanes) * lanes // 16
    copied_ns = pairs * depth * vectors * PASS_NS
    return StepWork(arithmetic_ns=pairs * rows * depth * vectors * VECTOR_NS, passing_ns=copied_ns)


STEP_COSTS: StepCosts = {"matmul_f32": _cost}
