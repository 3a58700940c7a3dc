"""Products of matrices: of two activations, or by a constant from the right, which is a linear layer."""

from typing import Any

from sparsenet.exchange.call import Call, Layers, Line, refuse_dependent
from sparsenet.exchange.lines.linear import refuse_positions
from sparsenet.exchange.onnx.writer import Writer
from sparsenet.exchange.problems import unsupported
from sparsenet.layers import Linear, MatMul

__all__ = ["ONNX_IN", "ONNX_OUT", "REFUSED", "TORCH"]


def _matmul(call: Call, input: Any, other: Any) -> Layers:
    if call.depends(input) and call.depends(other):
        return _product(call)
    refuse_dependent(call, other)
    matrix, mask = call.weight(other)
    if matrix.ndim != 2:
        raise unsupported("a matrix to multiply by", f"shape {matrix.shape}")
    refuse_positions(call, matrix.shape[1])
    return (Linear(matrix.T, None, None if mask is None else mask.T),)


def _product(call: Call) -> Layers:
    """Multiply two activations; a sample of one axis would meet the batch's axis, and smaller shapes be repeated."""
    left, right = call.shapes[0], call.shapes[-1]
    if len(left) < 2 or len(left) != len(right) or left[:-2] != right[:-2]:
        raise unsupported("matrices with the same axes in front", f"samples of shape {left} and {right}")
    return (MatMul(),)


def _write_matmul(layer: MatMul, writer: Writer) -> None:
    writer.operator("MatMul", writer.sources)


TORCH = dict.fromkeys(("bmm", "matmul", "mm"), Line(_matmul, ("Linear", "MatMul"), "several"))
ONNX_IN = {"MatMul": Line(lambda call, A, B: _matmul(call, A, B), ("Linear", "MatMul"), "several")}
ONNX_OUT = {"MatMul": _write_matmul}
REFUSED: dict[str, dict[str, str]] = {}
