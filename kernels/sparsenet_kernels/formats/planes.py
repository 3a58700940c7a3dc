"""An image as planes, one for each channel and each phase of the stride, so that a strided filter finds runs to read.

Position (y, x) of the padded image, channel c, lies at row y // stride_y, column x // stride_x of plane
((y % stride_y) * stride_x + x % stride_x) * C + c. The kernel ``split_phases_f32`` writes planes; a convolution that
walks its weights reads, for each weight, one plane shifted by the weight's tap.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsenet_kernels.indices import check_index, narrowed

from .arrays import Arrays

Pair = tuple[int, int]

LANES = 16
"""Positions in a vector; kernels compute whole vectors, so they may read that far behind the last one."""


@dataclass(frozen=True)
class Planes:
    """How the planes of an image lie, and where a filter's taps find theirs.

    Parameters
    ----------
    channels : int
    size : (int, int)
        Height and width of the image without padding.
    stride, padding, dilation : (int, int)
        Of the convolution that reads the planes.

    Examples
    --------
    >>> planes = Planes(channels=2, size=(5, 6), stride=(2, 2), padding=(0, 1), dilation=(1, 1))
    >>> planes.rows, planes.row, planes.count
    (3, 4, 8)
    >>> planes.offsets(np.array([0, 1, 2, 4]), kernel_width=2).tolist()
    [0, 12, 24, 48]
    """

    channels: int
    size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    @property
    def rows(self) -> int:
        """Rows of a plane."""
        return -(-(self.size[0] + 2 * self.padding[0]) // self.stride[0])

    @property
    def row(self) -> int:
        """Numbers in a row of a plane."""
        return -(-(self.size[1] + 2 * self.padding[1]) // self.stride[1])

    @property
    def count(self) -> int:
        """The number of planes."""
        return prod(self.stride) * self.channels

    def offsets(self, taps: NDArray[np.integer], kernel_width: int) -> NDArray[np.int32]:
        """Find where, in the planes laid end to end, the first output's input lies for each tap.

        Taps are numbered (ky * kernel_width + kx) * channels + c.
        """
        (sy, sx), (dy, dx) = self.stride, self.dilation
        place, channel = np.divmod(taps.astype(np.int64), self.channels)
        y, x = (place // kernel_width) * dy, (place % kernel_width) * dx
        plane = ((y % sy) * sx + x % sx) * self.channels + channel
        offsets = plane * self.rows * self.row + (y // sy) * self.row + x // sx
        return narrowed(offsets, np.int32, "numbers in front of a tap's plane")

    def arrays(self, packed: Mapping[str, NDArray[Any]], kernel_width: int) -> Arrays:
        """Give a format's arrays by name, with ``offsets`` into the planes instead of its ``columns``, the taps."""
        return {
            **{name: array for name, array in packed.items() if name != "columns"},
            "offsets": self.offsets(packed["columns"], kernel_width),
        }

    def check_offsets(self, out: Pair) -> None:
        """Raise IndexRangeError unless every place in the planes of one sample fits int32."""
        what = f"numbers in {self.count} planes of {self.rows} x {self.row}"
        check_index(self.total_size(out), np.int32, what, "use another kernel, or a smaller image")

    def sums_size(self, out: Pair) -> int:
        """Return the positions that are computed for outputs of this height and width, in whole vectors."""
        return -(-((out[0] - 1) * self.row + out[1]) // LANES) * LANES

    def total_size(self, out: Pair) -> int:
        """Return the numbers that planes take for one sample, with room for a whole last vector behind every tap."""
        return self.count * self.rows * self.row + self.sums_size(out)
