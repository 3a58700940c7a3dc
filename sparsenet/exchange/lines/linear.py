"""Linear layers."""

from math import prod
from typing import Any

import numpy as np

from sparsenet.exchange.call import Call, Layers, Line, refuse_dependent
from sparsenet.exchange.onnx.writer import Writer
from sparsenet.exchange.problems import unsupported
from sparsenet.exchange.weights import keep_mask, maybe_numbers
from sparsenet.layers import Linear

__all__ = ["ONNX_IN", "ONNX_OUT", "REFUSED", "TORCH", "refuse_positions"]


def refuse_positions(call: Call, outputs: int) -> None:
    """Refuse samples with several axes: torch and ONNX multiply the last axis, but here a sample is one vector."""
    if len(call.shape) > 1:
        *positions, inputs = call.shape
        raise unsupported(
            f"samples that are one vector of {inputs} numbers",
            f"samples of shape {call.shape}, where each of {prod(positions)} vectors is multiplied by the matrix; a "
            f"Conv2d({inputs}, {outputs}, 1) on samples of shape {(inputs, prod(positions), 1)} computes the same",
        )


def _linear(call: Call, input: Any, weight: Any, bias: Any = None) -> Layers:
    refuse_dependent(call, weight, bias)
    refuse_positions(call, weight.shape[0])
    kept, mask = call.weight(weight)
    return (Linear(kept, maybe_numbers(call, bias), mask),)


def _gemm(
    call: Call,
    A: Any,
    B: Any,
    C: Any = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Layers:
    refuse_dependent(call, B, C)
    if transA:
        raise unsupported("a first matrix that is not transposed", f"transA={transA}, which mixes samples")
    weight, mask = call.weight(B)
    if weight.ndim != 2:
        raise unsupported("a matrix to multiply by", f"shape {weight.shape}")
    weight, mask = (weight, mask) if transB else (weight.T, None if mask is None else mask.T)
    refuse_positions(call, len(weight))
    weight = weight if alpha == 1 else weight * np.float32(alpha)
    if C is None:
        return (Linear(weight, None, mask),)
    bias = call.numbers(C)
    if bias.size not in (1, len(weight)) or bias.shape[-1:] not in ((), (1,), (len(weight),)):
        raise unsupported(f"a bias for each of {len(weight)} outputs", f"shape {bias.shape}")
    bias = np.broadcast_to(bias.ravel(), len(weight))
    return (Linear(weight, bias if beta == 1 else bias * np.float32(beta), mask),)


def _write(layer: Linear, writer: Writer) -> None:
    inputs = [writer.source, writer.constant("weight", layer.weight)]
    if layer.bias is not None:
        inputs.append(writer.constant("bias", layer.bias))
    keep_mask(layer, writer)
    writer.operator("Gemm", inputs, transB=1)


TORCH = {"linear": Line(_linear, ("Linear",))}
ONNX_IN = {"Gemm": Line(_gemm, ("Linear",))}
ONNX_OUT = {"Linear": _write}
REFUSED: dict[str, dict[str, str]] = {}
