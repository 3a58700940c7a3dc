"""Where the inputs of a weight lie: channels at positions, and the units that masks keep or drop whole.

Inputs are numbered as the weight has them: input ``c * P + p`` is channel c at position p, both for the taps of a
convolution (N, C, kh, kw) and for a linear layer behind the flattening of a (C, H, W) image. In the engine's memory the
channels of one position are neighbours: input ``p * C + c``.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError

__all__ = ["Grid", "grid_of"]


@dataclass(frozen=True)
class Grid:
    """N outputs, and their inputs as C channels at each of P positions."""

    N: int
    C: int
    P: int

    @property
    def D(self) -> int:  # noqa: N802
        """Inputs of an output."""
        return self.C * self.P

    def units(self, channels: int) -> npt.NDArray[np.int64]:
        """Give a number to each group of neighbouring channels at one position; the last of a position may be smaller.

        Returns
        -------
        (D,) int64
            The unit of each input: ``p * ceil(C / channels) + c // channels``.

        Examples
        --------
        >>> Grid(N=1, C=4, P=2).units(channels=2).tolist()
        [0, 2, 0, 2, 1, 3, 1, 3]
        """
        channel, position = np.divmod(np.arange(self.D, dtype=np.int64), self.P)
        numbers: npt.NDArray[np.int64] = position * -(-self.C // channels) + channel // channels
        return numbers

    def channels(self, size: int = 1) -> npt.NDArray[np.int64]:
        """Give a number to each group of neighbouring channels, at every position alike: (D,) int64."""
        return np.arange(self.D, dtype=np.int64) // self.P // size

    def in_memory(self, keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Lay a mask out as the engine's memory has its inputs: (N, P * C), the channels of a position together."""
        return keep.reshape(self.N, self.C, self.P).transpose(0, 2, 1).reshape(self.N, self.D)


def grid_of(shape: tuple[int, ...], channels: int | None = None) -> Grid:
    """Read the grid off a weight's shape.

    Parameters
    ----------
    shape : (N, D) or (N, C, kh, kw)
    channels : int, optional
        Of the image that a linear layer's inputs are the flattened form of; without it they are one position.

    Raises
    ------
    SparsenetError
        If the shape is neither, an axis is empty, or the channels do not fit.
    TypeError
        If the shape holds anything but integers.

    Examples
    --------
    >>> grid_of((64, 64, 5, 5)), grid_of((1500, 1600), channels=64)
    (Grid(N=64, C=64, P=25), Grid(N=1500, C=64, P=25))
    """
    sizes = tuple(shape)
    if not all(isinstance(size, int | np.integer) for size in sizes):
        raise TypeError(f"expected a shape of integers, got {shape!r}")
    if len(sizes) not in (2, 4) or min(sizes) < 1:
        raise SparsenetError(f"expected a weight's shape, (N, D) or (N, C, kh, kw), none of it empty, got {sizes}")
    N, inputs, P = int(sizes[0]), int(sizes[1]), prod(sizes[2:])
    if channels is None:
        return Grid(N, inputs, P)
    if len(sizes) == 4 and channels != inputs:
        raise SparsenetError(f"expected the convolution's own {inputs} channels, got {channels}; leave `channels` out")
    if channels < 1 or inputs * P % channels:
        raise SparsenetError(f"expected channels that divide {inputs * P} inputs, got {channels}")
    return Grid(N, int(channels), inputs * P // int(channels))
