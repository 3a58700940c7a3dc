"""Products of matrices: by a constant from the right, which is a linear layer."""

from typing import Any

from sparsenet.exchange.call import Call, Layers, Line, refuse_dependent
from sparsenet.exchange.lines.linear import refuse_positions
from sparsenet.exchange.problems import unsupported
from sparsenet.layers import Linear

__all__ = ["ONNX_IN", "ONNX_OUT", "REFUSED", "TORCH"]


def _matmul(call: Call, input: Any, other: Any) -> Layers:
    refuse_dependent(call, other)
    matrix, mask = call.weight(other)
    if matrix.ndim != 2:
        raise unsupported("a matrix to multiply by", f"shape {matrix.shape}")
    refuse_positions(call, matrix.shape[1])
    return (Linear(matrix.T, None, None if mask is None else mask.T),)


TORCH = dict.fromkeys(("matmul", "mm"), Line(_matmul, ("Linear",)))
ONNX_IN = {"MatMul": Line(lambda call, A, B: _matmul(call, A, B), ("Linear",))}
ONNX_OUT: dict[str, Any] = {}
REFUSED: dict[str, dict[str, str]] = {}
