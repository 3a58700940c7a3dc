"""Convolutions in two dimensions."""

from typing import Any

from sparsenet.exchange.call import Call, Layers, Line, pair_of, refuse_dependent
from sparsenet.exchange.onnx.writer import Writer
from sparsenet.exchange.problems import unsupported
from sparsenet.exchange.weights import keep_mask, maybe_numbers
from sparsenet.exchange.windows import onnx_padding, same_padding, two_sizes
from sparsenet.layers import Conv2d, as_pair

__all__ = ["ONNX_IN", "ONNX_OUT", "REFUSED", "TORCH"]


def _conv2d(
    call: Call,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Layers:
    refuse_dependent(call, weight, bias)
    kept, mask = call.weight(weight)
    if isinstance(padding, str):
        name, padding = padding, (0, 0)
        if name != "valid":
            padding = same_padding(kept.shape[2:], pair_of(dilation))
            call.note(f'padding "{name}" is {padding} here')
    window = pair_of(stride), pair_of(padding), pair_of(dilation)
    return (Conv2d(kept, maybe_numbers(call, bias), *window, groups, mask),)


def _conv(
    call: Call,
    X: Any,
    W: Any,
    B: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Any = None,
    group: int = 1,
    kernel_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Layers:
    refuse_dependent(call, W, B)
    kept, mask = call.weight(W)
    if kept.ndim != 4 or len(call.shape) != 3:
        raise unsupported(
            "a convolution in two dimensions", f"a filter of shape {kept.shape} on samples of shape {call.shape}"
        )
    if kernel_shape is not None and tuple(kernel_shape) != kept.shape[2:]:
        raise unsupported(f"a kernel_shape of {kept.shape[2:]}, as the filter has", f"{tuple(kernel_shape)}")
    stride, dilation = two_sizes("strides", strides), two_sizes("dilations", dilations)
    reach = ((kept.shape[2] - 1) * dilation[0] + 1, (kept.shape[3] - 1) * dilation[1] + 1)
    padding = onnx_padding(call, auto_pad, pads, reach, stride)
    return (Conv2d(kept, maybe_numbers(call, B), stride, padding, dilation, group, mask),)


def _write(layer: Conv2d, writer: Writer) -> None:
    inputs = [writer.source, writer.constant("weight", layer.weight)]
    if layer.bias is not None:
        inputs.append(writer.constant("bias", layer.bias))
    keep_mask(layer, writer)
    writer.operator(
        "Conv",
        inputs,
        kernel_shape=layer.weight.shape[2:],
        strides=as_pair(layer.stride),
        pads=as_pair(layer.padding) * 2,
        dilations=as_pair(layer.dilation),
        group=layer.groups,
    )


TORCH = {"conv2d": Line(_conv2d, ("Conv2d",))}
ONNX_IN = {"Conv": Line(_conv, ("Conv2d",))}
ONNX_OUT = {"Conv2d": _write}
REFUSED: dict[str, dict[str, str]] = {}
