"""Lower k-winners, among channels or among all elements, of floats and of bytes."""

from math import ceil, prod

import numpy as np
import numpy.typing as npt

from sparsenet.lowering.bytes import byte_buffer, whole_vectors
from sparsenet.lowering.draft import Arguments, View, emit, scratch
from sparsenet.lowering.step_work import Shapes, StepCosts, StepWork
from sparsenet.lowering.task import Lowering, Task
from sparsenet.lowering.tensor import Lists, Tensor, channels_last, dense_buffer, listed
from sparsenet.ops.kwinners import factor_per_element

__all__ = ["LOWERINGS", "STEP_COSTS"]

Floats = npt.NDArray[np.float32]

ROWS_IN_LANES = 5
"""Rows from which on 16 lanes, some of them empty, take less than one row after the other: 0.25 against 0.3 µs."""

LANES_NS = {8: 19.0, 16: 27.0, 32: 42.0, 64: 84.0}
"""Up to so many winners at 16 positions side by side, for eight channels."""
LISTED_NS = 6.0
"""Listing the winners among 64 channels at one of these positions."""
SEARCHED_NS, SEARCHED_ROW_NS = 0.33, 90.0
"""Winners of one row after the other: for a number, and for a row besides."""
MAP_NS = 0.73
"""Winners among all numbers of an image, for a number."""
BYTE_ROW_NS = 3.0
"""Winners among 64 bytes, eight positions together: for a position."""
BYTE_NS, BYTES_ROW_NS = 0.1, 15.0
"""Winners among more bytes: for a byte, and for a position besides."""


def _k_winners(task: Task) -> Tensor:
    """Choose among the channels of each position, or all elements of a vector: winners are listed."""
    draft, layer, x = task.draft, task.layer, channels_last(task.draft, task.x)
    if layer.scope == "all" and x.rows > 1:
        return _winners_of_map(task, x)
    R, C = x.rows, x.channels
    lists = Lists(draft.buffer(R, layer.k), draft.buffer(R, layer.k), layer.k)
    given: Arguments = {
        "x": View(dense_buffer(draft, x), (R, C)),
        "factor": _ranking(layer.factor, C),
        **listed(lists, R),
    }
    if R * draft.batch >= ROWS_IN_LANES and 8 <= C < 512 and layer.k <= 64:
        room = {"ranks": scratch(draft, 80, 16), "limits": scratch(draft, 64)}
        emit(draft, "kwta_f32__lanes", given | room)
    else:
        emit(draft, "kwta_f32", given | {"keys": scratch(draft, -(-C // 16) * 16)})
    return Tensor(x.dtype, x.shape, x.layout, lists=lists, expected=float(layer.k))


def _ranking(factor: Floats | None, size: int) -> Floats:
    """Return factors that give the same ranks as the layer's; none is larger than one, where that loses no digits.

    Products then stay within float32, mostly; kernels that meet others look at them exactly, which takes longer.
    """
    if factor is None or (factor == factor[0]).all():
        return np.ones(size, np.float32)
    _, exponent = np.frexp(factor.max())
    halved = np.ldexp(factor, -exponent)
    return halved if np.array_equal(np.ldexp(halved, exponent), factor) else factor


def _winners_of_map(task: Task, x: Tensor) -> Tensor:
    """Choose among all elements of an image; its winners are spread unevenly, so they stay in place."""
    draft, layer, shape = task.draft, task.layer, (x.rows, x.channels)
    factor = factor_per_element(layer, x.shape)
    ranking = _ranking(None if factor is None else factor.reshape(x.channels, x.rows).T.ravel(), x.size)
    dense, out = dense_buffer(draft, x), draft.buffer(*shape)
    given: Arguments = {"x": View(dense, shape), "factor": ranking, "keys": scratch(draft, -(-x.size // 16) * 16)}
    emit(draft, "kwta_map_f32", {**given, "k": layer.k, "out": View(out, shape)})
    return x.like(out, expected=layer.k / x.rows)


def _winners_among_bytes(task: Task) -> Tensor:
    """Choose among the channels of each position."""
    draft, x = task.draft, task.x
    out = x.like(byte_buffer(draft, *x.layout.shape), expected=float(task.layer.k))
    emit(draft, "kwta_i8", {"x": x.view, "k": task.layer.k, "out": out.view})
    return out


def _local_without_factor(task: Task) -> bool:
    local = task.layer.scope == "channels" or task.x.rows == 1
    return local and whole_vectors(task) and task.layer.factor is None


LOWERINGS = {
    "KWinners": (
        Lowering(_k_winners, dense=False),
        Lowering(_winners_among_bytes, "uint8", _local_without_factor),
    )
}


def _winners_cost(shapes: Shapes) -> StepWork:
    (rows, channels), k = shapes["x"], shapes["columns"][-1]
    if "ranks" not in shapes:
        return StepWork(rows * (channels * SEARCHED_NS + SEARCHED_ROW_NS))
    blocks = ceil(rows / 16) if rows >= 5 else rows / 16  # fewer rows lie in lanes beside those of other samples
    sorting = next(ns for most, ns in LANES_NS.items() if k <= most)
    return StepWork(blocks * ceil(channels / 8) * sorting + rows * ceil(channels / 64) * LISTED_NS)


def _map_cost(shapes: Shapes) -> StepWork:
    return StepWork(prod(shapes["x"]) * MAP_NS)


def _bytes_cost(shapes: Shapes) -> StepWork:
    rows, channels = shapes["x"]
    if channels == 64 and rows >= 8:
        return StepWork(rows * BYTE_ROW_NS)
    return StepWork(rows * (channels * BYTE_NS + BYTES_ROW_NS))


STEP_COSTS: StepCosts = {"kwta_f32": _winners_cost, "kwta_map_f32": _map_cost, "kwta_i8": _bytes_cost}
