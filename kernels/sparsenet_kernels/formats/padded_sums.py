"""Where a convolution adds up that sends each input to its outputs, and in which order it meets its blocks."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsenet_kernels.indices import check_index, narrowed

from .arrays import Arrays
from .blocks import Blocks
from .bytes import TILE, padded_size
from .compressed import lines_of

Pair = tuple[int, int]
Ints = NDArray[np.int32]

GROUP_SIZES = (6, 5, 4, 3, 2, 1)
"""Blocks of one channel whose weights stay in registers together; the largest first."""

NEAR_NUMBERS = 9216
"""Sums that stay in the first-level cache beside weights and inputs: 36 of 48 KB.

With all 64 outputs of 14 x 14 inputs at once, 64 KB, everything took 5.8 µs; in two parts 5.5, in four 6.7.
"""


class GroupedBlocks(NamedTuple):
    """Blocks of a convolution in the order in which they are added up.

    Attributes
    ----------
    groups : (parts, 6) int32
        How many groups of each of the sizes 6, 5, 4, 3, 2, 1 a part has.
    members : (G,) int32
        The channel of each group.
    offsets : (Z,) int32
        How far from the place of its input a block is added, in numbers: the input at (y, x) has its place at
        ``(y * row + x) * lanes``.
    weights : (Z, 16) float32
    """

    groups: Ints
    members: Ints
    offsets: Ints
    weights: NDArray[np.float32]

    def arrays(self) -> Arrays:
        """Give the arrays by the names that kernels have for them."""
        return self._asdict()


@dataclass(frozen=True)
class PaddedSums:
    """The sums of one sample: the outputs of stride 1, with room around them for what falls outside.

        │ margin │ rows above the outputs                          │
                 │ outputs, of which the stride keeps some │ rest │      each place: so many numbers of the outputs
                 │ rows below the outputs                          │

    With the room, whatever an input at (y, x) meets at tap (ky, kx) lies at one distance from the input's own place,
    wherever that is, and nobody has to look whether a product falls outside. What falls outside on the left lands in
    the rest of the row above. Skipping the rows above and below takes 29 % of the work from 14 x 14 inputs under
    5 x 5 taps, but then the inputs that count differ from tap to tap: more and shorter loops took longer.

    Outputs are added up in parts, one after the other, so that a part's sums stay near.

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
        """Numbers at a place: the outputs of a part, whole vectors."""
        tiles = padded_size(self.outputs, TILE) // TILE
        parts = -(-tiles // max(1, NEAR_NUMBERS // (TILE * self.places)))
        return TILE * -(-tiles // parts)

    @property
    def parts(self) -> int:
        """Parts that the outputs are added up in."""
        return -(-self.outputs // self.lanes)

    @property
    def margin(self) -> int:
        """Places in front of the first row."""
        return self._before[1]

    @property
    def row(self) -> int:
        """Places in a row."""
        return max(self._before[1] + self._dense_out[1], self.size[1] + self.padding[1])

    @property
    def places(self) -> int:
        """Places in all."""
        rows = self._before[0] + max(self._dense_out[0], self.size[0] + self.padding[0])
        return self.margin + rows * self.row

    @property
    def first(self) -> int:
        """The place of the first output."""
        return self.margin + self._before[0] * self.row

    @property
    def total_size(self) -> int:
        """Numbers of the sums of a part."""
        return self.places * self.lanes

    def check_offsets(self) -> None:
        """Raise IndexRangeError unless every place among the sums fits int32, which kernels keep in their lists."""
        what = f"numbers of sums, {self.places} places of {self.lanes} outputs"
        check_index(self.total_size, np.int32, what, "use another kernel, or a smaller image")

    @property
    def _before(self) -> Pair:
        """Rows above the outputs and places to their left that the products of an input may reach."""
        reach = [(self.kernel[axis] - 1) * self.dilation[axis] - self.padding[axis] for axis in (0, 1)]
        return max(0, reach[0]), max(0, reach[1])

    @property
    def _dense_out(self) -> Pair:
        """Height and width of the outputs of stride 1 that hold all outputs."""
        return (self.out[0] - 1) * self.stride[0] + 1, (self.out[1] - 1) * self.stride[1] + 1

    def grouped(self, packed: Blocks) -> "GroupedBlocks":
        """Gather the blocks of each part and channel in groups, and sort a part's groups by their size."""
        kh, kw = self.kernel
        channels = packed.shape[1] // (kh * kw)
        tap, channel = np.divmod(lines_of(packed.indptr).astype(np.int64), channels)
        part, start = np.divmod(packed.starts.astype(np.int64), self.lanes)
        blocks = np.bincount(part * channels + channel, minlength=self.parts * channels)
        line, begin, size = _groups(blocks)
        order = np.lexsort((-size, line // channels))
        ends = np.cumsum(size[order])
        taken = np.repeat(begin[order] - ends + size[order], size[order]) + np.arange(ends[-1] if ends.size else 0)
        chosen = np.argsort(part * channels + channel, kind="stable")[taken]
        distance = tap // kw * self.dilation[0] * self.row + tap % kw * self.dilation[1]
        origin = self.first + self.padding[0] * self.row + self.padding[1]
        offsets = narrowed((start + (origin - distance) * self.lanes)[chosen], np.int32, "numbers from input to sum")
        counts = [[np.count_nonzero(size[line // channels == p] == n) for n in GROUP_SIZES] for p in range(self.parts)]
        members = narrowed((line % channels)[order], np.int32, "channels")
        groups = narrowed(counts, np.int32, "groups").reshape(-1, len(GROUP_SIZES))
        return GroupedBlocks(groups, members, offsets, packed.values[chosen])


def _groups(blocks: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Cut the blocks of each line into as few groups as possible, of nearly equal size.

    blocks   (lines,)  how many each line has
    returns  line, first block and size of each group
    """
    pieces = -(-blocks // GROUP_SIZES[0])
    line = np.repeat(np.arange(blocks.size), pieces)
    turn = np.arange(line.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    size = blocks[line] // pieces[line] + (turn < blocks[line] % pieces[line])
    return line, np.cumsum(size) - size, size
