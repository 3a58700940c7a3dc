"""Networks in SciPy and NumPy: weights in compressed rows, everything else in float32 arrays. One thread."""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from sparsenet.errors import CompileError
from sparsenet.graph.network import INPUT, Network
from sparsenet.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Linear,
    LogSoftmax,
    MaxPool2d,
    ReLU,
    Reshape,
    Softmax,
    as_pair,
)
from sparsenet.ops.kwinners import factor_per_element
from sparsenet.ops.normalization import batch_norm_affine
from sparsenet.ops.shapes import Shape

__all__ = ["load_scipy", "windows_as_columns"]

FloatArray = npt.NDArray[np.float32]
Operation = Callable[..., Any]


def load_scipy(net: Network, batch: int, threads: int) -> Callable[[FloatArray], FloatArray]:
    """Turn every layer into a few calls of NumPy, and its weights into a CSR matrix."""
    if threads != 1:
        raise CompileError(f"expected 1 thread, got {threads}; scipy.sparse multiplies in one")
    chain = [(node.name, _operation(node.layer, net.shapes[node.name]), node.inputs) for node in net.nodes]

    def run(x: FloatArray) -> FloatArray:
        values = {INPUT: x}
        for name, operation, inputs in chain:
            values[name] = operation(*(values[source] for source in inputs))
        return values[net.output]

    return run


def windows_as_columns(x: FloatArray, layer: Conv2d) -> FloatArray:
    """Copy what each filter position sees into a column of its own: (C * KH * KW, B * OH * OW)."""
    image = _padded(x, as_pair(layer.padding), 0.0)
    windows = _windows(image, layer.weight.shape[2:], as_pair(layer.stride), as_pair(layer.dilation))
    B, C, OH, OW, KH, KW = windows.shape
    columns: FloatArray = windows.transpose(1, 4, 5, 0, 2, 3).reshape(C * KH * KW, B * OH * OW)
    return columns


def _windows(
    x: FloatArray, size: tuple[int, ...], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> FloatArray:
    """View every window of an image: (B, C, OH, OW, KH, KW)."""
    (height, width), (dy, dx), (sy, sx) = size, dilation, stride
    spread = (height - 1) * dy + 1, (width - 1) * dx + 1
    views: FloatArray = sliding_window_view(x, spread, (2, 3))[:, :, ::sy, ::sx, ::dy, ::dx]
    return views


def _padded(x: FloatArray, padding: tuple[int, int], value: float) -> FloatArray:
    if padding == (0, 0):
        return x
    top, left = padding
    return np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)), constant_values=value)


@singledispatch
def _operation(layer: object, shape: Shape) -> Operation:
    raise CompileError(
        f"expected a float32 network, got a {type(layer).__name__}; compare the network it was made from"
    )


@_operation.register
def _linear(layer: Linear, shape: Shape) -> Operation:
    from scipy.sparse import csr_array

    weight = csr_array(layer.weight)
    return lambda x: (weight @ x.T).T + (0 if layer.bias is None else layer.bias)


@_operation.register
def _conv2d(layer: Conv2d, shape: Shape) -> Operation:
    from scipy.sparse import csr_array

    groups = [csr_array(part.reshape(len(part), -1)) for part in np.split(layer.weight, layer.groups)]
    bias = np.zeros(len(layer.weight), np.float32) if layer.bias is None else layer.bias

    def convolve(x: FloatArray) -> FloatArray:
        parts = np.split(windows_as_columns(x, layer), len(groups))
        sums = np.concatenate([weight @ columns for weight, columns in zip(groups, parts, strict=True)])
        sums += bias[:, None]
        return sums.reshape(len(bias), len(x), *shape[1:]).swapaxes(0, 1)

    return convolve


@_operation.register
def _k_winners(layer: KWinners, shape: Shape) -> Operation:
    by_channel = layer.scope == "channels"
    factor = layer.factor if by_channel else factor_per_element(layer, shape)

    def keep(x: FloatArray) -> FloatArray:
        values = x.reshape(len(x), -1) if not by_channel else np.moveaxis(x, 1, -1)
        ranked = values if factor is None else values * factor
        kept = np.zeros_like(values)
        if layer.k:
            winners = np.argpartition(ranked, -min(layer.k, ranked.shape[-1]), axis=-1)[..., -layer.k :]
            np.put_along_axis(kept, winners, np.take_along_axis(values, winners, -1), -1)
        return kept.reshape(x.shape) if not by_channel else np.moveaxis(kept, -1, 1)

    return keep


@_operation.register
def _max_pool2d(layer: MaxPool2d, shape: Shape) -> Operation:
    return lambda x: _windows(
        _padded(x, as_pair(layer.padding), -np.inf), as_pair(layer.kernel), as_pair(layer.stride)
    ).max((4, 5))


@_operation.register
def _avg_pool2d(layer: AvgPool2d, shape: Shape) -> Operation:
    return lambda x: _windows(
        _padded(x, as_pair(layer.padding), 0.0), as_pair(layer.kernel), as_pair(layer.stride)
    ).mean((4, 5))


@_operation.register
def _global_avg_pool2d(layer: GlobalAvgPool2d, shape: Shape) -> Operation:
    return lambda x: x.mean((2, 3), keepdims=True)


@_operation.register
def _batch_norm(layer: BatchNorm, shape: Shape) -> Operation:
    scale, shift = (one.astype(np.float32).reshape(-1, *(1 for _ in shape[1:])) for one in batch_norm_affine(layer))
    return lambda x: x * scale + shift


@_operation.register(Flatten)
@_operation.register(Reshape)
def _reshape(layer: Flatten | Reshape, shape: Shape) -> Operation:
    return lambda x: x.reshape(len(x), *shape)


@_operation.register
def _relu(layer: ReLU, shape: Shape) -> Operation:
    return lambda x: np.maximum(x, 0)


@_operation.register
def _add(layer: Add, shape: Shape) -> Operation:
    return lambda first, *others: sum(others, start=first)


@_operation.register
def _concat(layer: Concat, shape: Shape) -> Operation:
    return lambda *inputs: np.concatenate(inputs, 1)


@_operation.register(Softmax)
@_operation.register(LogSoftmax)
def _softmax(layer: Softmax | LogSoftmax, shape: Shape) -> Operation:
    from scipy.special import log_softmax, softmax

    apply = softmax if isinstance(layer, Softmax) else log_softmax
    return lambda x: apply(x, axis=1)
