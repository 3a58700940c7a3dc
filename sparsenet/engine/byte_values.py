"""Values of bytes on their way through a network: channels last, each position padded to whole vectors."""

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from sparsenet.engine.arena import Buffer
from sparsenet.engine.values import Draft, View, emit

__all__ = ["VECTOR_BYTES", "Bytes", "byte_buffer", "byte_stride", "in_memory_order", "restrided"]

VECTOR_BYTES = 64
"""Channels of a position are padded to a multiple of this, so that a position is a whole number of vectors."""


@dataclass(frozen=True, eq=False)
class Bytes:
    """A value of bytes: ``rows`` positions of ``channels`` each, ``stride`` bytes apart.

    ``image`` is the image that this vector is the flattened form of: its bytes then lie as the image's do.
    ``expected`` non-zeros are to be expected at a position.
    """

    rows: int
    channels: int
    stride: int
    buffer: Buffer
    image: "Bytes | None" = None
    expected: float = -1.0

    def __post_init__(self) -> None:
        if self.expected < 0:
            object.__setattr__(self, "expected", float(self.channels))


def byte_stride(rows: int, channels: int) -> int:
    """Return the bytes of a position: an image of one channel is plain, all others are padded."""
    return 1 if channels == 1 and rows > 1 else -(-channels // VECTOR_BYTES) * VECTOR_BYTES


def byte_buffer(draft: Draft, *shape: int, per_sample: bool = True) -> Buffer:
    """Ask for scratch memory for bytes; buffers are counted in 32-bit numbers."""
    return draft.buffer(-(-prod(shape) // 4), per_sample=per_sample)


def restrided(draft: Draft, value: Bytes) -> Bytes:
    """Pad the positions of a plain image of one channel to whole vectors, for kernels that read nothing else."""
    out = byte_buffer(draft, value.rows, VECTOR_BYTES)
    emit(draft, "spread_channels_i8", View(value.buffer, (value.rows, 1)), View(out, (value.rows, VECTOR_BYTES)))
    return Bytes(value.rows, value.channels, VECTOR_BYTES, out, expected=value.expected)


def in_memory_order(matrix: npt.NDArray[np.generic], value: Bytes) -> npt.NDArray[np.generic]:
    """Spread the columns of a matrix to where the bytes of a vector lie; columns of padding are zero."""
    image = value.image if value.image is not None else value
    columns = -(-image.rows * image.stride // VECTOR_BYTES) * VECTOR_BYTES
    spread = np.zeros((len(matrix), image.rows, image.stride), matrix.dtype)
    spread[:, :, : image.channels] = matrix.reshape(len(matrix), image.channels, image.rows).transpose(0, 2, 1)
    wide = np.zeros((len(matrix), columns), matrix.dtype)
    wide[:, : image.rows * image.stride] = spread.reshape(len(matrix), -1)
    return wide
