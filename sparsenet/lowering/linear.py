"""Lower linear layers, of floats and of bytes."""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sparsenet.layers import Linear, kept_count
from sparsenet.lowering.bytes import in_memory_order
from sparsenet.lowering.choose import choose, note
from sparsenet.lowering.draft import View, emit
from sparsenet.lowering.float_work import WeightedWork, block_count
from sparsenet.lowering.footprint import refuse_padding
from sparsenet.lowering.layout import layout_of
from sparsenet.lowering.linear_bytes import BYTE_IMPLEMENTATIONS, ByteLinear
from sparsenet.lowering.linear_floats import FLOAT_IMPLEMENTATIONS, FloatLinear
from sparsenet.lowering.step_work import StepCosts
from sparsenet.lowering.task import Lowering, Task
from sparsenet.lowering.tensor import Tensor

__all__ = ["IMPLEMENTATIONS", "LOWERINGS", "STEP_COSTS"]

Number = TypeVar("Number", np.float32, np.bool_)


def _linear(task: Task) -> Tensor:
    """Emit the kernel that is chosen for a linear layer of floats."""
    draft, layer, x = task.draft, task.layer, task.x
    if x.turned:
        layer = draft.once(_in_order_of_memory, layer, x)
    N, D = layer.weight.shape
    blocks = draft.once(block_count, layer)
    work = WeightedWork(1, 1, 1, D, N, 1, kept_count(layer), x.expected, draft.batch, blocks)
    chosen = choose(FloatLinear(task, layer, work), FLOAT_IMPLEMENTATIONS)
    bound = chosen.implementation.bind(chosen.problem, chosen.kernel)
    out = draft.buffer(N)
    emit(draft, chosen.kernel.name, bound.arguments | {"out": View(out, (N,))})
    note(chosen, bound.fill)
    return Tensor("float32", task.shape, layout_of(task.shape), out)


def _in_order_of_memory(layer: Linear, x: Tensor) -> Linear:
    mask = None if layer.mask is None else _turned_columns(layer.mask, x)
    return Linear(_turned_columns(layer.weight, x), layer.bias, mask)


def _turned_columns(matrix: npt.NDArray[Number], x: Tensor) -> npt.NDArray[Number]:
    """Reorder columns from the network's (C, H, W) order to the (H, W, C) order in memory."""
    assert x.layout.image is not None
    rows, channels = x.layout.image
    columns = matrix.reshape(len(matrix), channels, rows)
    return columns.transpose(0, 2, 1).reshape(len(matrix), -1)


def _quantized_linear(task: Task) -> Tensor:
    """Emit the kernel that is chosen for a linear layer of bytes."""
    draft, layer, x = task.draft, task.layer, task.x
    N = len(layer.weight)
    refuse_padding(draft.layer, -(-N // 16) * 16 * x.layout.size, layer.weight.size)
    weight = draft.once(_weight_in_memory_order, layer, x)
    mask = draft.once(_mask_in_memory_order, layer, x)
    chosen = choose(ByteLinear(task, weight, mask), BYTE_IMPLEMENTATIONS)
    out = draft.buffer(N)
    bound = chosen.implementation.bind(chosen.problem, chosen.kernel)
    given = {"x": View(x.view.buffer, (x.layout.size,)), **bound.arguments, "out": View(out, (N,))}
    emit(draft, chosen.kernel.name, given)
    note(chosen, bound.fill)
    return Tensor("float32", task.shape, layout_of(task.shape), out)


def _weight_in_memory_order(layer: Any, x: Tensor) -> npt.NDArray[Any]:
    return in_memory_order(layer.weight, x)


def _mask_in_memory_order(layer: Any, x: Tensor) -> npt.NDArray[Any] | None:
    return None if layer.mask is None else in_memory_order(layer.mask, x)


IMPLEMENTATIONS = (*FLOAT_IMPLEMENTATIONS, *BYTE_IMPLEMENTATIONS)

LOWERINGS = {"Linear": (Lowering(_linear),), "QuantizedLinear": (Lowering(_quantized_linear, "uint8"),)}

STEP_COSTS: StepCosts = {}
