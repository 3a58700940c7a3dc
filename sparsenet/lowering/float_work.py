"""The work of a float32 layer with weights, for any kernel."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from sparsenet.layers import Conv2d, Linear, kept_count

__all__ = ["WeightedWork", "bias_of", "block_count", "share_kept"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WeightedWork:
    """The work of a convolution or a linear layer for one sample; a linear layer has one position and one tap.

    Attributes
    ----------
    positions, out_positions : int
        Places of the input and of the output image.
    taps : int
        Places of the filter.
    channels, outputs, groups : int
    nnz : int
        Weights kept.
    active : float
        Non-zeros to be expected among the channels of one position.
    batch : int
        Samples per call, at most those of a chunk.
    blocks : int
        Blocks of 16 outputs by one input, or by one channel at one tap, that hold a kept weight.
    sets : int
        Complementary sets that the weights pack into; 0 where nobody has packed them.
    pooled : bool
        Whether a 2 x 2 max pooling follows, in the same kernel or in another one.
    """

    positions: int
    out_positions: int
    taps: int
    channels: int
    outputs: int
    groups: int
    nnz: int
    active: float
    batch: int
    blocks: int
    sets: int = 0
    pooled: bool = False

    @property
    def dense_vectors(self) -> int:
        """Vectors of 16 outputs that one position takes for every tap and channel, in panels of four."""
        per_group = self.outputs // self.groups
        lanes = 16 if per_group <= 16 else 64
        return self.groups * ceil(per_group / lanes) * (lanes // 16)

    @property
    def columns(self) -> int:
        """Taps times channels, of all groups."""
        return self.taps * self.channels

    @property
    def dense_taps(self) -> int:
        """Taps times channels of one group."""
        return self.taps * self.channels // self.groups


def block_count(layer: Conv2d | Linear) -> int:
    """Count the blocks of 16 outputs by one input that hold a kept weight."""
    kept = layer.weight != 0 if layer.mask is None else layer.mask
    outputs = np.arange(len(kept))
    per_group = len(kept) // layer.groups if isinstance(layer, Conv2d) else len(kept)
    begins = np.flatnonzero((outputs % 16 == 0) | (outputs % per_group == 0))
    return int(np.count_nonzero(np.logical_or.reduceat(kept, begins, axis=0)))


def bias_of(bias: Floats | None, N: int) -> Floats:
    """Return a bias, of zeros where there is none."""
    return np.zeros(N, np.float32) if bias is None else bias


def share_kept(layer: Conv2d | Linear, stored: Floats) -> float:
    """Return the share of a dense format's places that hold a kept weight."""
    return kept_count(layer) / stored.size
