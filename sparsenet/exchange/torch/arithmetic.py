"""Arithmetic: sums of two values, and constants added or multiplied. See ``torch_functions``."""

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.exchange.torch.call import Call, FloatArray, Layers, Tensor, numbers, unsupported
from sparsenet.layers import Add, BatchNorm

__all__ = ["add", "div", "mul", "neg", "rsub", "sub"]


def add(call: Call, input: Tensor, other: Any, *, alpha: Any = 1) -> Layers:
    """Add two values, or a constant to one."""
    if not call.depends(input):
        return _affine(call, alpha, input)
    if not call.depends(other):
        return _affine(call, 1, _times(other, alpha))
    if alpha != 1:
        raise unsupported("a plain sum", f"alpha={alpha}")
    return (Add(),)


def sub(call: Call, input: Tensor, other: Any, *, alpha: Any = 1) -> Layers:
    """Subtract a constant from a value, or a value from a constant."""
    if call.depends(input):
        return _affine(call, 1, _times(other, -alpha))
    return _affine(call, -alpha, input)


def rsub(call: Call, input: Tensor, other: Any, *, alpha: Any = 1) -> Layers:
    """Subtract a value from a constant, which comes second."""
    return _affine(call, -alpha, other)


def mul(call: Call, input: Tensor, other: Any) -> Layers:
    """Multiply by a constant."""
    return _affine(call, other if call.depends(input) else input, 0)


def div(call: Call, input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Layers:
    """Divide by a constant."""
    if rounding_mode is not None:
        raise unsupported("a plain division", f"rounding_mode={rounding_mode!r}")
    with np.errstate(divide="ignore"):  # infinity is refused, by name, when the layer is made
        return _affine(call, 1 / np.asarray(_as_array(other), np.float64), 0)


def neg(call: Call, input: Tensor) -> Layers:
    """Change the sign."""
    return _affine(call, -1, 0)


def _as_array(value: Any) -> npt.NDArray[Any]:
    return np.asarray(numbers(value) if hasattr(value, "detach") else value)


def _times(value: Any, factor: Any) -> npt.NDArray[Any]:
    return _as_array(value) * np.float32(factor)


def _affine(call: Call, scale: Any, shift: Any) -> Layers:
    """Scale and shift each channel: a batch norm of mean 0 and variance 1 without epsilon does just that."""
    scales, shifts = _per_channel(call, scale), _per_channel(call, shift)
    if (scales == 1).all() and not shifts.any():
        return ()
    zeros, ones = np.zeros_like(shifts), np.ones_like(scales)
    return (BatchNorm(zeros, ones, scales, shifts, 0.0),)


def _per_channel(call: Call, value: Any) -> FloatArray:
    array = _as_array(value)
    expected = f"a constant that is one number, or one for each of {call.shape[0]} channels"
    got = f"shape {array.shape} for samples of shape {call.shape}"
    try:
        spread = np.broadcast_to(array, (1, *call.shape)).reshape(call.shape[0], prod(call.shape[1:]))
    except ValueError:
        raise unsupported(expected, got) from None
    if not np.array_equal(spread, np.broadcast_to(spread[:, :1], spread.shape), equal_nan=True):
        raise unsupported(expected, f"different numbers within a channel, {got}")
    with np.errstate(over="ignore"):  # infinity is refused, by name, when the layer is made
        return spread[:, 0].astype(np.float32)
