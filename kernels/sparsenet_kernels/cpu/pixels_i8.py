"""An image of one channel turned into slots of eight pixels, which the convolutions of bytes read."""

import numpy as np

from sparsenet_kernels.jit import helper
from sparsenet_kernels.simd.pixels import store_16_slots, store_slot

__all__ = ["spread_pixels"]


@helper
def spread_pixels(x, b, kernel_height, slots):
    """Write the slots of one sample that a filter of this height reads; 1 <= kernel_height <= 8.

    x      (B, H, W)    u8
    slots  (SH, W, 8)   u8  overwritten; SH is `slot_rows(H, kernel_height)`

    A byte that no filter has a weight for repeats another pixel or is zero. Reads nothing outside of x.
    """
    _, height, width = x.shape
    below = min(3, kernel_height - 1)
    right = 4 if 4 < kernel_height < 8 else 0
    wanted = slots.shape[0] * width
    safe = wanted - 3  # the last three have pixels to their right that may lie behind the image
    first = b * height * width
    for block in range(0, safe if safe >= 16 else 0, 16):
        i = min(block, safe - 16)  # the last block overlaps its neighbour
        store_16_slots(
            slots, 8 * i, x, first + i, min(1, below) * width, min(2, below) * width, below * width, right * width
        )
    for i in range(safe if safe >= 16 else 0, wanted):
        store_slot(slots, 8 * i, _slot(x, b, i // width, i % width, below, right))


@helper
def _slot(x, b, row, column, below, right):
    word = np.uint64(0)
    for j in range(4):
        word |= np.uint64(x[b, row + min(j, below), column]) << np.uint64(8 * j)
        if column + j < x.shape[2]:
            word |= np.uint64(x[b, row + right, column + j]) << np.uint64(32 + 8 * j)
    return word
