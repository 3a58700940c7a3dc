"""The masks that torch modules declare for their weights."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["declared_mask", "wraps_weights"]

BoolArray = npt.NDArray[np.bool_]


def declared_mask(module: Any, wrapper: Any, shape: tuple[int, ...]) -> BoolArray | None:
    """Find the mask that a module declares for a weight of that shape; None where there is none.

    A mask is a buffer ``mask`` (this package's layers, and many others'), ``weight_mask`` (torch's pruning), the
    ``mask`` of a parametrisation of the weight, or, in a module around this one, ``zero_mask``, which is true where
    the weight is zero (nupic.torch). Where there are several, a weight must be in all of them.
    """
    masks = [array for array in _masks(module, wrapper) if array.shape == shape]
    return np.logical_and.reduce(masks) if masks else None


def wraps_weights(wrapper: Any, module: Any) -> bool:
    """Say whether a module only adds a mask to another, which then carries the wrapper's name."""
    return hasattr(wrapper, "zero_mask") and getattr(wrapper, "module", None) is module


def _masks(module: Any, wrapper: Any) -> Iterator[BoolArray]:
    for name in ("mask", "weight_mask"):
        yield from _array(getattr(module, name, None))
    parametrized = getattr(module, "parametrizations", None)
    for part in getattr(parametrized, "weight", ()):
        yield from _array(getattr(part, "mask", None))
    if wraps_weights(wrapper, module):
        yield from (~array for array in _array(wrapper.zero_mask))


def _array(value: Any) -> Iterator[BoolArray]:
    import torch

    if isinstance(value, torch.Tensor):
        yield (value.detach().cpu() != 0).numpy()
