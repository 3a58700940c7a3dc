"""A convolution's weights as a matrix: the numbering of its columns.

The tap (ky, kx) of input channel c is column (ky * kw + kx) * C + c of the matrix:

    column   0 ... C-1     C ... 2C-1        ...   (kh*kw - 1)*C ... kh*kw*C - 1
    tap      (0, 0)        (0, 1)            ...   (kh-1, kw-1)
    channel  0 ... C-1     0 ... C-1         ...   0 ... C-1

so the C channels of one input pixel are C neighbouring columns. With groups, c counts the channels of the whole input,
and an output has no weight at the channels of other groups.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def conv2d_matrix(weight: ArrayLike, groups: int = 1) -> NDArray[Any]:
    """Lay the weights of a convolution out as a matrix with one column per tap.

    Parameters
    ----------
    weight : (N, C / G, kh, kw), any dtype
        Weights, or their mask.
    groups : int
        The number of groups G; the columns of other groups are zero.

    Returns
    -------
    (N, kh * kw * C), the dtype of `weight`

    Raises
    ------
    ValueError
        If `weight` has not four axes or `groups` does not divide N.

    Examples
    --------
    >>> conv2d_matrix([[[[1, 2]]], [[[3, 4]]]], groups=2)
    array([[1, 0, 2, 0],
           [0, 3, 0, 4]])
    """
    weight = np.asarray(weight)
    check_conv2d(weight.shape, groups)
    N, channels, kh, kw = weight.shape
    matrix = np.zeros((groups, N // groups, kh, kw, groups, channels), weight.dtype)
    for group, kernels in enumerate(weight.reshape(groups, N // groups, channels, kh, kw)):
        matrix[group, :, :, :, group] = np.moveaxis(kernels, 1, -1)
    return matrix.reshape(N, kh * kw * groups * channels)


def conv2d_weight(matrix: ArrayLike, kernel: tuple[int, int], groups: int = 1) -> NDArray[Any]:
    """Fold a matrix with one column per tap back into the weights of a convolution, the inverse of `conv2d_matrix`.

    Parameters
    ----------
    matrix : (N, kh * kw * C), any dtype
        As `conv2d_matrix` or an unpack function returns it; what stands in the columns of other groups is dropped.
    kernel : (kh, kw)
    groups : int
        The number of groups G.

    Returns
    -------
    (N, C / G, kh, kw), the dtype of `matrix`

    Raises
    ------
    ValueError
        If the matrix cannot be divided by the kernel and the groups.

    Examples
    --------
    >>> conv2d_weight([[1, 0, 2, 0], [0, 3, 0, 4]], (1, 2), groups=2).tolist()
    [[[[1, 2]]], [[[3, 4]]]]
    """
    matrix = np.asarray(matrix)
    (N, D), (kh, kw) = matrix.shape, kernel
    if groups < 1 or N % groups or D % (kh * kw * groups):
        raise ValueError(f"expected {groups} groups of {kh}x{kw} taps, got a matrix of shape {matrix.shape}")
    channels = D // (kh * kw * groups)
    split = matrix.reshape(groups, N // groups, kh, kw, groups, channels)
    own = np.stack([split[group, :, :, :, group] for group in range(groups)])
    return np.moveaxis(own, -1, 2).reshape(N, channels, kh, kw)


def check_conv2d(shape: tuple[int, ...], groups: int) -> None:
    """Raise ValueError unless `shape` is that of convolution weights and `groups` divides the outputs."""
    if len(shape) != 4 or min(shape) < 1:
        raise ValueError(f"expected weights of shape (N, C / groups, kh, kw), none zero, got {shape}")
    if groups < 1 or shape[0] % groups:
        raise ValueError(f"expected groups to divide the {shape[0]} outputs, got {groups}")
