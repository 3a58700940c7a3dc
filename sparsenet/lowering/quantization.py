"""Lowering the changes between floats and bytes."""

import numpy as np

from sparsenet.lowering.bytes import byte_buffer, padded_layout
from sparsenet.lowering.draft import Arguments, Draft, View, emit
from sparsenet.lowering.step_work import Shapes, StepCosts, StepWork, vectors_in
from sparsenet.lowering.task import Lowering, Task
from sparsenet.lowering.tensor import CHANNELS_LAST, Layout, Tensor, channels_last, dense_buffer, layout_of

__all__ = ["LOWERINGS", "STEP_COSTS", "as_bytes", "as_floats"]

ROUNDED_NS = 0.26
"""Rounding a number to a byte where rows are padded."""
WIDENED_NS = 1.4
"""Making 16 numbers, or what is left of a row, out of bytes."""


def as_bytes(draft: Draft, x: Tensor, scale: float = 1.0, zero: int = 0) -> Tensor:
    """Round floats to bytes; with the scale left out, these are whole numbers from 0 to 255 already."""
    x = x if x.layout.order == CHANNELS_LAST else channels_last(draft, x)
    R, C = x.rows, x.channels
    plain = padded_layout(R, C)
    dense, out = dense_buffer(draft, x), byte_buffer(draft, *plain.shape)
    settings: Arguments = {"reciprocal": np.array([np.float32(1) / np.float32(scale)], np.float32), "zero": zero}
    if plain.shape == plain.elements:
        emit(draft, "quantize_i8", {"x": View(dense, (R * C,)), **settings, "out": View(out, (R * C,))})
    else:
        emit(draft, "quantize_rows_i8", {"x": View(dense, (R, C)), **settings, "out": View(out, plain.shape)})
    # a flattened image whose floats still lie as an image
    layout = Layout(*plain.elements, plain.stride, image=x.layout.image if x.turned else None)
    return Tensor("uint8", x.shape, layout, out)


def as_floats(draft: Draft, x: Tensor, scale: float = 1.0, zero: int = 0) -> Tensor:
    """Turn bytes to floats; with the scale left out, to the same numbers."""
    R, C = x.layout.elements
    out = draft.buffer(R, C)
    settings: Arguments = {"scale": np.array([scale], np.float32), "zero": zero}
    emit(draft, "dequantize_i8", {"x": x.view, **settings, "out": View(out, (R, C))})
    image, order = x.layout.image, x.layout.order
    layout = layout_of(x.shape, order) if image is None else Layout(1, x.size, x.size, image=image)
    return Tensor("float32", x.shape, layout, out)


def _quantize(task: Task) -> Tensor:
    return as_bytes(task.draft, task.x, task.layer.scale, task.layer.zero)


def _dequantize(task: Task) -> Tensor:
    return as_floats(task.draft, task.x, task.layer.scale, task.layer.zero)


LOWERINGS = {"Quantize": (Lowering(_quantize),), "Dequantize": (Lowering(_dequantize, "uint8"),)}


def _rounding_rows(shapes: Shapes) -> StepWork:
    rows, stride = shapes["out"]
    return StepWork(addresses_ns=rows * stride * ROUNDED_NS)


def _widening(shapes: Shapes) -> StepWork:
    return StepWork(addresses_ns=vectors_in(shapes, "out") * WIDENED_NS)


STEP_COSTS: StepCosts = {"quantize_rows_i8": _rounding_rows, "dequantize_i8": _widening}
