"""A convolution and the largest of each 2 x 2 of its outputs: what kernels that do both at once compute."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._windows import Pair
from .conv2d import conv2d
from .pool import max_pool2d


def conv2d_pool2(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> NDArray[np.float64]:
    """Slide N kernels over the image, and pool. This is the specification.

        out = max_pool2d(conv2d(x, weight, bias, ...), kernel=(2, 2), stride=(2, 2))

    x       (B, C, H, W)         any float
    weight  (N, C / G, kh, kw)   any float
    bias    (N,)                 any float; None adds nothing
    out     (B, N, H', W')       float64; half the convolution's height and width, rounded down

    Raises
    ------
    ValueError
        As `conv2d`, and if the convolution's output is smaller than a window of 2 x 2.

    Examples
    --------
    >>> conv2d_pool2([[[[1.0, 2.0], [4.0, 3.0]]]], [[[[-1.0]]]], [0.5])
    array([[[[-0.5]]]])
    """
    return max_pool2d(conv2d(x, weight, bias, stride, padding, dilation, groups), (2, 2), (2, 2))
