"""Pooling: the largest value or the mean, of windows or of whole channels."""

from math import prod
from typing import Any

from sparsenet.exchange.call import Call, Layers, Line, Pair, pair_of
from sparsenet.exchange.onnx.writer import Writer
from sparsenet.exchange.problems import unsupported
from sparsenet.exchange.windows import onnx_padding, two_sizes
from sparsenet.layers import AvgPool2d, Flatten, GlobalAvgPool2d, MaxPool2d, as_pair
from sparsenet.ops.shapes import Shape, infer_shape

__all__ = ["ONNX_IN", "ONNX_OUT", "REFUSED", "TORCH"]

Pool = MaxPool2d | AvgPool2d


def _max_pool2d(
    call: Call,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Layers:
    _refuse_dilation(pair_of(dilation))
    layer = MaxPool2d(pair_of(kernel_size), _stride(stride, kernel_size), pair_of(padding))
    return (_fits(call, layer, call.result_shape if ceil_mode else ()),)


def _avg_pool2d(
    call: Call,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Layers:
    kernel = pair_of(kernel_size)
    _refuse_uncounted(count_include_pad, pair_of(padding))
    if divisor_override not in (None, prod(kernel)):
        raise unsupported("average pooling that divides by the window's size", f"divisor_override={divisor_override}")
    layer = AvgPool2d(kernel, _stride(stride, kernel_size), pair_of(padding))
    return (_fits(call, layer, call.result_shape if ceil_mode else ()),)


def _stride(stride: Any, kernel_size: Any) -> Pair:
    return pair_of(kernel_size if stride is None or stride == [] else stride)


def _refuse_dilation(dilation: Pair) -> None:
    if dilation != (1, 1):
        raise unsupported("max pooling without dilation", f"dilation={dilation}")


def _refuse_uncounted(counted: object, padding: Pair) -> None:
    if not counted and padding != (0, 0):
        raise unsupported("average pooling that counts its padding", f"count_include_pad=False with padding={padding}")


def _fits(call: Call, layer: Pool, wanted: Shape) -> Pool:
    """Allow ceil_mode, which wants a shape, where the windows cover the image anyway."""
    if wanted and infer_shape(layer, (call.shape,)) != wanted:
        raise unsupported("windows that fit the image", f"ceil_mode with a window that reaches beyond {call.shape}")
    return layer


def _adaptive_avg_pool2d(call: Call, input: Any, output_size: Any) -> Layers:
    if call.result_shape[1:] == (1, 1):
        return (GlobalAvgPool2d(),)
    kernel = _even_window(call)
    return () if kernel == (1, 1) else (AvgPool2d(kernel),)


def _adaptive_max_pool2d(call: Call, input: Any, output_size: Any, return_indices: bool = False) -> Layers:
    kernel = _even_window(call)
    return () if kernel == (1, 1) else (MaxPool2d(kernel),)


def _even_window(call: Call) -> Pair:
    image, wanted = call.shape[1:], call.result_shape[1:]
    if any(size % parts for size, parts in zip(image, wanted, strict=True)):
        raise unsupported("adaptive pooling whose windows are all of one size", f"an image of {image} to {wanted}")
    return image[0] // wanted[0], image[1] // wanted[1]


def _mean(call: Call, input: Any, dim: Any = None, keepdim: bool = False) -> Layers:
    axes = sorted(axis % (len(call.shape) + 1) for axis in (dim if isinstance(dim, tuple | list) else [dim or 0]))
    if len(call.shape) != 3 or axes != [2, 3]:
        raise unsupported(
            "a mean over the height and width of an image", f"dim={dim} for samples of shape {call.shape}"
        )
    return (GlobalAvgPool2d(),) if keepdim else (GlobalAvgPool2d(), Flatten())


def _max_pool(
    call: Call,
    X: Any,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Any = None,
    kernel_shape: Any = None,
    pads: Any = None,
    storage_order: int = 0,
    strides: Any = None,
) -> Layers:
    _refuse_dilation(two_sizes("dilations", dilations))
    kernel, stride, padding = _onnx_window(call, auto_pad, kernel_shape, pads, strides)
    layer = MaxPool2d(kernel, stride, padding)
    return (_fits(call, layer, _ceiled(call, kernel, stride, padding) if ceil_mode else ()),)


def _average_pool(
    call: Call,
    X: Any,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Any = None,
    kernel_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Layers:
    _refuse_dilation(two_sizes("dilations", dilations))
    kernel, stride, padding = _onnx_window(call, auto_pad, kernel_shape, pads, strides)
    _refuse_uncounted(count_include_pad, padding)
    layer = AvgPool2d(kernel, stride, padding)
    return (_fits(call, layer, _ceiled(call, kernel, stride, padding) if ceil_mode else ()),)


def _onnx_window(call: Call, auto_pad: str, kernel_shape: Any, pads: Any, strides: Any) -> tuple[Pair, Pair, Pair]:
    if kernel_shape is None or len(call.shape) != 3:
        raise unsupported("windows of a kernel_shape on images", f"{kernel_shape} for samples of shape {call.shape}")
    kernel, stride = two_sizes("kernel_shape", kernel_shape), two_sizes("strides", strides)
    return kernel, stride, onnx_padding(call, auto_pad, pads, kernel, stride)


def _ceiled(call: Call, kernel: Pair, stride: Pair, padding: Pair) -> Shape:
    """Find the shape that ceil_mode gives: windows that begin inside the padded image, if only there."""
    places = []
    for size, reach, step, more in zip(call.shape[1:], kernel, stride, padding, strict=True):
        count = -(-(size + 2 * more - reach) // step) + 1
        places.append(count - ((count - 1) * step >= size + more))
    return (call.shape[0], *places)


def _global_average_pool(call: Call, X: Any) -> Layers:
    return (GlobalAvgPool2d(),)


def _reduce_mean(
    call: Call, data: Any, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> Layers:
    """Read a mean; its axes are an attribute before version 18 and an input since then."""
    if call.depends(axes):
        raise unsupported("axes that do not depend on the input", "a function of it")
    return _mean(call, data, None if axes is None else [int(one) for one in axes], bool(keepdims))


def _write_pool(layer: Pool, writer: Writer) -> None:
    window: dict[str, Any] = {
        "kernel_shape": as_pair(layer.kernel),
        "strides": as_pair(layer.stride),
        "pads": as_pair(layer.padding) * 2,
    }
    if isinstance(layer, AvgPool2d):
        writer.operator("AveragePool", [writer.source], count_include_pad=1, **window)
    else:
        writer.operator("MaxPool", [writer.source], **window)


def _write_global(layer: GlobalAvgPool2d, writer: Writer) -> None:
    writer.operator("GlobalAveragePool", [writer.source])


TORCH = {
    "adaptive_avg_pool2d": Line(_adaptive_avg_pool2d, ("GlobalAvgPool2d", "AvgPool2d")),
    "adaptive_max_pool2d": Line(_adaptive_max_pool2d, ("MaxPool2d",)),
    "avg_pool2d": Line(_avg_pool2d, ("AvgPool2d",)),
    "max_pool2d": Line(_max_pool2d, ("MaxPool2d",)),
    "mean": Line(_mean, ("GlobalAvgPool2d",)),
}
ONNX_IN = {
    "AveragePool": Line(_average_pool, ("AvgPool2d",)),
    "GlobalAveragePool": Line(_global_average_pool, ("GlobalAvgPool2d",)),
    "MaxPool": Line(_max_pool, ("MaxPool2d",)),
    "ReduceMean": Line(_reduce_mean, ("GlobalAvgPool2d",)),
}
ONNX_OUT = {"AvgPool2d": _write_pool, "GlobalAvgPool2d": _write_global, "MaxPool2d": _write_pool}
REFUSED: dict[str, dict[str, str]] = {}
