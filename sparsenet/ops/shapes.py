"""Which shape each layer gives, whether in float32 or bytes, and whether its inputs are legal."""

from functools import singledispatch
from math import prod

from sparsenet.errors import GraphError
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

__all__ = ["Shape", "gives_bytes", "infer_shape"]

Shape = tuple[int, ...]

LARGEST_ELEMENTS = 2**28
"""A sample's activations stay below this, so that kernels may index them with 32 bits: 1 GiB of float32."""


def infer_shape(layer: Layer, inputs: tuple[Shape, ...]) -> Shape:
    """Find the shape a layer gives for the shapes of its inputs, all without the batch axis.

    Raises
    ------
    GraphError
        When the inputs do not fit the layer; it says what was expected and what came.

    Examples
    --------
    >>> infer_shape(MaxPool2d(2), ((64, 28, 28),))
    (64, 14, 14)
    """
    if isinstance(layer, Add | Concat):
        shape = _join(layer, inputs)
    elif len(inputs) != 1:
        raise GraphError(f"expected one input, got {len(inputs)}")
    else:
        shape = _shape(layer, inputs[0])
    if prod(shape) > LARGEST_ELEMENTS:
        raise GraphError(f"expected at most {LARGEST_ELEMENTS} elements a sample, got {prod(shape)} in shape {shape}")
    return shape


def gives_bytes(layer: Layer, inputs: tuple[bool, ...]) -> bool:
    """Say whether a layer gives bytes (True) or float32 (False), for inputs that are bytes or not.

    Raises
    ------
    GraphError
        When the layer cannot work on such inputs.

    Examples
    --------
    >>> gives_bytes(Quantize(0.5), (False,)), gives_bytes(MaxPool2d(2), (True,)), gives_bytes(Dequantize(0.5), (True,))
    (True, True, False)
    """
    if isinstance(layer, KWinners | MaxPool2d | Flatten | Reshape | Concat):
        if any(inputs) != all(inputs):
            raise GraphError("expected inputs that are all float32 or all bytes, got both; Quantize or Dequantize some")
        return all(inputs)
    if isinstance(layer, QuantizedConv2d | QuantizedLinear | Dequantize):
        if not all(inputs):
            raise GraphError("expected bytes, got float32; is a Quantize() missing before it?")
        return isinstance(layer, QuantizedConv2d)
    if any(inputs):
        raise GraphError("expected float32, got bytes; is a Dequantize() missing before it?")
    return isinstance(layer, Quantize)


def _join(layer: Add | Concat, inputs: tuple[Shape, ...]) -> Shape:
    if len(inputs) < 2:
        raise GraphError(f"expected at least two inputs, got {len(inputs)}")
    first = inputs[0]
    skip = 1 if isinstance(layer, Concat) else 0
    for other in inputs[1:]:
        if len(other) != len(first) or other[skip:] != first[skip:]:
            raise GraphError(f"expected inputs of one shape{' after the first axis' * skip}, got {first} and {other}")
    return (sum(shape[0] for shape in inputs), *first[1:]) if skip else first


@singledispatch
def _shape(layer: object, shape: Shape) -> Shape:
    raise TypeError(f"expected a layer of sparsenet, got {type(layer).__name__}")


@_shape.register(ReLU)
@_shape.register(Softmax)
@_shape.register(LogSoftmax)
@_shape.register(Quantize)
@_shape.register(Dequantize)
def _same(layer: object, shape: Shape) -> Shape:
    return shape


@_shape.register(Conv2d)
@_shape.register(QuantizedConv2d)
def _conv2d(layer: Conv2d | QuantizedConv2d, shape: Shape) -> Shape:
    channels = _image(shape)[0]
    expected = layer.weight.shape[1] * layer.groups
    if channels != expected:
        raise GraphError(f"expected {expected} input channels, got shape {shape}")
    kernel = layer.weight.shape[2:]
    stride, padding, dilation = as_pair(layer.stride), as_pair(layer.padding), as_pair(layer.dilation)
    reach = ((kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1)
    return (layer.weight.shape[0], *_places(shape, reach, stride, padding))


@_shape.register(Linear)
@_shape.register(QuantizedLinear)
def _linear(layer: Linear | QuantizedLinear, shape: Shape) -> Shape:
    if shape != (layer.weight.shape[1],):
        inputs = layer.weight.shape[1]
        raise GraphError(f"expected a vector of {inputs} inputs, got shape {shape}{_vector_hint(shape, inputs)}")
    return (layer.weight.shape[0],)


@_shape.register
def _k_winners(layer: KWinners, shape: Shape) -> Shape:
    candidates = shape[0] if layer.scope == "channels" else prod(shape)
    if layer.k > candidates:
        raise GraphError(f"expected k of at most {candidates} for shape {shape}, got {layer.k}")
    allowed = {shape[0]} if layer.scope == "channels" else {shape[0], candidates}
    if layer.factor is not None and len(layer.factor) not in allowed:
        sizes = " or ".join(str(size) for size in sorted(allowed))
        raise GraphError(f"expected {sizes} ranking factors for shape {shape}, got {len(layer.factor)}")
    return shape


@_shape.register(MaxPool2d)
@_shape.register(AvgPool2d)
def _pool(layer: MaxPool2d | AvgPool2d, shape: Shape) -> Shape:
    kernel, stride, padding = as_pair(layer.kernel), as_pair(layer.stride), as_pair(layer.padding)
    return (_image(shape)[0], *_places(shape, kernel, stride, padding))


@_shape.register
def _global_pool(layer: GlobalAvgPool2d, shape: Shape) -> Shape:
    return (_image(shape)[0], 1, 1)


@_shape.register
def _batch_norm(layer: BatchNorm, shape: Shape) -> Shape:
    if len(layer.mean) != shape[0]:
        raise GraphError(f"expected {len(layer.mean)} channels, got shape {shape}")
    return shape


@_shape.register
def _flatten(layer: Flatten, shape: Shape) -> Shape:
    return (prod(shape),)


@_shape.register
def _reshape(layer: Reshape, shape: Shape) -> Shape:
    known = prod(size for size in layer.shape if size != -1)
    free = prod(shape) // known if -1 in layer.shape else 1
    if known * free != prod(shape):
        raise GraphError(f"expected a shape of {prod(shape)} elements like {shape}, got {layer.shape}")
    return tuple(free if size == -1 else size for size in layer.shape)


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise GraphError(f"expected an image of shape (C, H, W), got shape {shape}")
    return shape[0], shape[1], shape[2]


def _places(shape: Shape, reach: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]) -> tuple[int, int]:
    """Count, along each axis, the places of a window that reaches over so many elements."""
    channels, *image = _image(shape)
    padded = [size + 2 * more for size, more in zip(image, padding, strict=True)]
    if channels * prod(padded) > LARGEST_ELEMENTS:
        raise GraphError(f"expected at most {LARGEST_ELEMENTS} elements with the padding {padding}, got shape {shape}")
    if padded[0] < reach[0] or padded[1] < reach[1]:
        raise GraphError(f"expected a padded image of at least {reach}, got shape {shape} with padding {padding}")
    return (padded[0] - reach[0]) // stride[0] + 1, (padded[1] - reach[1]) // stride[1] + 1


def _vector_hint(shape: Shape, inputs: int) -> str:
    """Say how a sample of several axes could have become the vector that a linear layer takes."""
    if len(shape) > 1 and prod(shape) == inputs:
        return "; is a Flatten() missing before it?"
    if len(shape) > 1 and shape[-1] == inputs:
        return (
            "; linear layers along the last axis of (T, D) are not supported yet: "
            f"give each of the {prod(shape[:-1])} vectors as a sample of its own"
        )
    return f", {prod(shape)} numbers in all" if len(shape) > 1 else ""
