"""Lay buffers out in one block of scratch memory; buffers that are never needed together share their place."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

__all__ = ["ALIGNMENT_BYTES", "LARGEST_SCRATCH_BYTES", "Buffer", "aligned_copy", "aligned_scratch", "lay_out"]

ALIGNMENT_BYTES = 64
"""A cache line, and the width of the widest vectors: kernels on aligned buffers were up to 1.65 times faster."""

SLACK_BYTES = 64
"""Room behind each buffer, so that a vector that begins inside never ends in a neighbour's cache line."""

LARGEST_SCRATCH_BYTES = 2**28
"""Scratch memory of a chunk stays below this, or is that of a single sample."""

Gap = tuple[int, int]
"""Bytes that nobody needs: from, and up to."""

ENDLESS = 2**62


@dataclass(eq=False)
class Buffer:
    """A piece of scratch memory: ``sample_bytes`` bytes, for each sample of a chunk or once.

    A buffer says how far apart its samples lie; whatever sees it in a shape sees that many bytes a sample.
    ``offset_bytes`` is set by :func:`lay_out`; ``first`` and ``last`` are the steps between which it is needed.
    """

    sample_bytes: int
    per_sample: bool
    first: int
    last: int
    offset_bytes: int = -1

    def size_bytes(self, samples: int) -> int:
        """Bytes it takes for a chunk of ``samples``, rounded up to whole cache lines."""
        size = self.sample_bytes * (samples if self.per_sample else 1) + SLACK_BYTES
        return -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def lay_out(buffers: Sequence[Buffer], samples: int) -> int:
    """Give every buffer its offset, and return the bytes that all of them need.

    Buffers are placed in the order in which they are first needed, each in the lowest gap that no buffer needed at the
    same time covers. What is free is kept in a list of gaps and not found anew for each buffer: of a network of 10,000
    layers, all buffers may be needed at once.
    """
    gaps: list[Gap] = [(0, ENDLESS)]
    ends: list[tuple[int, int, int]] = []  # of the buffers that are placed: the last step, and their place
    total = ALIGNMENT_BYTES
    for buffer in sorted(buffers, key=lambda buffer: buffer.first):
        while ends and ends[0][0] < buffer.first:
            _, begin, end = heappop(ends)
            _free(gaps, begin, end)
        size_bytes = buffer.size_bytes(samples)
        buffer.offset_bytes = _take_lowest(gaps, size_bytes)
        heappush(ends, (buffer.last, buffer.offset_bytes, buffer.offset_bytes + size_bytes))
        total = max(total, buffer.offset_bytes + size_bytes)
    return total


def _take_lowest(gaps: list[Gap], size_bytes: int) -> int:
    """Take the lowest gap that is large enough and return its start; the last gap has no end."""
    place = next(place for place, (begin, end) in enumerate(gaps) if end - begin >= size_bytes)
    begin, end = gaps[place]
    gaps[place : place + 1] = [(begin + size_bytes, end)] if end - begin > size_bytes else []
    return begin


def _free(gaps: list[Gap], begin: int, end: int) -> None:
    """Add a gap to those that are free, joined to its neighbours."""
    place = bisect_left(gaps, (begin, end))
    if place < len(gaps) and gaps[place][0] == end:
        end = gaps.pop(place)[1]
    if place > 0 and gaps[place - 1][1] == begin:
        place -= 1
        begin = gaps.pop(place)[0]
    gaps.insert(place, (begin, end))


def aligned_scratch(size_bytes: int) -> npt.NDArray[np.uint8]:
    """Allocate bytes that begin at a cache line (NumPy promises 16 bytes only)."""
    block = np.zeros(size_bytes + ALIGNMENT_BYTES, np.uint8)
    start = -block.ctypes.data % ALIGNMENT_BYTES
    return block[start : start + size_bytes]


def aligned_copy(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Copy an array to an address at the begin of a cache line, read-only."""
    block = aligned_scratch(max(array.nbytes, 1))
    copy = block[: array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    copy.setflags(write=False)
    return copy
