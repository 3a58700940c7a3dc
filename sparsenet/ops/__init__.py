"""Operations: what is true of each kind of layer on any machine."""

from sparsenet.ops.operation import Layer, Operation, Stored, Weighted, kept_count
from sparsenet.ops.table import LAYERS, OPERATIONS, operation_of

__all__ = ["LAYERS", "OPERATIONS", "Layer", "Operation", "Stored", "Weighted", "kept_count", "operation_of"]
