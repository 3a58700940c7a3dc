"""Which shape and dtype each layer gives, and whether its inputs are legal: loops over the table of operations."""

from math import prod

from sparsenet.errors import GraphError
from sparsenet.ops.geometry import LARGEST_ELEMENTS, Shape
from sparsenet.ops.operation import Layer
from sparsenet.ops.table import operation_of

__all__ = ["LARGEST_ELEMENTS", "Shape", "infer_dtype", "infer_shape"]

COUNTS = {1: "one input", 2: "two inputs", 3: "three inputs"}


def infer_shape(layer: Layer, inputs: tuple[Shape, ...]) -> Shape:
    """Find the shape a layer gives for the shapes of its inputs, all without the batch axis.

    Raises
    ------
    GraphError
        When the inputs do not fit the layer; it says what was expected and what came.

    Examples
    --------
    >>> import sparsenet as sn
    >>> infer_shape(sn.MaxPool2d(2), ((64, 28, 28),))
    (64, 14, 14)
    """
    operation = operation_of(layer)
    _check_count(operation.arity, len(inputs))
    shape = operation.shape(layer, inputs)
    if prod(shape) > LARGEST_ELEMENTS:
        raise GraphError(f"expected at most {LARGEST_ELEMENTS} elements a sample, got {prod(shape)} in shape {shape}")
    return shape


def infer_dtype(layer: Layer, inputs: tuple[str, ...]) -> str:
    """Find the dtype a layer gives for the dtypes of its inputs: "float32", "uint8", "int32" or "bool".

    Raises
    ------
    GraphError
        When the layer cannot work on such inputs.

    Examples
    --------
    >>> import sparsenet as sn
    >>> infer_dtype(sn.Quantize(0.5), ("float32",)), infer_dtype(sn.MaxPool2d(2), ("uint8",))
    ('uint8', 'uint8')
    """
    return operation_of(layer).dtype(layer, inputs)


def _check_count(arity: tuple[int, int | None], given: int) -> None:
    least, most = arity
    if given < least or (most is not None and given > most):
        bound = "" if least == most else "at least " if given < least else "at most "
        wanted = least if given < least or most is None else most
        raise GraphError(f"expected {bound}{COUNTS.get(wanted, f'{wanted} inputs')}, got {given}")
