"""Lowering pooling, of floats and of bytes."""

from math import ceil, prod
from typing import Any

from sparsenet.layers import as_pair
from sparsenet.lowering.bytes import byte_buffer, whole_vectors
from sparsenet.lowering.cost import VECTOR_NS
from sparsenet.lowering.draft import View, emit
from sparsenet.lowering.layout import Layout, layout_of
from sparsenet.lowering.step_work import Shapes, StepCosts, StepWork
from sparsenet.lowering.task import Lowering, Task
from sparsenet.lowering.tensor import Tensor, channels_last, dense_buffer

__all__ = ["LOWERINGS", "STEP_COSTS"]

POOLED_NS = 1.1
"""Reading 16 numbers of a window (64 bytes take as long)."""


def _max_pool(task: Task) -> Tensor:
    return _pooled(task, "max_pool2d_f32", _windows(task.layer))


def _avg_pool(task: Task) -> Tensor:
    return _pooled(task, "avg_pool2d_f32", _windows(task.layer))


def _global_avg_pool(task: Task) -> Tensor:
    height, width = task.x.shape[1:]
    return _pooled(task, "avg_pool2d_f32", _settings((height, width), (height, width), (0, 0)))


def _windows(layer: Any) -> dict[str, int]:
    return _settings(as_pair(layer.kernel), as_pair(layer.stride), as_pair(layer.padding))


def _settings(kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]) -> dict[str, int]:
    """Return the integers that pooling kernels take."""
    names = "kernel_height", "kernel_width", "stride_y", "stride_x", "pad_y", "pad_x"
    return dict(zip(names, (*kernel, *stride, *padding), strict=True))


def _pooled(task: Task, kernel: str, windows: dict[str, int]) -> Tensor:
    draft, x = task.draft, channels_last(task.draft, task.x)
    C, H, W = x.shape
    _, OH, OW = task.shape
    dense, out = dense_buffer(draft, x), draft.buffer(OH * OW, C)
    emit(draft, kernel, {"x": View(dense, (H, W, C)), **windows, "out": View(out, (OH, OW, C))})
    return Tensor(x.dtype, task.shape, layout_of(task.shape), out, expected=_expected(x, windows))


def _expected(x: Tensor, windows: dict[str, int]) -> float:
    """Expect a number wherever one of the window may be expected."""
    return min(float(x.channels), windows["kernel_height"] * windows["kernel_width"] * x.expected)


def _max_pool_of_bytes(task: Task) -> Tensor:
    """Pool an image of bytes whose positions are whole vectors."""
    draft, x, windows = task.draft, task.x, _windows(task.layer)
    (_, H, W), (_, OH, OW), S = x.shape, task.shape, x.layout.stride
    layout = Layout(OH * OW, x.channels, S)
    out = byte_buffer(draft, *layout.shape)
    emit(draft, "max_pool2d_i8", {"x": View(x.view.buffer, (H, W, S)), **windows, "out": View(out, (OH, OW, S))})
    return Tensor(x.dtype, task.shape, layout, out, expected=_expected(x, windows))


LOWERINGS = {
    "MaxPool2d": (Lowering(_max_pool), Lowering(_max_pool_of_bytes, "uint8", whole_vectors)),
    "AvgPool2d": (Lowering(_avg_pool),),
    "GlobalAvgPool2d": (Lowering(_global_avg_pool),),
}


def _pooling(shapes: Shapes, lanes: int = 16) -> StepWork:
    *places, channels = shapes["out"]
    height, width = (
        min(shapes[name][0], size) for name, size in zip(("kernel_height", "kernel_width"), shapes["x"], strict=False)
    )
    vectors = prod(places) * height * width * ceil(channels / lanes)
    return StepWork(arithmetic_ns=vectors * VECTOR_NS, passing_ns=vectors * POOLED_NS)


def _pooling_bytes(shapes: Shapes) -> StepWork:
    return _pooling(shapes, 64)


STEP_COSTS: StepCosts = {
    "max_pool2d_f32": _pooling,
    "avg_pool2d_f32": _pooling,
    "max_pool2d_i8": _pooling_bytes,
}
