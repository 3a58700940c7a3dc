"""What a network means: every layer evaluated by the reference operations, in float64.

Bytes and the sums of them are whole numbers below 2**53, which float64 holds and adds exactly: what is said here of
quantised layers is exact.
"""

from functools import singledispatch
from math import prod

import numpy as np
import numpy.typing as npt

from sparsenet.errors import RangeError, SparsenetError
from sparsenet.given import real_array
from sparsenet.graph.network import INPUT, Network
from sparsenet.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Dequantize,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Layer,
    Linear,
    LogSoftmax,
    MaxPool2d,
    Quantize,
    QuantizedConv2d,
    QuantizedLinear,
    ReLU,
    Reshape,
    Softmax,
    as_pair,
)
from sparsenet_kernels import reference

__all__ = ["LEAVES_FLOAT32", "evaluate", "evaluate_layer", "evaluate_within", "factor_per_element", "leaving"]

Array = npt.NDArray[np.float64]

LEAVES_FLOAT32 = 2.0**128 - 2.0**103
"""The least number that rounding to float32 makes infinite."""


def evaluate(net: Network, x: npt.ArrayLike) -> dict[str, Array]:
    """Compute the value of every node.

    Parameters
    ----------
    net : Network
    x : array (B, *input_shape)

    Returns
    -------
    dict of str to array (B, *shape), float64
        By node name, the input included.

    Raises
    ------
    SparsenetError
        When ``x`` has another shape, or holds NaN or infinity.
    TypeError
        When ``x`` does not hold real numbers.
    RangeError
        When a value leaves float64.
    """
    values = {INPUT: _checked_input(net, x)}
    with np.errstate(over="ignore", invalid="ignore"):  # found below, with the layer's name
        for node in net.nodes:
            value = evaluate_layer(node.layer, *(values[source] for source in node.inputs))
            if not np.isfinite(value).all():
                sample = int(np.argwhere(~np.isfinite(value))[0][0])
                raise RangeError(f"layer {node.name!r}: a value leaves float64 in sample {sample}; {SCALE_DOWN}")
            values[node.name] = value
    return values


SCALE_DOWN = "scale the weights or the inputs down"


def evaluate_within(net: Network, x: npt.NDArray[np.float32], number: int) -> Array:
    """Compute what a network gives for one sample, as long as float32 can hold the value of every layer.

    Parameters
    ----------
    net : Network
    x : array (*input_shape)
    number : int
        What the error calls the sample.

    Raises
    ------
    RangeError
        When it cannot; the message names the first such layer.
    """
    values = {INPUT: x[None].astype(np.float64)}
    for node in net.nodes:
        value = evaluate_layer(node.layer, *(values[source] for source in node.inputs))
        if error := leaving(node.name, value, number):
            raise error
        values[node.name] = value
    return values[net.output]


def leaving(layer: str, value: Array, first: int = 0) -> RangeError | None:
    """Return the error that names a layer whose value (B, ...) leaves float32; samples count from ``first``."""
    largest = np.abs(value).reshape(len(value), prod(value.shape[1:])).max(axis=1, initial=0.0)
    if largest.max(initial=0.0) < LEAVES_FLOAT32:
        return None
    sample = int(np.argmax(largest >= LEAVES_FLOAT32))
    size, where = f"about {largest[sample]:.0e}", f"in sample {first + sample}"
    return RangeError(f"layer {layer!r}: a value leaves float32 ({size}) {where}; {SCALE_DOWN}")


def _checked_input(net: Network, x: npt.ArrayLike) -> Array:
    array = np.asarray(real_array(x), np.float64)
    if array.shape[1:] != net.input_shape or array.ndim != len(net.input_shape) + 1:
        raise SparsenetError(f"expected input of shape (B, {', '.join(map(str, net.input_shape))}), got {array.shape}")
    if not np.isfinite(array).all():
        raise SparsenetError("expected finite input, got NaN or infinity")
    return array


@singledispatch
def _apply(layer: object, x: Array) -> Array:
    raise TypeError(f"expected a layer of sparsenet, got {type(layer).__name__}")


def evaluate_layer(layer: Layer, *inputs: Array) -> Array:
    """Compute one layer, in float64, for inputs (B, *shape)."""
    if isinstance(layer, Add):
        return reference.add(*inputs)
    if isinstance(layer, Concat):
        return reference.concat(*inputs)
    return _apply(layer, *inputs)


@_apply.register
def _conv2d(layer: Conv2d, x: Array) -> Array:
    stride, padding, dilation = as_pair(layer.stride), as_pair(layer.padding), as_pair(layer.dilation)
    return reference.conv2d(x, layer.weight, layer.bias, stride, padding, dilation, layer.groups)


@_apply.register
def _linear(layer: Linear, x: Array) -> Array:
    return reference.linear(x, layer.weight, layer.bias)


@_apply.register
def _k_winners(layer: KWinners, x: Array) -> Array:
    if layer.scope == "channels":
        return reference.k_winners_channels(x, layer.k, layer.factor)
    return reference.k_winners_all(x, layer.k, factor_per_element(layer, x.shape[1:]))


def factor_per_element(layer: KWinners, shape: tuple[int, ...]) -> npt.NDArray[np.float32] | None:
    """Spread ranking factors given per channel over all elements of a sample, in (C, H, W) order."""
    if layer.factor is None or len(layer.factor) == prod(shape):
        return layer.factor
    return np.repeat(layer.factor, prod(shape[1:]))


@_apply.register
def _relu(layer: ReLU, x: Array) -> Array:
    return reference.relu(x)


@_apply.register
def _max_pool2d(layer: MaxPool2d, x: Array) -> Array:
    return reference.max_pool2d(x, as_pair(layer.kernel), as_pair(layer.stride), as_pair(layer.padding))


@_apply.register
def _avg_pool2d(layer: AvgPool2d, x: Array) -> Array:
    return reference.avg_pool2d(x, as_pair(layer.kernel), as_pair(layer.stride), as_pair(layer.padding))


@_apply.register
def _global_avg_pool2d(layer: GlobalAvgPool2d, x: Array) -> Array:
    return reference.global_avg_pool2d(x)


@_apply.register
def _batch_norm(layer: BatchNorm, x: Array) -> Array:
    return reference.batch_norm(x, layer.mean, layer.variance, layer.weight, layer.bias, layer.epsilon)


@_apply.register
def _flatten(layer: Flatten, x: Array) -> Array:
    return x.reshape(len(x), prod(x.shape[1:]))  # -1 would not work for an empty batch


@_apply.register
def _reshape(layer: Reshape, x: Array) -> Array:
    # -1 is resolved by hand: NumPy cannot infer an axis of an empty batch
    known = prod(size for size in layer.shape if size != -1)
    free = prod(x.shape[1:]) // known
    return x.reshape(len(x), *(free if size == -1 else size for size in layer.shape))


@_apply.register
def _softmax(layer: Softmax, x: Array) -> Array:
    return reference.softmax(x)


@_apply.register
def _log_softmax(layer: LogSoftmax, x: Array) -> Array:
    return reference.log_softmax(x)


@_apply.register
def _quantize(layer: Quantize, x: Array) -> Array:
    reciprocal = np.float32(1) / np.float32(layer.scale)
    with np.errstate(over="ignore"):  # infinity is clipped like any other large number
        steps: Array = np.rint(x.astype(np.float32) * reciprocal).astype(np.float64)
    return np.clip(steps + layer.zero, 0, 255)


@_apply.register
def _quantized_conv2d(layer: QuantizedConv2d, x: Array) -> Array:
    """Convolve ``x - zero``, whose padding is zeros, and add what that left out."""
    left_out = layer.zero * layer.weight.sum((1, 2, 3), dtype=np.int64)
    stride, padding, dilation = as_pair(layer.stride), as_pair(layer.padding), as_pair(layer.dilation)
    sums = reference.conv2d(
        x - layer.zero, layer.weight, layer.bias + left_out, stride, padding, dilation, layer.groups
    )
    shifted: Array = np.floor((sums + (1 << layer.shift >> 1)) / 2.0**layer.shift)
    return np.clip(shifted, 0, 255)


@_apply.register
def _quantized_linear(layer: QuantizedLinear, x: Array) -> Array:
    return reference.linear(x, layer.weight) * layer.scale + layer.bias


@_apply.register
def _dequantize(layer: Dequantize, x: Array) -> Array:
    return (x - layer.zero) * layer.scale
