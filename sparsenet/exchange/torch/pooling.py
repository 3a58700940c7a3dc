"""Pooling: torch's functions that look through windows. See ``torch_functions``."""

from math import prod
from typing import Any

from sparsenet.exchange.torch.call import Call, Layers, Pair, Tensor, pair_of, unsupported
from sparsenet.layers import AvgPool2d, Flatten, GlobalAvgPool2d, MaxPool2d
from sparsenet.ops.shapes import infer_shape

__all__ = ["adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "max_pool2d", "mean"]


def max_pool2d(
    call: Call,
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Layers:
    """Take the largest of each window."""
    if pair_of(dilation) != (1, 1):
        raise unsupported("max pooling without dilation", f"dilation={dilation}")
    layer = MaxPool2d(pair_of(kernel_size), _stride(stride, kernel_size), pair_of(padding))
    return (_fits(call, layer, ceil_mode),)


def avg_pool2d(
    call: Call,
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Layers:
    """Take the mean of each window."""
    kernel = pair_of(kernel_size)
    if not count_include_pad and pair_of(padding) != (0, 0):
        raise unsupported("average pooling that counts its padding", f"count_include_pad=False with padding={padding}")
    if divisor_override not in (None, prod(kernel)):
        raise unsupported("average pooling that divides by the window's size", f"divisor_override={divisor_override}")
    layer = AvgPool2d(kernel, _stride(stride, kernel_size), pair_of(padding))
    return (_fits(call, layer, ceil_mode),)


def _stride(stride: Any, kernel_size: Any) -> Pair:
    return pair_of(kernel_size if stride is None or stride == [] else stride)


def _fits(call: Call, layer: MaxPool2d | AvgPool2d, ceil_mode: bool) -> MaxPool2d | AvgPool2d:
    """Allow ceil_mode where the windows cover the image anyway."""
    if ceil_mode and infer_shape(layer, (call.shape,)) != call.result_shape:
        raise unsupported("windows that fit the image", f"ceil_mode with a window that reaches beyond {call.shape}")
    return layer


def adaptive_avg_pool2d(call: Call, input: Tensor, output_size: Any) -> Layers:
    """Take means over windows that share an image out evenly."""
    if call.result_shape[1:] == (1, 1):
        return (GlobalAvgPool2d(),)
    kernel = _even_window(call)
    return () if kernel == (1, 1) else (AvgPool2d(kernel),)


def adaptive_max_pool2d(call: Call, input: Tensor, output_size: Any, return_indices: bool = False) -> Layers:
    """Take the largest of windows that share an image out evenly."""
    kernel = _even_window(call)
    return () if kernel == (1, 1) else (MaxPool2d(kernel),)


def _even_window(call: Call) -> Pair:
    image, wanted = call.shape[1:], call.result_shape[1:]
    if any(size % parts for size, parts in zip(image, wanted, strict=True)):
        raise unsupported("adaptive pooling whose windows are all of one size", f"an image of {image} to {wanted}")
    return image[0] // wanted[0], image[1] // wanted[1]


def mean(call: Call, input: Tensor, dim: Any = None, keepdim: bool = False) -> Layers:
    """Take the mean of each channel of an image."""
    axes = sorted(axis % (len(call.shape) + 1) for axis in (dim if isinstance(dim, tuple | list) else [dim or 0]))
    if len(call.shape) != 3 or axes != [2, 3]:
        raise unsupported(
            "a mean over the height and width of an image", f"dim={dim} for samples of shape {call.shape}"
        )
    return (GlobalAvgPool2d(),) if keepdim else (GlobalAvgPool2d(), Flatten())
