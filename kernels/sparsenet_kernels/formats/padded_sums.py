"""Where a convolution adds up that sends each input to its outputs, and in which order it meets its blocks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blocks import Blocks
from .bytes import TILE, padded_size
from .compressed import lines_of, run_pointers

Pair = tuple[int, int]


@dataclass(frozen=True)
class PaddedSums:
    """The sums of one sample: the outputs of stride 1, with room left and right for what falls outside.

        │ margin │ outputs, of which the stride keeps some │ rest │      each place: N numbers, padded to whole vectors

    With the room, whatever an input at (y, x) meets at tap (ky, kx) lies at one distance from the input's own place,
    wherever that is: nobody has to look whether a product falls outside on the left or the right. Rows have no such
    room: taps of one channel are sorted, so those that stay inside are neighbours.

    Parameters
    ----------
    outputs : int
        N.
    size : (int, int)
        Height and width of the image.
    out : (int, int)
        Height and width of the output.
    kernel, stride, padding, dilation : (int, int)
    """

    outputs: int
    size: Pair
    out: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    @property
    def lanes(self) -> int:
        """Numbers at a place: the outputs, padded to whole vectors."""
        return padded_size(self.outputs, TILE)

    @property
    def margin(self) -> int:
        """Places to the left of the first output."""
        return max(0, (self.kernel[1] - 1) * self.dilation[1] - self.padding[1])

    @property
    def row(self) -> int:
        """Places in a row."""
        return self.margin + max(self.size[1] + self.padding[1], (self.out[1] - 1) * self.stride[1] + 1)

    @property
    def total_size(self) -> int:
        """Numbers of all sums."""
        return ((self.out[0] - 1) * self.stride[0] + 1) * self.row * self.lanes

    def by_channel(self, packed: Blocks) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """Sort the blocks of a convolution by the channel that they belong to, then by the row of the filter.

        Returns
        -------
        indptr : (C * kh + 1,) int32
            Where the run of each channel and row of the filter begins.
        offsets : (Z,) int32
            How far from the place of its input a block is added, in numbers.
        values : (Z, 16) float32
        """
        kh, kw = self.kernel
        channels = packed.shape[1] // (kh * kw)
        tap, channel = np.divmod(lines_of(packed.indptr).astype(np.int64), channels)
        lines = channel * kh + tap // kw
        order = np.argsort(lines, kind="stable")
        distance = tap // kw * self.dilation[0] * self.row + tap % kw * self.dilation[1]
        offsets = (packed.starts - distance * self.lanes)[order].astype(np.int32)
        return run_pointers(lines[order].astype(np.int32), channels * kh), offsets, packed.values[order]
