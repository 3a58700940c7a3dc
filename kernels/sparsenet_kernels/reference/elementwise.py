"""Operations that treat each element, or each channel, on its own."""

from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray


def relu(x: ArrayLike) -> NDArray[np.float64]:
    """Replace negative values by zero. This is the specification.

        out = max(x, 0)

    x    any shape  any float; NaN stays NaN
    out  same       float64

    Examples
    --------
    >>> relu([-1.0, 2.0])
    array([0., 2.])
    """
    return np.maximum(np.asarray(x, np.float64), 0.0)


def cast(x: ArrayLike) -> NDArray[np.float64]:
    """Turn whole numbers or truth values into floats. This is the specification.

        out = x

    x    any shape  int32 or bool
    out  same       float64

    Examples
    --------
    >>> cast([True, False])
    array([1., 0.])
    """
    return np.asarray(x, np.float64)


def leaky_relu(x: ArrayLike, slope: ArrayLike) -> NDArray[np.float64]:
    """Multiply what is not positive by a slope. This is the specification.

        out = x where x > 0, else x * slope

    x      any shape  any float; NaN stays NaN
    slope  ()         any float, or (1,)
    out    as x       float64

    Examples
    --------
    >>> leaky_relu([-1.0, 2.0], 0.5)
    array([-0.5,  2. ])
    """
    x = np.asarray(x, np.float64)
    return np.where(x > 0, x, x * np.asarray(slope, np.float64))


def add(*inputs: ArrayLike) -> NDArray[np.float64]:
    """Add two or more arrays of one shape, from left to right. This is the specification.

        out = inputs[0] + inputs[1] + ...

    inputs  any shape, the same for all  any float
    out     same                         float64

    Raises
    ------
    ValueError
        If fewer than two arrays are given, or their shapes differ.

    Examples
    --------
    >>> add([1.0, 2.0], [10.0, 20.0], [100.0, 200.0])
    array([111., 222.])
    """
    arrays = _two_or_more(inputs)
    if len({array.shape for array in arrays}) > 1:
        raise ValueError(f"expected inputs of one shape, got {[array.shape for array in arrays]}")
    return reduce(np.add, arrays)


def concat(*inputs: ArrayLike) -> NDArray[np.float64]:
    """Join two or more arrays along the channels (axis 1). This is the specification.

        out[b] = inputs[0][b] followed by inputs[1][b] ...

    inputs  (B, C_i, ...)      any float; equal but for the channels
    out     (B, sum C_i, ...)  float64

    Raises
    ------
    ValueError
        If fewer than two arrays are given, or they differ on another axis.

    Examples
    --------
    >>> concat([[1.0]], [[2.0, 3.0]])
    array([[1., 2., 3.]])
    """
    return np.concatenate(_two_or_more(inputs), axis=1)


def affine(x: ArrayLike, scale: ArrayLike, shift: ArrayLike) -> NDArray[np.float64]:
    """Scale and shift each channel. This is the specification.

        out[b, c, ...] = x[b, c, ...] * scale[c] + shift[c]

    x             (B, C, ...)  any float
    scale, shift  (C,)         any float
    out           (B, C, ...)  float64

    Raises
    ------
    ValueError
        If `scale` or `shift` does not hold one number per channel.

    Examples
    --------
    >>> affine([[1.0, 2.0]], [10.0, 100.0], [0.0, 1.0])
    array([[ 10., 201.]])
    """
    x = np.asarray(x, np.float64)
    return x * _per_channel(scale, x) + _per_channel(shift, x)


def batch_norm(
    x: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    epsilon: float = 1e-5,
) -> NDArray[np.float64]:
    """Normalise each channel by stored statistics. This is the specification.

        out[b, c, ...] = (x[b, c, ...] - mean[c]) / sqrt(variance[c] + epsilon) * weight[c] + bias[c]

    x               (B, C, ...)  any float
    mean, variance  (C,)         any float, as found in training
    weight, bias    (C,)         any float; None is one, and zero
    out             (B, C, ...)  float64

    Raises
    ------
    ValueError
        If a parameter does not hold one number per channel.

    Examples
    --------
    >>> batch_norm([[1.0, 6.0]], [0.0, 2.0], [1.0, 4.0], [1.0, 3.0], epsilon=0.0)
    array([[1., 6.]])
    """
    x = np.asarray(x, np.float64)
    out = (x - _per_channel(mean, x)) / np.sqrt(_per_channel(variance, x) + epsilon)
    if weight is not None:
        out = out * _per_channel(weight, x)
    return out if bias is None else out + _per_channel(bias, x)


def softmax(x: ArrayLike, axis: int = 1) -> NDArray[np.float64]:
    """Turn scores into probabilities that sum to one along an axis. This is the specification.

        out[i] = exp(x[i]) / sum_j exp(x[j])         computed from x - max(x), so that exp cannot overflow

    x    any shape  any float
    out  same       float64

    Examples
    --------
    >>> softmax([[1000.0, 1000.0]])
    array([[0.5, 0.5]])
    """
    x = np.asarray(x, np.float64)
    power = np.exp(x - x.max(axis=axis, keepdims=True))
    probability: NDArray[np.float64] = power / power.sum(axis=axis, keepdims=True)
    return probability


def log_softmax(x: ArrayLike, axis: int = 1) -> NDArray[np.float64]:
    """Return the logarithm of `softmax`, exact also where a probability underflows. This is the specification.

        out[i] = x[i] - log(sum_j exp(x[j]))         computed from x - max(x), so that exp cannot overflow

    x    any shape  any float
    out  same       float64

    Examples
    --------
    >>> log_softmax([[0.0, -2000.0]])
    array([[    0., -2000.]])
    """
    x = np.asarray(x, np.float64)
    below = x - x.max(axis=axis, keepdims=True)
    logarithm: NDArray[np.float64] = below - np.log(np.exp(below).sum(axis=axis, keepdims=True))
    return logarithm


def watch(x: ArrayLike, limit: float) -> NDArray[np.bool_]:
    """Tell which samples hold a number beyond a limit, or one that is no number. This is the specification.

        out[b] = not all(abs(x[b]) <= limit)

    x      (B, ...)  any float
    limit  float     0 or more, finite
    out    (B,)      bool

    Examples
    --------
    >>> watch([[1.0, -3.0], [2.0, 0.0], [0.0, float("nan")]], 2.0)
    array([ True, False,  True])
    """
    x = np.asarray(x, np.float64)
    return np.array([not (np.abs(sample) <= limit).all() for sample in x], bool)


def _two_or_more(inputs: tuple[ArrayLike, ...]) -> list[NDArray[np.float64]]:
    if len(inputs) < 2:
        raise ValueError(f"expected two or more arrays, got {len(inputs)}; pass them as separate arguments")
    return [np.asarray(array, np.float64) for array in inputs]


def _per_channel(parameter: ArrayLike, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reshape one number per channel so that it meets axis 1 of x."""
    return np.asarray(parameter, np.float64).reshape(x.shape[1], *[1] * (x.ndim - 2))
