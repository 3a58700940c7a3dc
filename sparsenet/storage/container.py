"""The safetensors container: a header that says where each array lies, then the arrays."""

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import ModelFormatError, SparsenetError
from sparsenet.storage.strict_json import expect_keys, read_json, shown

__all__ = ["LONGEST_HEADER_BYTES", "Tensors", "pack", "unpack"]

Tensors = dict[str, npt.NDArray[Any]]

LONGEST_HEADER_BYTES = 2**24
KEY = "sparsenet"
TYPES = {"F32": "<f4", "F16": "<f2", "I8": "|i1", "U8": "|u1", "U16": "<u2", "U32": "<u4", "I32": "<i4"}
"""The element types a network uses; safetensors has more."""

LENGTH_BYTES = 8


def pack(tensors: Tensors, document: str) -> bytes:
    """Write a container; the same arguments give the same bytes.

    Raises
    ------
    SparsenetError
        When the header would be longer than :func:`unpack` accepts.
    """
    from safetensors.numpy import save

    # the library writes the memory of an array as it lies: a transposed one would come back scrambled
    data: bytes = save({name: np.ascontiguousarray(array) for name, array in tensors.items()}, {KEY: document})
    if (size := int.from_bytes(data[:LENGTH_BYTES], "little")) > LONGEST_HEADER_BYTES:
        raise SparsenetError(f"expected names and details in {LONGEST_HEADER_BYTES} bytes, got {size}; shorten them")
    return data


def unpack(data: bytes) -> tuple[Tensors, bytes]:
    """Read a container: its arrays, which share the memory of ``data``, and the network's document.

    Parsed here and not by the safetensors library, which accepts duplicate keys and copies every array. What this
    accepts, the library accepts too, with the same arrays: the fuzzer in the tests checks it for every file.

    Raises
    ------
    ModelFormatError
        When anything of the container is wrong.
    """
    header, start = _read_header(data)
    metadata = expect_keys(_metadata(header), (KEY,), "metadata")
    if not isinstance(metadata[KEY], str):
        raise ModelFormatError(f"metadata: expected {KEY!r} to be a string, got {shown(metadata[KEY])}")
    places = {name: _place(name, entry) for name, entry in header.items()}
    _refuse_gaps(places, len(data) - start)
    tensors = {name: _array(data, start, place) for name, place in places.items()}
    return tensors, metadata[KEY].encode("utf-8", "surrogatepass")


Place = tuple[str, tuple[int, ...], int, int]
"""Element type, shape, first byte and the byte after the last."""


def _read_header(data: bytes) -> tuple[dict[str, Any], int]:
    if len(data) < LENGTH_BYTES + 2:
        raise ModelFormatError(f"expected a safetensors file of at least {LENGTH_BYTES + 2} bytes, got {len(data)}")
    size = int.from_bytes(data[:LENGTH_BYTES], "little")
    room = min(len(data) - LENGTH_BYTES, LONGEST_HEADER_BYTES)
    if size > room:
        raise ModelFormatError(f"expected a header of at most {room} bytes, got {size}; is it a safetensors file?")
    text = data[LENGTH_BYTES : LENGTH_BYTES + size]
    if not text.startswith(b"{"):
        raise ModelFormatError(f"expected a header that starts with '{{', got {shown(text[:1])}")
    return read_json(text, "header"), LENGTH_BYTES + size


def _metadata(header: dict[str, Any]) -> Any:
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or KEY not in metadata:
        raise ModelFormatError(f"expected a network saved by sparsenet, got a file without {KEY!r} in its metadata")
    return metadata


def _place(name: str, entry: Any) -> Place:
    what = f"tensor {shown(name)}"
    entry = expect_keys(entry, ("dtype", "shape", "data_offsets"), what)
    shape, offsets, dtype = entry["shape"], entry["data_offsets"], entry["dtype"]
    if not isinstance(dtype, str) or dtype not in TYPES:
        raise ModelFormatError(f"{what}: expected one of the types {', '.join(TYPES)}, got {shown(dtype)}")
    if not _are_sizes(shape) or len(shape) > 8:
        raise ModelFormatError(f"{what}: expected a shape of at most 8 sizes, got {shown(shape)}")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise ModelFormatError(f"{what}: expected two offsets, got {shown(offsets)}")
    expected = prod(shape) * np.dtype(TYPES[dtype]).itemsize
    if offsets[1] - offsets[0] != expected:
        raise ModelFormatError(f"{what}: expected {shown(expected)} bytes, got the offsets {shown(offsets)}")
    return dtype, tuple(shape), offsets[0], offsets[1]


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _refuse_gaps(places: dict[str, Place], size: int) -> None:
    """Every byte after the header belongs to exactly one tensor."""
    position = 0
    for name, (_, _, begin, end) in sorted(places.items(), key=lambda item: item[1][2:]):
        if begin != position:
            raise ModelFormatError(f"tensor {shown(name)}: expected to begin at {position}, got {shown(begin)}")
        position = end
    if position != size:
        raise ModelFormatError(f"expected {shown(position)} bytes of tensors after the header, got {size}")


def _array(data: bytes, start: int, place: Place) -> npt.NDArray[Any]:
    dtype, shape, begin, end = place
    kind = np.dtype(TYPES[dtype])
    if begin == end:
        return np.zeros(shape, kind)
    return np.frombuffer(data, kind, (end - begin) // kind.itemsize, start + begin).reshape(shape)
