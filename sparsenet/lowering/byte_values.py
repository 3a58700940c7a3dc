"""Values of bytes on their way through a network: channels last, each position padded to whole vectors."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsenet.lowering.arena import Buffer
from sparsenet.lowering.values import Draft, View, emit
from sparsenet_kernels.indices import check_index

__all__ = [
    "VECTOR_BYTES",
    "Bytes",
    "Layout",
    "as_padded_vector",
    "byte_buffer",
    "in_memory_order",
    "padded_layout",
    "restrided",
]

VECTOR_BYTES = 64
"""Channels of a position are padded to a multiple of this, so that a position is a whole number of vectors."""


@dataclass(frozen=True)
class Layout:
    """How the bytes of one sample lie: ``rows`` of ``channels`` bytes each, ``stride`` bytes apart.

    Behind the channels of each row there is padding; nothing else. Who reads, writes or turns the bytes takes shapes
    from here, so that there is one idea of where the next row begins, and the next sample.
    """

    rows: int
    channels: int
    stride: int

    @property
    def shape(self) -> tuple[int, int]:
        """The shape in memory, padding included."""
        return self.rows, self.stride

    @property
    def elements(self) -> tuple[int, int]:
        """The shape of what is not padding: that of the same numbers as floats, which lie without any."""
        return self.rows, self.channels

    @property
    def sample_bytes(self) -> int:
        """How many bytes one sample takes, and so how far apart samples lie."""
        return self.rows * self.stride

    @property
    def whole_vectors(self) -> bool:
        """Whether every row is a whole number of vectors."""
        return self.stride % VECTOR_BYTES == 0


@dataclass(frozen=True, eq=False)
class Bytes:
    """A value of bytes: ``rows`` positions of ``channels`` each by its meaning, and how they lie.

    ``image`` is the rows and channels of the image that this vector is the flattened form of: its bytes then come in
    the image's order of memory, (H, W, C). ``expected`` non-zeros are to be expected at a position.
    """

    rows: int
    channels: int
    layout: Layout
    buffer: Buffer
    image: tuple[int, int] | None = None
    expected: float = -1.0

    def __post_init__(self) -> None:
        if self.expected < 0:
            object.__setattr__(self, "expected", float(self.channels))

    @property
    def stride(self) -> int:
        """Bytes from one row in memory to the next."""
        return self.layout.stride

    @property
    def view(self) -> View:
        """The bytes as they lie, padding included."""
        return View(self.buffer, self.layout.shape)


def padded_layout(rows: int, channels: int) -> Layout:
    """Return how bytes lie: an image of one channel is plain, all others are padded to whole vectors."""
    plain = channels == 1 and rows > 1
    return Layout(rows, channels, 1 if plain else -(-channels // VECTOR_BYTES) * VECTOR_BYTES)


def byte_buffer(draft: Draft, *shape: int, per_sample: bool = True) -> Buffer:
    """Ask for scratch memory for bytes."""
    return draft.buffer(*shape, per_sample=per_sample, item_bytes=1)


def restrided(draft: Draft, value: Bytes) -> Bytes:
    """Pad the positions of a plain image of one channel to whole vectors, for kernels that read nothing else."""
    return _spread(draft, value, Layout(value.rows, 1, 1), VECTOR_BYTES)


def as_padded_vector(draft: Draft, value: Bytes) -> Bytes:
    """Turn a plain image of one channel into a vector, which is padded at its end."""
    return _spread(draft, value, Layout(1, value.rows, value.rows), padded_layout(1, value.rows).stride)


def _spread(draft: Draft, value: Bytes, before: Layout, stride: int) -> Bytes:
    """Copy rows of bytes further apart."""
    after = Layout(before.rows, before.channels, stride)
    out = byte_buffer(draft, *after.shape)
    emit(draft, "spread_channels_i8", View(value.buffer, before.shape), View(out, after.shape))
    return Bytes(after.rows, after.channels, after, out, expected=value.expected * value.rows / after.rows)


def in_memory_order(matrix: npt.NDArray[np.generic], value: Bytes) -> npt.NDArray[np.generic]:
    """Spread the columns of a matrix to where the bytes of a vector lie; columns of padding are zero."""
    N, layout = len(matrix), value.layout
    check_index(layout.sample_bytes, np.int32, "bytes of an input with its padding", "make the image smaller")
    if value.image is not None:
        rows, channels = value.image
        matrix = matrix.reshape(N, channels, rows).transpose(0, 2, 1)
    spread = np.zeros((N, *layout.shape), matrix.dtype)
    spread[:, :, : layout.channels] = matrix.reshape(N, *layout.elements)
    return spread.reshape(N, -1)
