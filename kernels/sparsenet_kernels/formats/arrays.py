"""What every format does with its arrays: check, lock and count them, and build the format anew."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sparsenet_kernels.indices import IndexRangeError

Shape = tuple[int, ...]
Arrays = dict[str, NDArray[Any]]
"""The arrays of a format by the names that kernels have for them, as its ``arrays()`` gives them."""


def check_shape(shape: tuple[int, int]) -> None:
    """Raise ValueError unless `shape` is (outputs, inputs), each from 1 to what int32 can count."""
    if len(shape) != 2 or min(shape) < 1 or max(shape) >= 2**31:
        raise IndexRangeError(f"expected shape to be (outputs, inputs), each from 1 to 2**31 - 1, got {shape}")


def check_array(name: str, array: Any, dtype: DTypeLike, shape: Shape) -> None:
    """Raise TypeError or ValueError unless `array` is a C-contiguous NumPy array of exactly this dtype and shape."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected {name} to be a NumPy array, got {type(array).__name__}")
    if array.dtype != np.dtype(dtype):
        raise ValueError(f"expected {name} to be {np.dtype(dtype)}, got {array.dtype}; cast it first")
    if array.shape != shape:
        raise ValueError(f"expected {name} to have shape {shape}, got {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError(f"expected {name} to be C-contiguous; pass np.ascontiguousarray of it")


def check_range(name: str, indices: NDArray[np.int32], lowest: int, count: int) -> None:
    """Raise ValueError at the first index outside lowest <= index < count."""
    wrong = (indices < lowest) | (indices >= count)
    if wrong.any():
        raise ValueError(f"expected {lowest} <= {name} < {count}, got {first_of(name, indices, wrong)}")


def check_finite(name: str, values: NDArray[np.float32]) -> None:
    """Raise ValueError at the first NaN or infinity."""
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise ValueError(f"expected {name} to be finite in float32, got {first_of(name, values, wrong)}")


def first_of(name: str, array: NDArray[Any], wrong: NDArray[np.bool_]) -> str:
    """Describe the first marked element for an error: `rows[7] = 12`."""
    place = tuple(int(axis[0]) for axis in np.nonzero(wrong))
    return f"{name}[{', '.join(map(str, place))}] = {array[place]}"


def lock_arrays(packed: Any) -> None:
    """Replace each array of a new dataclass by a read-only view; the caller's own array keeps its flags."""
    for name, value in field_values(packed).items():
        if isinstance(value, np.ndarray):
            locked = value.view()
            locked.flags.writeable = False
            object.__setattr__(packed, name, locked)


def rebuild(packed: Any) -> tuple[type, tuple[Any, ...]]:
    """Say how to unpickle or copy: through the constructor, so that what comes back is checked and locked again."""
    return type(packed), tuple(field_values(packed).values())


def total_bytes(packed: Any) -> int:
    """Add up the bytes of all arrays of a dataclass."""
    return sum(value.nbytes for value in field_values(packed).values() if isinstance(value, np.ndarray))


def field_values(packed: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, in their order."""
    return {field.name: getattr(packed, field.name) for field in fields(packed)}
