"""Batch norm, and softmax."""

from math import prod
from typing import Any

import numpy as np

from sparsenet.exchange.call import Call, FloatArray, Layers, Line, refuse_dependent
from sparsenet.exchange.onnx.writer import Writer
from sparsenet.exchange.problems import unsupported
from sparsenet.exchange.weights import maybe_numbers
from sparsenet.layers import BatchNorm, LayerNorm, LogSoftmax, Softmax

__all__ = ["ONNX_IN", "ONNX_OUT", "REFUSED", "TORCH"]

LEFT_OUT = "left_out"
"""Of a batch norm's arrays: ONNX wants all of them."""


def _batch_norm(
    call: Call,
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float | None = None,
    eps: float = 1e-5,
) -> Layers:
    if training or running_mean is None or running_var is None:
        raise unsupported(
            "batch norm with stored statistics", "statistics of the batch itself (track_running_stats=False)"
        )
    refuse_dependent(call, running_mean, running_var, weight, bias)
    statistics = call.numbers(running_mean), call.numbers(running_var)
    return (BatchNorm(*statistics, maybe_numbers(call, weight), maybe_numbers(call, bias), eps),)


def _batch_normalization(
    call: Call,
    X: Any,
    scale: Any,
    B: Any,
    mean: Any,
    var: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    spatial: int = 1,
    training_mode: int = 0,
) -> Layers:
    if training_mode or not spatial:
        raise unsupported(
            "batch norm with stored statistics for each channel", f"training_mode={training_mode}, spatial={spatial}"
        )
    refuse_dependent(call, scale, B, mean, var)
    left_out = call.kept.get(LEFT_OUT, ())
    weight = None if "weight" in left_out and (call.numbers(scale) == 1).all() else call.numbers(scale)
    bias = None if "bias" in left_out and not call.numbers(B).any() else call.numbers(B)
    return (BatchNorm(call.numbers(mean), call.numbers(var), weight, bias, _shortest(epsilon)),)


def _shortest(value: float) -> float:
    """Return the number with the fewest digits that float32 rounds to this one: 1e-05, not 9.99999975e-06."""
    return float(str(np.float32(value)))


def _write_batch_norm(layer: BatchNorm, writer: Writer) -> None:
    given = {
        "weight": np.ones_like(layer.mean) if layer.weight is None else layer.weight,
        "bias": np.zeros_like(layer.mean) if layer.bias is None else layer.bias,
        "mean": layer.mean,
        "variance": layer.variance,
    }
    if left_out := [name for name in ("weight", "bias") if getattr(layer, name) is None]:
        writer.keep(LEFT_OUT, left_out)
    inputs = [writer.source, *(writer.constant(role, values) for role, values in given.items())]
    writer.operator("BatchNormalization", inputs, epsilon=layer.epsilon)


def _layer_norm(
    call: Call,
    input: Any,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Layers:
    refuse_dependent(call, weight, bias)
    axes = len(tuple(normalized_shape))
    if tuple(normalized_shape) != call.shape[-axes:]:
        raise unsupported(f"the last axes of {call.shape}", f"normalized_shape={tuple(normalized_shape)}")
    return (LayerNorm(_flat(call, weight), _flat(call, bias), eps, axes),)


def _flat(call: Call, values: Any) -> FloatArray | None:
    array = maybe_numbers(call, values)
    return None if array is None else array.reshape(-1)


def _layer_normalization(
    call: Call, X: Any, Scale: Any, B: Any = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Layers:
    refuse_dependent(call, Scale, B)
    axes = -axis if axis < 0 else len(call.shape) + 1 - axis
    if not 1 <= axes <= len(call.shape):
        raise unsupported("the last axes of a sample", f"axis={axis} of {len(call.shape) + 1}")
    weight = _flat(call, Scale)
    if "weight" in call.kept.get(LEFT_OUT, ()) and (call.numbers(Scale) == 1).all():
        weight = None
    return (LayerNorm(weight, _flat(call, B), call.kept.get("epsilon", _shortest(epsilon)), axes),)


def _write_layer_norm(layer: LayerNorm, writer: Writer) -> None:
    size = writer.shape[-layer.axes :]
    if layer.weight is None:
        writer.keep(LEFT_OUT, ["weight"])
    if _shortest(layer.epsilon) != layer.epsilon:  # the attribute is a float32
        writer.keep("epsilon", layer.epsilon)
    weight = np.ones(size, np.float32) if layer.weight is None else layer.weight.reshape(size)
    inputs = [writer.source, writer.constant("weight", weight)]
    if layer.bias is not None:
        inputs.append(writer.constant("bias", layer.bias.reshape(size)))
    writer.operator("LayerNormalization", inputs, axis=-layer.axes, epsilon=layer.epsilon)


def _softmax(call: Call, input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Layers:
    _refuse_other_axes(call, dim)
    return (Softmax(),)


def _log_softmax(call: Call, input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Layers:
    _refuse_other_axes(call, dim)
    return (LogSoftmax(),)


def _refuse_other_axes(call: Call, dim: int | None) -> None:
    """Refuse any axis but the first of a sample; where none is given, torch takes the batch's for three axes."""
    axes = len(call.shape) + 1
    if dim is None:
        dim = 0 if axes == 3 else 1
    if dim % axes != 1:
        raise unsupported("softmax along the first axis after the batch, dim=1", f"dim={dim}")


def _onnx_softmax(call: Call, input: Any, *, axis: int | None = None) -> Layers:
    _refuse_other_onnx_axes(call, axis)
    return (Softmax(),)


def _onnx_log_softmax(call: Call, input: Any, *, axis: int | None = None) -> Layers:
    _refuse_other_onnx_axes(call, axis)
    return (LogSoftmax(),)


def _refuse_other_onnx_axes(call: Call, axis: int | None) -> None:
    """Refuse what is not along a sample's first axis: before version 13 all axes from that one on were one."""
    axes, together = len(call.shape) + 1, call.version < 13
    axis = axis if axis is not None else 1 if together else -1
    others = prod(call.shape[1:]) if together else 1
    if axis % axes != 1 or others != 1:
        along = "axes from 1 on, as one" if others != 1 else f"axis {axis}"
        raise unsupported("softmax along the first axis after the batch, axis=1", f"{along}, in {axes} axes")


def _write_softmax(layer: Softmax | LogSoftmax, writer: Writer) -> None:
    writer.operator(type(layer).__name__, [writer.source], axis=1)


TORCH = {
    "batch_norm": Line(_batch_norm, ("BatchNorm",)),
    "layer_norm": Line(_layer_norm, ("LayerNorm",)),
    "log_softmax": Line(_log_softmax, ("LogSoftmax",)),
    "softmax": Line(_softmax, ("Softmax",)),
}
ONNX_IN = {
    "BatchNormalization": Line(_batch_normalization, ("BatchNorm",)),
    "LayerNormalization": Line(_layer_normalization, ("LayerNorm",)),
    "LogSoftmax": Line(_onnx_log_softmax, ("LogSoftmax",)),
    "Softmax": Line(_onnx_softmax, ("Softmax",)),
}
ONNX_OUT = {
    "BatchNorm": _write_batch_norm,
    "LayerNorm": _write_layer_norm,
    "LogSoftmax": _write_softmax,
    "Softmax": _write_softmax,
}
REFUSED: dict[str, dict[str, str]] = {}
