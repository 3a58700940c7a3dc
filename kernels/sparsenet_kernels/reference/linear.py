"""The fully connected layer."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def linear(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> NDArray[np.float64]:
    """Multiply each sample by the weights and add the bias. This is the specification.

        out[b, n] = bias[n] + sum_d weight[n, d] * x[b, d]

    x       (B, D)  any float
    weight  (N, D)  any float
    bias    (N,)    any float; None adds nothing
    out     (B, N)  float64

    Raises
    ------
    ValueError
        If the inputs of `x` and `weight`, or the outputs of `weight` and `bias`, differ in number.

    Examples
    --------
    >>> linear([[1.0, 2.0]], [[3.0, 0.0], [0.0, 4.0]], [0.5, 0.0])
    array([[3.5, 8. ]])
    """
    weight = np.asarray(weight, np.float64)
    out: NDArray[np.float64] = np.asarray(x, np.float64) @ weight.T
    if bias is None:
        return out
    return out + np.asarray(bias, np.float64).reshape(weight.shape[0])
