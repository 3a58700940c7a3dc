"""The table of all operations, by the name of their kind."""

from collections.abc import Mapping
from types import MappingProxyType

from sparsenet.ops.kinds import FAMILIES
from sparsenet.ops.operation import Layer, Operation

__all__ = ["LAYERS", "OPERATIONS", "operation_of"]

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {operation.layer.__name__: operation for family in FAMILIES for operation in family.OPERATIONS}
)
"""Every operation, by the name of its kind: what shapes, the reference, storage and the rest are loops over."""

LAYERS: tuple[type, ...] = tuple(operation.layer for operation in OPERATIONS.values())
"""Every kind of layer that a network may have, and so everything that the engine can run."""


def operation_of(layer: Layer) -> Operation:
    """Return the operation of a layer.

    Raises
    ------
    TypeError
        When it is no layer of this package.

    Examples
    --------
    >>> import sparsenet as sn
    >>> operation_of(sn.Add()).arity
    (2, None)
    """
    operation = OPERATIONS.get(type(layer).__name__)
    if operation is None or operation.layer is not type(layer):
        raise TypeError(f"expected a layer of sparsenet, got {type(layer).__name__}")
    return operation
