"""Read ONNX tensors as arrays. External data must lie in the model's folder; anything else is refused."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import ModelFormatError

__all__ = ["LARGEST_BYTES", "array_of", "text"]

LARGEST_BYTES = 2**31
"""No tensor takes more memory."""

EXTERNAL = 1
"""TensorProto.EXTERNAL."""

DTYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    12: np.uint32,
    13: np.uint64,
}
"""By ONNX's numbers of types."""

BFLOAT16 = 16


def text(value: str | bytes) -> str:
    """Read text, which protobuf gives as bytes where it is no UTF-8."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def array_of(tensor: Any, folder: Path | None) -> npt.NDArray[Any]:
    """Read a TensorProto.

    Parameters
    ----------
    tensor : onnx.TensorProto
    folder : path, optional
        Of the model's file, for data that lie beside it.

    Raises
    ------
    ModelFormatError
        When it holds other numbers than it says, or lies where it may not.
    """
    shape = tuple(int(size) for size in tensor.dims)
    if tensor.data_type not in DTYPES and tensor.data_type != BFLOAT16:
        raise _wrong(tensor, "numbers or truth values", f"ONNX's type number {tensor.data_type}")
    if any(size < 0 for size in shape) or prod(shape) * 8 > LARGEST_BYTES * 2:
        raise _wrong(tensor, f"a shape of at most {LARGEST_BYTES} bytes", f"{shape}")
    if tensor.data_location == EXTERNAL:
        return _from_bytes(tensor, _external(tensor, folder), shape)
    if tensor.HasField("raw_data"):
        return _from_bytes(tensor, tensor.raw_data, shape)
    from onnx import numpy_helper

    try:
        values: npt.NDArray[Any] = numpy_helper.to_array(tensor)
    except Exception as error:  # whatever onnx raises for what a file may hold
        raise _wrong(tensor, f"numbers for a shape of {shape}", f"{type(error).__name__}: {error}") from None
    return values.astype(np.float32) if tensor.data_type == BFLOAT16 else values


def _from_bytes(tensor: Any, data: bytes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    dtype = np.dtype(np.uint16 if tensor.data_type == BFLOAT16 else DTYPES[tensor.data_type]).newbyteorder("<")
    if len(data) != prod(shape) * dtype.itemsize:
        raise _wrong(tensor, f"{prod(shape) * dtype.itemsize} bytes for a shape of {shape}", f"{len(data)}")
    values = np.frombuffer(data, dtype).reshape(shape)
    if tensor.data_type == BFLOAT16:  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(dtype.newbyteorder("="))


def _external(tensor: Any, folder: Path | None) -> bytes:
    """Read the data of a tensor from a file of the model's folder, or below it."""
    entries = {text(entry.key): text(entry.value) for entry in tensor.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise _wrong(tensor, "data inside the model", f"a file {location!r} beside it; give the path of the model")
    root = folder.resolve()
    path = (root / location).resolve() if location and "\0" not in location else root
    if not path.is_relative_to(root) or not path.is_file():
        raise _wrong(tensor, "data in a file of the model's folder", repr(location))
    try:
        offset = int(entries.get("offset", 0))
        length = int(entries.get("length", path.stat().st_size - offset))
    except ValueError:
        raise _wrong(tensor, "an offset and a length in bytes", f"{entries}"[:200]) from None
    if offset < 0 or not 0 <= length <= LARGEST_BYTES or offset + length > path.stat().st_size:
        raise _wrong(tensor, f"a part of {location!r}", f"{length} bytes from {offset} on, which it does not have")
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _wrong(tensor: Any, expected: str, got: str) -> ModelFormatError:
    return ModelFormatError(f"constant {text(tensor.name)[:200]!r}: expected {expected}, got {got}"[:600])
