"""Convolutions, matrices and batch norms: torch's functions that have weights. See ``torch_functions``."""

from math import prod
from typing import Any

from sparsenet.exchange.torch.call import (
    Call,
    Layers,
    Pair,
    Tensor,
    maybe_numbers,
    numbers,
    pair_of,
    refuse_dependent,
    unsupported,
)
from sparsenet.layers import BatchNorm, Conv2d, Linear

__all__ = ["batch_norm", "conv2d", "linear", "matmul"]


def conv2d(
    call: Call,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Layers:
    """Convolve in two dimensions."""
    refuse_dependent(call, weight, bias)
    kept, mask = call.weight(weight)
    if isinstance(padding, str):
        padding = _padding(call, padding, kept.shape[2:], pair_of(dilation))
    window = pair_of(stride), pair_of(padding), pair_of(dilation)
    return (Conv2d(kept, maybe_numbers(bias), *window, groups, mask),)


def _padding(call: Call, name: str, kernel: tuple[int, ...], dilation: Pair) -> Pair:
    """Turn padding by name into numbers: "same" pads by what the filter reaches over, half of it on each side."""
    if name == "valid":
        return 0, 0
    reach = tuple(step * (size - 1) for step, size in zip(dilation, kernel, strict=True))
    if any(size % 2 for size in reach):
        raise unsupported(
            'padding "same" that is alike on both sides', f"a kernel of {kernel} with dilation {dilation}; pad by hand"
        )
    half = (reach[0] // 2, reach[1] // 2)
    call.note(f'padding "{name}" is {half} here')
    return half


def linear(call: Call, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Layers:
    """Multiply by a matrix (N, D)."""
    refuse_dependent(call, weight, bias)
    _refuse_positions(call, weight.shape)
    kept, mask = call.weight(weight)
    return (Linear(kept, maybe_numbers(bias), mask),)


def _refuse_positions(call: Call, shape: Any) -> None:
    """Refuse samples of several axes: torch multiplies the last of them, here a sample is one vector."""
    if len(call.shape) > 1:
        *positions, inputs = call.shape
        raise unsupported(
            f"samples that are one vector of {inputs} numbers",
            f"samples of shape {call.shape}, where torch multiplies each of {prod(positions)} vectors by the matrix; a "
            f"Conv2d({inputs}, {shape[0]}, 1) on samples of shape {(inputs, prod(positions), 1)} computes the same",
        )


def matmul(call: Call, input: Tensor, other: Tensor) -> Layers:
    """Multiply by a matrix (D, N) from the right."""
    matrix = numbers(other)
    if matrix.ndim != 2:
        raise unsupported("a matrix to multiply by", f"shape {matrix.shape}")
    _refuse_positions(call, matrix.T.shape)
    return (Linear(matrix.T),)


def batch_norm(
    call: Call,
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | None = None,
    eps: float = 1e-5,
) -> Layers:
    """Normalise by stored statistics."""
    if training or running_mean is None or running_var is None:
        raise unsupported(
            "batch norm with stored statistics", "statistics of the batch itself (track_running_stats=False)"
        )
    refuse_dependent(call, running_mean, running_var, weight, bias)
    return (BatchNorm(numbers(running_mean), numbers(running_var), maybe_numbers(weight), maybe_numbers(bias), eps),)
