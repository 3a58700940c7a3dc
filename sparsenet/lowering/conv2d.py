"""Lower convolutions, of floats and of bytes, with their fused epilogues."""

from dataclasses import replace
from math import prod

from sparsenet.layers import kept_count
from sparsenet.lowering.bytes import byte_buffer, is_whole_vectors, padded_layout, restrided
from sparsenet.lowering.choose import Chosen, choose, note
from sparsenet.lowering.conv2d_bytes import ByteConv2d, fits_pixels, padded_bytes
from sparsenet.lowering.conv2d_floats import FLOAT_IMPLEMENTATIONS, FloatConv2d
from sparsenet.lowering.conv2d_tiles import TILE_IMPLEMENTATIONS
from sparsenet.lowering.conv2d_vectors import VECTOR_IMPLEMENTATIONS
from sparsenet.lowering.draft import View, emit
from sparsenet.lowering.float_work import WeightedWork, block_count
from sparsenet.lowering.footprint import refuse_padding
from sparsenet.lowering.layout import Layout, layout_of
from sparsenet.lowering.step_work import StepCosts
from sparsenet.lowering.task import Lowering, Task
from sparsenet.lowering.tensor import Tensor, channels_last
from sparsenet.ops.geometry import Shape

__all__ = ["IMPLEMENTATIONS", "LOWERINGS", "STEP_COSTS"]


def _conv2d(task: Task) -> Tensor:
    """Emit the kernel that is chosen for a convolution of floats, and what prepares its input."""
    draft, layer, x = task.draft, task.layer, channels_last(task.draft, task.x)
    pooled = task.epilogue is not None
    positions, taps = prod(task.shape[1:]), prod(layer.weight.shape[2:])
    counts = taps, x.channels, len(layer.weight), layer.groups, kept_count(layer), x.expected, draft.batch
    work = WeightedWork(x.rows, positions, *counts, draft.once(block_count, layer), pooled=pooled)
    chosen = choose(FloatConv2d(_reading(task, x), work), FLOAT_IMPLEMENTATIONS)
    bound = chosen.implementation.bind(chosen.problem, chosen.kernel)
    channels, *places = shape = _shape(chosen)
    out = draft.buffer(prod(places), channels)
    emit(draft, chosen.kernel.name, bound.arguments | {"out": View(out, (*places, channels))})
    note(chosen, bound.fill)
    return Tensor("float32", shape, layout_of(shape), out)


def _quantized_conv2d(task: Task) -> Tensor:
    """Emit the kernel that is chosen for a convolution of bytes."""
    draft, layer, x = task.draft, task.layer, task.x
    if not is_whole_vectors(x.layout) and not fits_pixels(layer):
        x = restrided(draft, x)
    taps = prod(layer.weight.shape[2:])
    refuse_padding(draft.layer, -(-len(layer.weight) // 16) * 16 * taps * x.layout.stride, layer.weight.size)
    image = padded_bytes(draft, layer, x)
    chosen = choose(ByteConv2d(_reading(task, x)), BYTE_IMPLEMENTATIONS)
    bound = chosen.implementation.bind(chosen.problem, chosen.kernel)
    channels, *places = shape = _shape(chosen)
    layout = Layout(prod(places), channels, padded_layout(1, channels).stride)  # always padded to whole vectors
    out = byte_buffer(draft, *layout.shape)
    given = {"x": image, **bound.arguments, "out": View(out, (*places, layout.stride))}
    emit(draft, chosen.kernel.name, given)
    note(chosen, bound.fill)
    return Tensor("uint8", shape, layout, out)


def _reading(task: Task, x: Tensor) -> Task:
    """Return the task with its input in another form."""
    return task if x is task.x else replace(task, inputs=(x,))


def _shape(chosen: Chosen) -> Shape:
    """Return the shape of what the kernel gives, with its epilogue or without."""
    task: Task = chosen.problem.task
    return task.epilogue.shape if task.epilogue is not None and chosen.problem.fused else task.shape


BYTE_IMPLEMENTATIONS = (*TILE_IMPLEMENTATIONS, *VECTOR_IMPLEMENTATIONS)

IMPLEMENTATIONS = (*FLOAT_IMPLEMENTATIONS, *BYTE_IMPLEMENTATIONS)

LOWERINGS = {
    "Conv2d": (Lowering(_conv2d, fuses=("pool2",)),),
    "QuantizedConv2d": (Lowering(_quantized_conv2d, "uint8", fuses=("pool2",)),),
}

STEP_COSTS: StepCosts = {}
