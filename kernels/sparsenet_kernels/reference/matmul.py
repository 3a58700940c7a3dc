"""The product of two activations."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def matmul(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Multiply matrices, one pair after the other. This is the specification.

        out[..., m, n] = sum_d x[..., m, d] * y[..., d, n]

    x    (..., M, D)  any float
    y    (..., D, N)  any float; the same axes in front
    out  (..., M, N)  float64

    Raises
    ------
    ValueError
        If the axes in front differ, or the rows of `x` and the columns of `y` differ in size.

    Examples
    --------
    >>> matmul([[1.0, 2.0]], [[3.0, 0.0], [0.0, 4.0]])
    array([[3., 8.]])
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim < 2 or x.shape[:-2] != y.shape[:-2]:
        raise ValueError(f"expected matrices with the same axes in front, got {x.shape} and {y.shape}")
    out: NDArray[np.float64] = np.matmul(x, y)
    return out
