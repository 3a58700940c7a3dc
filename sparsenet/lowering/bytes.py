"""Tensors of bytes: channels last, each position padded to whole vectors."""

import numpy as np
import numpy.typing as npt

from sparsenet.lowering.arena import Buffer
from sparsenet.lowering.draft import Draft, View, emit
from sparsenet.lowering.layout import Layout
from sparsenet.lowering.task import Task
from sparsenet.lowering.tensor import Tensor
from sparsenet.ops.geometry import Shape
from sparsenet_kernels.indices import check_index

__all__ = [
    "VECTOR_BYTES",
    "as_padded_vector",
    "byte_buffer",
    "in_memory_order",
    "is_whole_vectors",
    "no_tiles",
    "other_width",
    "padded_layout",
    "restrided",
    "whole_vectors",
]

VECTOR_BYTES = 64
"""Channels of a position are padded to a multiple of this, so that a position is a whole number of vectors."""


def is_whole_vectors(layout: Layout) -> bool:
    """Tell whether every row is a whole number of vectors."""
    return layout.stride % VECTOR_BYTES == 0


def whole_vectors(task: Task) -> bool:
    """Tell whether a layer's input is no flattened image, and every position a whole number of vectors."""
    return is_whole_vectors(task.x.layout) and task.x.layout.image is None


def padded_layout(rows: int, channels: int) -> Layout:
    """Return how bytes lie: an image of one channel is plain, all others are padded to whole vectors."""
    plain = channels == 1 and rows > 1
    return Layout(rows, channels, 1 if plain else -(-channels // VECTOR_BYTES) * VECTOR_BYTES)


def byte_buffer(draft: Draft, *shape: int) -> Buffer:
    """Ask for scratch memory for bytes of every sample."""
    return draft.buffer(*shape, item_bytes=1)


def restrided(draft: Draft, x: Tensor) -> Tensor:
    """Pad the positions of a plain image of one channel to whole vectors, for kernels that read nothing else."""
    return _spread(draft, x, x.shape, Layout(x.rows, 1, 1), VECTOR_BYTES)


def as_padded_vector(draft: Draft, x: Tensor) -> Tensor:
    """Turn a plain image of one channel into a vector, which is padded at its end."""
    return _spread(draft, x, (x.rows,), Layout(1, x.rows, x.rows), padded_layout(1, x.rows).stride)


def _spread(draft: Draft, x: Tensor, shape: Shape, before: Layout, stride: int) -> Tensor:
    """Copy rows of bytes further apart."""
    after = Layout(before.rows, before.channels, stride)
    out = byte_buffer(draft, *after.shape)
    emit(draft, "spread_channels_i8", {"x": View(x.view.buffer, before.shape), "out": View(out, after.shape)})
    return Tensor(x.dtype, shape, after, out, expected=x.expected * x.rows / after.rows)


def in_memory_order(matrix: npt.NDArray[np.generic], x: Tensor) -> npt.NDArray[np.generic]:
    """Spread the columns of a matrix to where the bytes of a vector lie; columns of padding are zero."""
    N, layout = len(matrix), x.layout
    check_index(layout.size, np.int32, "bytes of an input with its padding", "make the image smaller")
    if layout.image is not None:
        rows, channels = layout.image
        matrix = matrix.reshape(N, channels, rows).transpose(0, 2, 1)
    spread = np.zeros((N, *layout.shape), matrix.dtype)
    spread[:, :, : layout.channels] = matrix.reshape(N, *layout.elements)
    return spread.reshape(N, -1)


def no_tiles(task: Task) -> str:
    """Say why kernels on AMX tiles cannot run; an empty text where they can."""
    why = "this processor has no AMX tiles for bytes, or the system does not let this process use them"
    return "" if task.plan.machine.has_byte_tiles else why


def other_width(task: Task, variant: str) -> str:
    """Say that a variant is for vectors of another width than this machine's; else an empty text."""
    suited = task.plan.machine.register_width
    return "" if variant == suited else f"the {suited} variant suits this processor"
