"""What a translator of one of torch's functions is told, and how it reads what it is given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import UnsupportedLayerError
from sparsenet.layers import Layer
from sparsenet.ops.shapes import Shape

__all__ = [
    "BoolArray",
    "Call",
    "FloatArray",
    "Layers",
    "Pair",
    "Tensor",
    "maybe_numbers",
    "numbers",
    "pair_of",
    "refuse_dependent",
    "unsupported",
]

Tensor = Any
Pair = tuple[int, int]
Layers = tuple[Layer, ...]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Call:
    """What a translator may know of a call besides its arguments."""

    shape: Shape
    """Of a sample of the input."""
    result_shape: Shape
    depends: Callable[[Any], bool]
    """Says whether a value depends on the network's input."""
    weight: Callable[[Tensor], tuple[FloatArray, BoolArray | None]]
    """Reads a weight and the mask that its module declares."""
    note: Callable[[str], None]


def numbers(tensor: Tensor) -> FloatArray:
    """Copy a tensor of any layout to an array of float32."""
    import torch

    tensor = tensor.detach()
    dense = tensor if tensor.layout == torch.strided else tensor.to_dense()
    array: FloatArray = dense.cpu().float().numpy().copy()
    return array


def maybe_numbers(tensor: Tensor | None) -> FloatArray | None:
    """Copy a tensor to an array, if there is one."""
    return None if tensor is None else numbers(tensor)


def unsupported(expected: str, got: object) -> UnsupportedLayerError:
    """Return the error that says what was expected and what came; the caller adds which layer."""
    return UnsupportedLayerError(f"expected {expected}, got {got}")


def refuse_dependent(call: Call, *tensors: Tensor | None) -> None:
    """Refuse weights that the input decides."""
    if any(call.depends(tensor) for tensor in tensors):
        raise unsupported("weights that do not depend on the input", "a function of it")


def pair_of(value: Any) -> Pair:
    """Read a setting that is one integer for both directions, or two, vertical first."""
    both = list(value) if isinstance(value, tuple | list) else [value]
    return (int(both[0]), int(both[-1]))
