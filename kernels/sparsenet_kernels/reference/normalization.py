"""Operations that normalise the numbers of a row by their own statistics."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def layer_norm(
    x: ArrayLike, weight: ArrayLike | None = None, bias: ArrayLike | None = None, epsilon: float = 1e-5
) -> NDArray[np.float64]:
    """Normalise each row by its own mean and variance. This is the specification.

        out[..., d] = (x[..., d] - mean) / sqrt(variance + epsilon) * weight[d] + bias[d]
        mean        = mean of x[..., :]
        variance    = mean of (x[..., :] - mean) ** 2

    x             (..., D)  any float
    weight, bias  (D,)      any float; None is one, and zero
    out           (..., D)  float64

    Raises
    ------
    ValueError
        If a parameter does not hold one number for each place of a row.

    Examples
    --------
    >>> layer_norm([[1.0, 3.0]], [2.0, 2.0], [0.0, 10.0], epsilon=0.0)
    array([[-2., 12.]])
    """
    x = np.asarray(x, np.float64)
    distances = x - x.mean(axis=-1, keepdims=True)
    out: NDArray[np.float64] = distances / np.sqrt((distances**2).mean(axis=-1, keepdims=True) + epsilon)
    if weight is not None:
        out = out * np.asarray(weight, np.float64).reshape(x.shape[-1])
    return out if bias is None else out + np.asarray(bias, np.float64).reshape(x.shape[-1])
