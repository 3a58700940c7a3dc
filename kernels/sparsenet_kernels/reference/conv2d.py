"""The two-dimensional convolution (as everywhere in machine learning, a correlation: kernels are not flipped)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._windows import Pair, taps, window_places


def conv2d_shape(
    size: Pair, kernel: Pair, stride: Pair = (1, 1), padding: Pair = (0, 0), dilation: Pair = (1, 1)
) -> Pair:
    """Return the height and width of a convolution's output. This is the specification.

        H' = (H + 2 * padding - dilation * (kh - 1) - 1) // stride + 1        and W' likewise

    Raises
    ------
    ValueError
        If an argument is out of range or the kernel does not fit the padded image.

    Examples
    --------
    >>> conv2d_shape((32, 32), (5, 5))
    (28, 28)
    """
    return window_places(size, kernel, stride, padding, dilation)


def conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> NDArray[np.float64]:
    """Slide N kernels over the image; pairs are (vertical, horizontal). This is the specification.

        out[b, n, i, j] = bias[n] + sum_{c, ky, kx} weight[n, c, ky, kx] * x[b, g * C / G + c, i', j']
        g  = n // (N / G)                                   the group of output n
        i' = i * stride - padding + ky * dilation           and j' likewise; x is 0 outside the image

    x       (B, C, H, W)         any float
    weight  (N, C / G, kh, kw)   any float
    bias    (N,)                 any float; None adds nothing
    out     (B, N, H', W')       float64; H', W' as `conv2d_shape` says

    Raises
    ------
    ValueError
        If the groups do not divide C and N, the weights' channels are not C / G, or the kernel does not fit.

    Examples
    --------
    >>> conv2d([[[[1.0, 2.0, 3.0]]]], [[[[1.0, -1.0]]]], [0.5])
    array([[[[-0.5, -0.5]]]])
    """
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    B, C, H, W = x.shape
    N, _, kh, kw = weight.shape
    _check_groups(C, N, weight.shape[1], groups)
    rows, columns = conv2d_shape((H, W), (kh, kw), stride, padding, dilation)
    grouped = weight.reshape(groups, N // groups, C // groups, kh, kw)
    out = np.zeros((B, groups, N // groups, rows * columns))
    for (ky, kx), seen in taps(x, (kh, kw), stride, padding, dilation, fill=0.0):
        out += grouped[:, :, :, ky, kx] @ seen.reshape(B, groups, C // groups, rows * columns)
    out = out.reshape(B, N, rows, columns)
    return out if bias is None else out + np.asarray(bias, np.float64).reshape(N, 1, 1)


def _check_groups(C: int, N: int, channels: int, groups: int) -> None:
    if groups < 1 or C % groups or N % groups:
        raise ValueError(f"expected groups to divide {C} channels and {N} outputs, got {groups}")
    if channels != C // groups:
        raise ValueError(f"expected weights of {C // groups} channels ({C} in {groups} groups), got {channels}")
