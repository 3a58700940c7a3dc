"""Arrays between guards, so that writing outside of an array shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsenet_kernels.testing.case import Array

GUARD_BYTES = 16384
"""Bytes on either side of an array: room for a whole tile of rows that a kernel writes in the wrong place."""

_POISON = b"\xa5\xa5\xff\x7f"
"""What stands around float inputs: NaN, so that a number read from outside spoils a sum."""

_PLAIN = b"\xa5\xa5\xa5\xa5"
"""What stands around all else. Not NaN: one that was read elsewhere, and written here, would look the same."""


@dataclass(frozen=True, eq=False)
class Guarded:
    """A copy of an array between guards, and the bytes it began with.

    The copy begins 4 bytes behind an aligned address: no kernel may count on more than the alignment of its numbers.
    """

    block: NDArray[np.uint8]
    array: Array
    before: bytes
    guard: bytes

    @property
    def unchanged(self) -> bool:
        """Whether the array still holds what it began with."""
        return self.array.tobytes() == self.before

    @property
    def intact(self) -> bool:
        """Whether nobody wrote outside of the array."""
        start = _place(self.block)
        around = self.block[start - GUARD_BYTES : start], self.block[start + self.array.nbytes :][:GUARD_BYTES]
        return all(side.tobytes() == self.guard for side in around)

    def seen_in(self, copy: Any) -> Any:
        """Return the array in a copy of the whole block on a device."""
        from sparsenet_kernels.cuda.api import carve

        return carve(copy, _place(self.block), self.array.shape, self.array.dtype)


def guarded(array: Array, written: bool) -> Guarded:
    """Copy an array, which will or will not be written, to a place between guards.

    Examples
    --------
    >>> copy = guarded(np.zeros(3, np.float32), written=True)
    >>> copy.array[:] = 1.0
    >>> copy.intact, copy.unchanged
    (True, False)
    """
    block = np.empty(array.nbytes + 2 * GUARD_BYTES + 128, np.uint8)
    guard = (_POISON if array.dtype.kind == "f" and not written else _PLAIN) * (GUARD_BYTES // 4)
    start = _place(block)
    end = start + array.nbytes
    block[start - GUARD_BYTES : start] = np.frombuffer(guard, np.uint8)
    block[end : end + GUARD_BYTES] = np.frombuffer(guard, np.uint8)
    copy = block[start:end].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return Guarded(block, copy, copy.tobytes(), guard)


def _place(block: NDArray[np.uint8]) -> int:
    """Find where the array begins in its block: 4 bytes behind a multiple of 64."""
    address = int(block.__array_interface__["data"][0])
    return GUARD_BYTES + (-(address + GUARD_BYTES)) % 64 + 4
