"""Products of two activations."""

from sparsenet.ops.operation import Operation

__all__: list[str] = []

OPERATIONS: tuple[Operation, ...] = ()
