"""Dense weights in panels: so many outputs side by side as a tile of accumulators takes in one step.

    weight                    panel 0                     panel 1
            d=0  1                  output 0 … L-1              output L … 2L-1
    n=0      .   .            d=0   .  .  .  .  .         d=0   .  .  0  0  0
    n=1      .   .            d=1   .  .  .  .  .         d=1   .  .  0  0  0
     …

L is 16 numbers, one vector, times the vectors of a kernel's tile, which its record states as ``packing``. The last
panel ends in zeros, and so does the bias.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Arrays

PANEL_VECTORS = 2
"""Vectors of 16 outputs in a panel for kernels whose record asks for no other number; those must take any."""


class Panels(NamedTuple):
    """Dense weights in panels, with their bias.

    Attributes
    ----------
    weights : (G, P, D, L) float32
        P panels of L outputs by D inputs for each of G groups.
    bias : (G, P * L) float32
        Zeros behind the last output of a group.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def arrays(self, group: int | None = None) -> Arrays:
        """Give the arrays by the names that kernels have for them; those of one group where only one is wanted."""
        return {name: array if group is None else array[group] for name, array in self._asdict().items()}


def pack_panels(
    matrices: NDArray[np.float32], bias: NDArray[np.float32] | None, vectors: int = PANEL_VECTORS
) -> Panels:
    """Lay the weights of each group of outputs out in panels.

    Parameters
    ----------
    matrices : (G, N, D) float32
        One matrix of N outputs by D inputs for each group; one group for a fully connected layer.
    bias : (G * N,) float32, optional
        Zeros when left out.
    vectors : int
        Vectors of 16 outputs in a panel, as a kernel's ``packing`` says.

    Returns
    -------
    Panels
        ``matrices[g, p * L + l, d] = weights[g, p, d, l]`` with L = 16 * vectors and P = ceil(N / L).

    Examples
    --------
    >>> panels, padded = pack_panels(np.ones((1, 17, 3), np.float32), None, vectors=1)
    >>> panels.shape, padded.shape, float(panels.sum())
    ((1, 2, 3, 16), (1, 32), 51.0)
    """
    groups, N, D = matrices.shape
    lanes = 16 * vectors
    panels = -(-N // lanes)
    wide = np.zeros((groups, panels * lanes, D), np.float32)
    wide[:, :N] = matrices
    padded = np.zeros((groups, panels * lanes), np.float32)
    padded[:, :N] = 0.0 if bias is None else bias.reshape(groups, N)
    return Panels(np.ascontiguousarray(wide.reshape(groups, panels, lanes, D).transpose(0, 1, 3, 2)), padded)


def pack_panels_conv2d(
    weight: NDArray[np.float32], bias: NDArray[np.float32] | None, groups: int, vectors: int = PANEL_VECTORS
) -> Panels:
    """Lay filters out in panels; the taps of one group are numbered (ky * kw + kx) * C / G + c.

    Parameters
    ----------
    weight : (N, C / G, kh, kw) float32
    bias : (N,) float32, optional
        Zeros when left out.
    groups : int
        The number of groups G.
    vectors : int
        Vectors of 16 outputs in a panel, as a kernel's ``packing`` says.

    Returns
    -------
    Panels
        With kh * kw * C / G taps as inputs.

    Examples
    --------
    >>> panels, _ = pack_panels_conv2d(np.ones((4, 2, 3, 3), np.float32), None, groups=2, vectors=1)
    >>> panels.shape
    (2, 1, 18, 16)
    """
    matrices = weight.transpose(0, 2, 3, 1).reshape(groups, len(weight) // groups, -1)
    return pack_panels(matrices, bias, vectors)
