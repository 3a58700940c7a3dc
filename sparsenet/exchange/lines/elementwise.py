"""ReLU, sums of values, and arithmetic with constants, which becomes a batch norm of mean 0 and variance 1."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.exchange.call import Call, FloatArray, Layers, Line
from sparsenet.exchange.onnx.writer import Writer
from sparsenet.exchange.problems import unsupported
from sparsenet.layers import Add, BatchNorm, Cast, Dequantize, LeakyReLU, ReLU

__all__ = ["ONNX_IN", "ONNX_OUT", "REFUSED", "TORCH"]


def _relu(call: Call, input: Any, inplace: bool = False) -> Layers:
    return (ReLU(),)


def _leaky_relu(call: Call, input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Layers:
    return (LeakyReLU(negative_slope),)


def _clamp(call: Call, input: Any, min: Any = None, max: Any = None) -> Layers:
    if max is not None or min != 0:
        raise unsupported("a clamp at zero from below, which is a ReLU", f"min={min}, max={max}")
    return (ReLU(),)


def _add(call: Call, input: Any, other: Any, *, alpha: Any = 1) -> Layers:
    if not call.depends(input):
        return _affine(call, alpha, input)
    if not call.depends(other):
        return _affine(call, 1, _times(call, other, alpha))
    if alpha != 1:
        raise unsupported("a plain sum", f"alpha={alpha}")
    return (Add(),)


def _sub(call: Call, input: Any, other: Any, *, alpha: Any = 1) -> Layers:
    if call.depends(input):
        return _affine(call, 1, _times(call, other, -alpha))
    return _affine(call, -alpha, input)


def _rsub(call: Call, input: Any, other: Any, *, alpha: Any = 1) -> Layers:
    return _affine(call, -alpha, other)


def _mul(call: Call, input: Any, other: Any) -> Layers:
    return _affine(call, other if call.depends(input) else input, 0)


def _div(call: Call, input: Any, other: Any, *, rounding_mode: str | None = None) -> Layers:
    if rounding_mode is not None:
        raise unsupported("a plain division", f"rounding_mode={rounding_mode!r}")
    with np.errstate(divide="ignore"):  # infinity is refused, by name, when the layer is made
        return _affine(call, 1 / np.asarray(_as_array(call, other), np.float64), 0)


def _neg(call: Call, input: Any) -> Layers:
    return _affine(call, -1, 0)


def _as_array(call: Call, value: Any) -> npt.NDArray[Any]:
    return np.asarray(value if isinstance(value, int | float | np.generic | np.ndarray) else call.numbers(value))


def _times(call: Call, value: Any, factor: Any) -> npt.NDArray[Any]:
    return _as_array(call, value) * np.float32(factor)


def _affine(call: Call, scale: Any, shift: Any) -> Layers:
    """Scale and shift each channel, by a batch norm of mean 0 and variance 1 without epsilon."""
    scales, shifts = _per_channel(call, scale), _per_channel(call, shift)
    if (scales == 1).all() and not shifts.any():
        return ()
    zeros, ones = np.zeros_like(shifts), np.ones_like(scales)
    return (BatchNorm(zeros, ones, scales, shifts, 0.0),)


def _per_channel(call: Call, value: Any) -> FloatArray:
    array = _as_array(call, value)
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


def _onnx_add(call: Call, A: Any, B: Any) -> Layers:
    if call.depends(A) and call.depends(B):
        _refuse_broadcasting(call)
    return _add(call, A, B)


def _sum(call: Call, *inputs: Any) -> Layers:
    if len(inputs) == 2:
        return _onnx_add(call, *inputs)
    if not all(call.depends(one) for one in inputs):
        raise unsupported("a sum of values that depend on the input", "constants among more than two")
    _refuse_broadcasting(call)
    return (Add(),) if len(inputs) > 1 else ()


def _refuse_broadcasting(call: Call) -> None:
    if any(shape != call.shape for shape in call.shapes):
        told = " and ".join(str(shape) for shape in call.shapes)
        raise unsupported("a sum of values of one shape", f"samples of shape {told}")


def _clip(call: Call, input: Any, min: Any = None, max: Any = None) -> Layers:
    """Read a clip; its limits are attributes before version 11 and inputs since then."""
    if call.depends(min) or call.depends(max):
        raise unsupported("limits that do not depend on the input", "a function of it")
    lowest, highest = (None if one is None else float(np.asarray(one).reshape(())) for one in (min, max))
    largest = float(np.finfo(np.float32).max)
    return _clamp(call, input, lowest, None if highest is not None and highest >= largest else highest)


def _cast(call: Call, input: Any, *, to: int, saturate: int = 1, round_mode: str = "up") -> Layers:
    if to in (6, 7) and call.dtypes == ("int32",):
        return ()
    if to not in (1, 10, 11, 16):
        raise unsupported("values that become or stay floats", f"a cast to ONNX's type number {to}")
    if call.dtypes != ("float32",):
        return (Dequantize(1.0),) if call.dtypes == ("uint8",) else (Cast(),)
    if to != 1:
        call.note("left out: a cast to another float type; values stay float32 here", "differs")
    return ()


def _onnx_leaky_relu(call: Call, X: Any, *, alpha: float = 0.01) -> Layers:
    return (LeakyReLU(call.kept.get("slope", alpha)),)


def _write_relu(layer: ReLU, writer: Writer) -> None:
    writer.operator("Relu", [writer.source])


def _write_leaky_relu(layer: LeakyReLU, writer: Writer) -> None:
    if float(np.float32(layer.slope)) != layer.slope:  # the attribute is a float32
        writer.keep("slope", layer.slope)
    writer.operator("LeakyRelu", [writer.source], alpha=layer.slope)


def _write_add(layer: Add, writer: Writer) -> None:
    inputs: Sequence[str] = writer.sources
    writer.operator("Add" if len(inputs) == 2 else "Sum", inputs)


def _write_cast(layer: Cast, writer: Writer) -> None:
    writer.operator("Cast", [writer.source], to=1)


AFFINE = ("BatchNorm",)
TORCH = {
    "add": Line(_add, ("Add", *AFFINE), "several"),
    "clamp": Line(_clamp, ("ReLU",)),
    "clamp_min": Line(_clamp, ("ReLU",)),
    "div": Line(_div, AFFINE),
    "leaky_relu": Line(_leaky_relu, ("LeakyReLU",)),
    "mul": Line(_mul, AFFINE, "either"),
    "multiply": Line(_mul, AFFINE, "either"),
    "neg": Line(_neg, AFFINE),
    "relu": Line(_relu, ("ReLU",)),
    "rsub": Line(_rsub, AFFINE),
    "__rsub__": Line(_rsub, AFFINE),
    "sub": Line(_sub, AFFINE, "either"),
    "true_divide": Line(_div, AFFINE),
}
ONNX_IN = {
    "Add": Line(_onnx_add, ("Add", *AFFINE), "several"),
    "Cast": Line(_cast, ("Cast", "Dequantize")),
    "Clip": Line(_clip, ("ReLU",)),
    "Div": Line(lambda call, A, B: _div(call, A, B), AFFINE),
    "LeakyRelu": Line(_onnx_leaky_relu, ("LeakyReLU",)),
    "Mul": Line(lambda call, A, B: _mul(call, A, B), AFFINE, "either"),
    "Neg": Line(lambda call, X: _neg(call, X), AFFINE),
    "Relu": Line(lambda call, X: _relu(call, X), ("ReLU",)),
    "Sub": Line(lambda call, A, B: _sub(call, A, B), AFFINE, "either"),
    "Sum": Line(_sum, ("Add", *AFFINE), "several"),
}
ONNX_OUT = {"Add": _write_add, "Cast": _write_cast, "LeakyReLU": _write_leaky_relu, "ReLU": _write_relu}
REFUSED = {"Cast": {"torch": "modules are imported with one input, of float32"}}
