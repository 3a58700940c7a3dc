"""Read calibration data: arrays, tensors, or an iterable of batches of any size."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.ops.shapes import Shape

__all__ = ["chunks", "no_samples"]

Array = npt.NDArray[np.float64]


def chunks(calibration: Any, shape: Shape, size: int) -> Iterator[Array]:
    """Yield checked float64 arrays of at most ``size`` samples of a shape, none of them empty.

    Raises
    ------
    SparsenetError
        When samples have another shape.
    TypeError
        When they are not numbers.
    """
    if isinstance(calibration, str | bytes | dict) or not (_is_array(calibration) or isinstance(calibration, Iterable)):
        raise TypeError(f"expected an array or an iterable of arrays, got {type(calibration).__name__}")
    for batch in [calibration] if _is_array(calibration) else calibration:
        array = _as_array(batch, shape)
        for first in range(0, len(array), size):
            with np.errstate(over="ignore"):  # infinity is refused where the network is evaluated
                single = array[first : first + size].astype(np.float32)  # what an engine is given
            yield single.astype(np.float64)


def no_samples(calibration: Any) -> SparsenetError:
    """Return the error for calibration data without samples."""
    hint = "; an iterator gives its data only once, so make a new one" if isinstance(calibration, Iterator) else ""
    return SparsenetError(f"expected calibration data, got no samples; give some real inputs, a hundred or more{hint}")


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__")


def _as_array(batch: Any, shape: Shape) -> npt.NDArray[Any]:
    """Read one batch, or say how to get it out of what came."""
    if isinstance(batch, dict):
        key = next(iter(batch), "x")
        raise TypeError(f"expected batches that are arrays, got a dict; give its inputs: (b[{key!r}] for b in data)")
    if isinstance(batch, tuple | list) and len(batch) > 1 and _is_batch(batch[0], shape):
        raise SparsenetError(
            f"expected batches of shape {_batched(shape)} alone, got a {type(batch).__name__} of {len(batch)} parts of "
            f"which the first is one; are the others labels? Give the inputs: (batch[0] for batch in data)"
        )
    array = _to_numpy(batch, shape)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"expected calibration data of numbers, got {array.dtype}")
    if array.shape[1:] != shape or array.ndim != len(shape) + 1:
        raise SparsenetError(f"expected calibration data of shape {_batched(shape)}, got {array.shape}")
    return array


def _is_batch(part: Any, shape: Shape) -> bool:
    return _is_array(part) and len(part.shape) == len(shape) + 1 and tuple(part.shape[1:]) == shape


def _to_numpy(batch: Any, shape: Shape) -> npt.NDArray[Any]:
    if hasattr(batch, "detach"):  # a tensor: of any device, with a gradient, or in bfloat16, which NumPy has not
        batch = batch.detach().cpu()
        batch = batch.float() if batch.is_floating_point() else batch
    try:
        return np.asarray(batch)
    except ValueError:  # NumPy's word for it is "inhomogeneous"
        raise SparsenetError(
            f"expected calibration data in batches of shape {_batched(shape)}, got a {type(batch).__name__} whose "
            f"parts have different shapes"
        ) from None


def _batched(shape: Shape) -> str:
    return f"(B, {', '.join(map(str, shape))})"
