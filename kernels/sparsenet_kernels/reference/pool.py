"""Pooling: the largest or the mean value of each window of an image."""

from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._windows import Pair, taps, window_places


def pool_shape(size: Pair, kernel: Pair, stride: Pair, padding: Pair = (0, 0)) -> Pair:
    """Return the height and width of a pooling's output. This is the specification.

        H' = (H + 2 * padding - kh) // stride + 1             and W' likewise

    The padding is at most half the kernel: then no window lies wholly in it, and a largest value always exists.

    Raises
    ------
    ValueError
        If the padding exceeds kernel // 2, an argument is out of range or the window does not fit.

    Examples
    --------
    >>> pool_shape((5, 28), (2, 2), (2, 2))
    (2, 14)
    """
    places = window_places(size, kernel, stride, padding, (1, 1))
    if padding[0] > kernel[0] // 2 or padding[1] > kernel[1] // 2:
        raise ValueError(
            f"expected padding of at most half the kernel {kernel}, got {padding}; pad the input before pooling"
        )
    return places


def max_pool2d(x: ArrayLike, kernel: Pair, stride: Pair, padding: Pair = (0, 0)) -> NDArray[np.float64]:
    """Take the largest value of each window; padding counts as -infinity. This is the specification.

        out[b, c, i, j] = max_{ky, kx} x[b, c, i * stride - padding + ky, likewise j]

    x    (B, C, H, W)    any float
    out  (B, C, H', W')  float64; H', W' as `pool_shape` says; NaN where the window holds a NaN

    Raises
    ------
    ValueError
        As `pool_shape`.

    Examples
    --------
    >>> max_pool2d([[[[1.0, -2.0], [3.0, 0.0]]]], (2, 2), (2, 2))
    array([[[[3.]]]])
    """
    x = np.asarray(x, np.float64)
    pool_shape((x.shape[2], x.shape[3]), kernel, stride, padding)
    largest: NDArray[np.float64] = reduce(
        np.maximum, (seen for _, seen in taps(x, kernel, stride, padding, (1, 1), -np.inf))
    )
    return largest


def avg_pool2d(x: ArrayLike, kernel: Pair, stride: Pair, padding: Pair = (0, 0)) -> NDArray[np.float64]:
    """Take the mean of each window; padding counts as zeros, the divisor is always kh * kw. This is the specification.

        out[b, c, i, j] = 1 / (kh * kw) * sum_{ky, kx} x[b, c, i * stride - padding + ky, likewise j]

    x    (B, C, H, W)    any float
    out  (B, C, H', W')  float64; H', W' as `pool_shape` says

    Raises
    ------
    ValueError
        As `pool_shape`.

    Examples
    --------
    >>> avg_pool2d([[[[1.0, -2.0], [3.0, 0.0]]]], (2, 2), (2, 2))
    array([[[[0.5]]]])
    """
    x = np.asarray(x, np.float64)
    pool_shape((x.shape[2], x.shape[3]), kernel, stride, padding)
    total: NDArray[np.float64] = reduce(np.add, (seen for _, seen in taps(x, kernel, stride, padding, (1, 1), 0.0)))
    return total / (kernel[0] * kernel[1])


def global_avg_pool2d(x: ArrayLike) -> NDArray[np.float64]:
    """Take the mean of each channel. This is the specification.

        out[b, c, 0, 0] = 1 / (H * W) * sum_{i, j} x[b, c, i, j]

    x    (B, C, H, W)  any float
    out  (B, C, 1, 1)  float64

    Examples
    --------
    >>> global_avg_pool2d([[[[1.0, 2.0]], [[3.0, 5.0]]]]).ravel()
    array([1.5, 4. ])
    """
    mean: NDArray[np.float64] = np.asarray(x, np.float64).mean(axis=(2, 3), keepdims=True)
    return mean
