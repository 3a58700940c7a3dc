"""Operations on bytes: activations are whole numbers from 0 to 255, weights from -128 to 127, sums are exact integers.

This is the specification of the eight-bit kernels, which agree with it exactly: everything is int64 here, where nothing
overflows. Only what leaves the integers, :func:`dequantize` and :func:`linear_i8`, is float64. Pooling of bytes means
what it means for floats; float64 holds every byte.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._windows import Pair, taps, window_places
from .kwta import k_winners

Integers = NDArray[np.int64]


def quantize(x: ArrayLike, scale: float, zero: int = 0) -> Integers:
    """Turn floats into bytes, in steps of `scale` from the byte `zero` that stands for 0.0. This is the specification.

        out = clip(rint(x * (1 / scale)) + zero, 0, 255)

    x      any shape  float32; infinities become 0 or 255, NaN becomes 0
    scale  float      positive; the reciprocal and the product are rounded to float32, halves then go to the even number
    zero   integer    0 to 255
    out    int64      the shape of x

    Raises
    ------
    ValueError
        If `scale` or its reciprocal is not a positive number in float32, or `zero` is no byte.

    Examples
    --------
    >>> quantize([-1.0, 0.0, 0.25, 0.75, 200.0], 0.5, 128)
    array([126, 128, 128, 130, 255])
    """
    _check_byte(zero)
    with np.errstate(over="ignore"):  # infinity is clipped like any other large number
        steps = np.rint(np.asarray(x, np.float32) * _reciprocal(scale))
    clipped = np.clip(steps.astype(np.float64) + zero, 0, 255)
    return np.where(np.isnan(clipped), 0, clipped).astype(np.int64)


def dequantize(x: ArrayLike, scale: float, zero: int = 0) -> NDArray[np.float64]:
    """Turn bytes into the floats that they stand for. This is the specification.

        out = (x - zero) * scale

    x      any shape  bytes
    scale  float      positive
    zero   integer    0 to 255
    out    float64    the shape of x

    Raises
    ------
    ValueError
        If `scale` or its reciprocal is not a positive number in float32, or `zero` is no byte.

    Examples
    --------
    >>> dequantize([126, 128, 130], 0.5, 128)
    array([-1.,  0.,  1.])
    """
    _reciprocal(scale)
    _check_byte(zero)
    return (np.asarray(x, np.float64) - zero) * float(np.float32(scale))


def requantize(sums: ArrayLike, shift: int) -> Integers:
    """Divide sums by 2**shift, round halves up, clip to bytes. This is the specification.

        out = clip((sums + (1 << shift >> 1)) >> shift, 0, 255)

    sums   any shape  integers
    shift  integer    0 to 31
    out    int64      the shape of sums

    Raises
    ------
    ValueError
        If `shift` is out of range.

    Examples
    --------
    >>> requantize([-3, 1, 2, 5, 6, 2000], 2)
    array([  0,   0,   1,   1,   2, 255])
    """
    if not 0 <= shift <= 31:
        raise ValueError(f"expected a shift from 0 to 31, got {shift}")
    rounded: Integers = (np.asarray(sums, np.int64) + (1 << shift >> 1)) >> shift
    return np.clip(rounded, 0, 255)


def conv2d_i8(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike,
    shift: int,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    zero: int = 0,
) -> Integers:
    """Slide N kernels over an image of bytes; pairs are (vertical, horizontal). This is the specification.

        sums[b, n, i, j] = bias[n] + sum_{c, ky, kx} weight[n, c, ky, kx] * x[b, g * C / G + c, i', j']
        out = requantize(sums, shift)
        g  = n // (N / G)                                   the group of output n
        i' = i * stride - padding + ky * dilation           and j' likewise; x is `zero` outside the image

    x       (B, C, H, W)        bytes
    weight  (N, C / G, kh, kw)  -128 to 127
    bias    (N,)                int32
    out     (B, N, H', W')      int64; H', W' as `conv2d_shape` says

    Raises
    ------
    ValueError
        If the groups do not divide C and N, the weights' channels are not C / G, the kernel does not fit, or `shift` or
        `zero` is out of range.

    Examples
    --------
    >>> conv2d_i8([[[[1, 2, 30]]]], [[[[10, -1]]]], [3], shift=2)
    array([[[[3, 0]]]])
    """
    x, weight = np.asarray(x, np.int64), np.asarray(weight, np.int64)
    _check_byte(zero)
    B, C, H, W = x.shape
    N, channels, kh, kw = weight.shape
    if groups < 1 or C % groups or N % groups or channels != C // groups:
        raise ValueError(
            f"expected groups of {channels} channels that divide {C} channels and {N} outputs, got {groups}"
        )
    rows, columns = window_places((H, W), (kh, kw), stride, padding, dilation)
    grouped = weight.reshape(groups, N // groups, channels, kh, kw)
    sums = np.zeros((B, groups, N // groups, rows * columns), np.int64)
    for (ky, kx), seen in taps(x, (kh, kw), stride, padding, dilation, fill=zero):
        sums += grouped[:, :, :, ky, kx] @ seen.reshape(B, groups, channels, rows * columns)
    return requantize(sums.reshape(B, N, rows, columns) + np.asarray(bias, np.int64).reshape(N, 1, 1), shift)


def linear_i8(x: ArrayLike, weight: ArrayLike, scale: ArrayLike, bias: ArrayLike) -> NDArray[np.float64]:
    """Multiply each sample of bytes by the weights, scale each output and add its bias. This is the specification.

        out[b, n] = bias[n] + scale[n] * sum_d weight[n, d] * x[b, d]

    x            (B, D)  bytes
    weight       (N, D)  -128 to 127
    scale, bias  (N,)    float32
    out          (B, N)  float64

    Raises
    ------
    ValueError
        If the inputs of `x` and `weight`, or the outputs of `weight`, `scale` and `bias`, differ in number.

    Examples
    --------
    >>> linear_i8([[1, 2]], [[3, 0], [0, -4]], [0.5, 0.25], [0.0, 1.0])
    array([[ 1.5, -1. ]])
    """
    weight = np.asarray(weight, np.int64)
    sums = np.asarray(x, np.int64) @ weight.T
    scale, bias = (np.asarray(given, np.float64).reshape(weight.shape[0]) for given in (scale, bias))
    return sums * scale + bias


def k_winners_i8(x: ArrayLike, k: int) -> Integers:
    """Keep the k largest bytes along the last axis, zero the others; the lowest index wins a tie. The specification.

    x    (..., n)  bytes
    k    integer   0 or more; k >= n keeps everything
    out  (..., n)  int64

    Raises
    ------
    ValueError
        If k is negative.
    TypeError
        If k is not an integer.

    Examples
    --------
    >>> k_winners_i8([3, 0, 3, 255], 2)
    array([  3,   0,   0, 255])
    """
    return k_winners(x, k).astype(np.int64)


def _reciprocal(scale: float) -> np.float32:
    with np.errstate(all="ignore"):  # what float32 cannot hold is refused below
        narrow = np.float32(scale)
        reciprocal = np.float32(1.0) / narrow
    if not (np.isfinite(narrow) and narrow > 0 and np.isfinite(reciprocal) and reciprocal > 0):
        raise ValueError(f"expected a positive scale whose reciprocal float32 can hold, got {scale}")
    return reciprocal


def _check_byte(zero: int) -> None:
    if not 0 <= zero <= 255:
        raise ValueError(f"expected zero to be a byte, 0 to 255, got {zero}")
