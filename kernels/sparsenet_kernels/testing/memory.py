"""Arrays between guards, so that writing outside of an array shows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsenet_kernels.testing.case import Array

GUARD_BYTES = 512
"""Bytes on either side of an array; more than the largest tile is wide."""

_GUARDS = {"f": b"\xa5\xa5\xff\x7f", "i": b"\xa5\xa5\xa5\xa5"}
"""What guards hold, by the array's kind of number: NaN where a float read from outside would spoil a sum."""


@dataclass(frozen=True, eq=False)
class Guarded:
    """A copy of an array between guards, and the bytes it began with.

    The copy begins 4 bytes behind an aligned address: no kernel may count on more than the alignment of its numbers.
    """

    block: NDArray[np.uint8]
    array: Array
    before: bytes

    @property
    def unchanged(self) -> bool:
        """Whether the array still holds what it began with."""
        return self.array.tobytes() == self.before

    @property
    def intact(self) -> bool:
        """Whether nobody wrote outside of the array."""
        guard = np.frombuffer(_guard(self.array.dtype), np.uint8)
        start = _place(self.block)
        around = self.block[start - GUARD_BYTES : start], self.block[start + self.array.nbytes :][:GUARD_BYTES]
        return all(np.array_equal(side, guard) for side in around)


def guarded(array: Array) -> Guarded:
    """Copy an array to a place between guards.

    Examples
    --------
    >>> copy = guarded(np.zeros(3, np.float32))
    >>> copy.array[:] = 1.0
    >>> copy.intact, copy.unchanged
    (True, False)
    """
    block = np.empty(array.nbytes + 2 * GUARD_BYTES + 128, np.uint8)
    guard = np.frombuffer(_guard(array.dtype), np.uint8)
    start = _place(block)
    end = start + array.nbytes
    block[start - GUARD_BYTES : start] = guard
    block[end : end + GUARD_BYTES] = guard
    copy = block[start:end].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return Guarded(block, copy, copy.tobytes())


def _place(block: NDArray[np.uint8]) -> int:
    """Find where the array begins in its block: 4 bytes behind a multiple of 64."""
    address = int(block.__array_interface__["data"][0])
    return GUARD_BYTES + (-(address + GUARD_BYTES)) % 64 + 4


def _guard(dtype: np.dtype) -> bytes:
    return _GUARDS[dtype.kind] * (GUARD_BYTES // 4)
