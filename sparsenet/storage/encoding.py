"""Encode a weight in as few bytes as its zeros allow, and decode it.

A weight (N, ...) is stored as a matrix (N, D). The kept places are encoded in the smallest of three ways: all places, a
bit for each place, or a column index for each kept place. The kept places are those of the layer's mask or, without a
mask, those that are not zero. float32 values are restored to the bit, except that -0.0 becomes 0.0: weights that were
multiplied by a mask have many of them. The int8 weights of quantised layers are stored in the same way, unchanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import ModelFormatError, SparsenetError
from sparsenet.storage.container import Tensors
from sparsenet.storage.strict_json import expect_keys, shown
from sparsenet_kernels.indices import narrowed

__all__ = ["WEIGHTS", "WeightRecord", "decode_weight", "encode_weight", "read_weight_record"]

FloatArray = npt.NDArray[np.float32]
WeightArray = npt.NDArray[np.float32] | npt.NDArray[np.int8]
BoolArray = npt.NDArray[np.bool_]

WEIGHTS: Mapping[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2"), "int8": np.dtype("|i1")}
"""How float32 weights may be stored, by name; only "float32" changes none of them."""

WHOLE = "whole"
"""How the weights of quantised layers are stored: int8, as they are."""

VALUES: Mapping[str, np.dtype[Any]] = {**WEIGHTS, WHOLE: np.dtype("|i1")}

TENSORS = {"all": ("",), "bits": (".values", ".bits"), "columns": (".values", ".columns", ".counts")}
"""The tensors of each way to say which places are kept, by the end of their names."""


@dataclass(frozen=True)
class WeightRecord:
    """The part of a weight that is JSON, without its tensors."""

    shape: tuple[int, ...]
    places: str
    values: str
    mask: bool

    @property
    def matrix(self) -> tuple[int, int]:
        """The shape (N, D) of the weight as a matrix."""
        return self.shape[0], prod(self.shape[1:])

    @property
    def endings(self) -> tuple[str, ...]:
        """The ends of the names of its tensors."""
        return TENSORS[self.places] + ((".scales",) if self.values == "int8" else ())

    @property
    def decoded_bytes(self) -> int:
        """What it takes in memory: four bytes an element, one where it stays int8, and one for its mask."""
        return prod(self.shape) * ((1 if self.values == WHOLE else 4) + self.mask)


def encode_weight(weight: WeightArray, mask: BoolArray | None, values: str) -> tuple[WeightRecord, Tensors]:
    """Choose the smallest encoding; return its record, and its tensors by the end of their names.

    An int8 weight is stored as it is, whatever ``values`` says.

    Raises
    ------
    SparsenetError
        When a weight is too large for float16.
    """
    values = WHOLE if weight.dtype == np.int8 else values
    rows = weight.reshape(len(weight), -1) + weight.dtype.type(0)  # -0.0 + 0.0 is 0.0
    kept = rows != 0 if mask is None else mask.reshape(rows.shape)
    places = _smallest(kept, VALUES[values].itemsize)
    if mask is not None and places == "all" and not mask.all():
        places = "bits"  # the kept places are the mask
    record = WeightRecord(weight.shape, places, values, mask is not None)
    stored, tensors = _store(rows, values)
    if places == "all":
        return record, {"": stored.reshape(weight.shape), **tensors}
    tensors[".values"] = stored[kept]
    if places == "bits":
        tensors[".bits"] = np.packbits(kept, bitorder="little")
    else:
        tensors[".columns"] = narrowed(np.nonzero(kept)[1], _column_type(rows.shape[1]), "columns")
        tensors[".counts"] = narrowed(kept.sum(1), "<u4", "kept weights of a row")
    return record, tensors


def decode_weight(record: WeightRecord, tensors: Tensors, what: str) -> tuple[WeightArray, BoolArray | None]:
    """Rebuild a weight and its mask from the tensors that :func:`encode_weight` gave.

    Raises
    ------
    ModelFormatError
        When types, shapes, indices or scales are not what ``record`` says; nothing large is allocated before.
    """
    if record.places == "all":
        stored = _expect(tensors[""], VALUES[record.values], record.shape, what)
        every = _scaled(record, stored.reshape(record.matrix), None, tensors, what).reshape(record.shape)
        return every, np.ones(record.shape, np.bool_) if record.mask else None
    values = _expect(tensors[".values"], VALUES[record.values], (None,), f"{what}.values")
    read = _kept_by_bits if record.places == "bits" else _kept_by_columns
    kept = read(record, tensors, len(values), what)
    weight: npt.NDArray[Any] = np.zeros(record.matrix, np.int8 if record.values == WHOLE else np.float32)
    weight[kept] = _scaled(record, values, kept, tensors, what)
    return weight.reshape(record.shape), kept.reshape(record.shape) if record.mask else None


def read_weight_record(value: Any, whole: bool, what: str) -> WeightRecord:
    """Check what a file says of a weight, which is that of a quantised layer or not.

    Raises
    ------
    ModelFormatError
        When a key is missing or unknown, or its value none of those allowed.
    """
    fields = expect_keys(value, ("shape", "places", "values", "mask"), what)
    shape, places, values, mask = fields["shape"], fields["places"], fields["values"], fields["mask"]
    if not isinstance(shape, list) or not 2 <= len(shape) <= 4 or not all(type(n) is int and n > 0 for n in shape):
        raise ModelFormatError(f"{what}: expected a shape of 2 to 4 positive sizes, got {shown(shape)}")
    for name, given, allowed in (("places", places, TENSORS), ("values", values, (WHOLE,) if whole else WEIGHTS)):
        if not isinstance(given, str) or given not in allowed:
            raise ModelFormatError(f"{what}: expected {name} to be one of {', '.join(allowed)}, got {shown(given)}")
    if not isinstance(mask, bool):
        raise ModelFormatError(f"{what}: expected mask to be true or false, got {shown(mask)}")
    return WeightRecord(tuple(shape), places, values, mask)


def _smallest(kept: BoolArray, value_bytes: int) -> str:
    count = int(np.count_nonzero(kept))
    index_bytes = _column_type(kept.shape[1]).itemsize
    sizes = {
        "all": kept.size * value_bytes,
        "bits": count * value_bytes + -(-kept.size // 8),
        "columns": count * (value_bytes + index_bytes) + 4 * len(kept),
    }
    return min(sizes, key=lambda places: sizes[places])


def _column_type(columns: int) -> np.dtype[Any]:
    return np.dtype("<u2") if columns <= 2**16 else np.dtype("<u4")


def _store(rows: npt.NDArray[Any], values: str) -> tuple[npt.NDArray[Any], Tensors]:
    if values == WHOLE:
        return rows, {}
    if values == "int8":
        scales = _row_scales(rows)
        return np.clip(np.rint(rows / scales[:, None]), -127, 127).astype(np.int8), {".scales": scales}
    largest = float(np.finfo(WEIGHTS[values]).max)
    if (beyond := np.abs(rows).max()) > largest:
        raise SparsenetError(f'expected weights of at most {largest} for {values}, got {beyond}; store as "float32"')
    return rows.astype(WEIGHTS[values]), {}


def _row_scales(rows: FloatArray) -> FloatArray:
    """Find the scale of each row that maps its largest weight to 127; 1 for a row of zeros."""
    largest = np.abs(rows).max(1).astype(np.float64)
    most = np.nextafter(np.finfo(np.float32).max / np.float32(127), np.float32(0))  # 127 times it stays finite
    scales = np.minimum(largest / 127, most).astype(np.float32)
    return np.where(scales > 0, scales, np.float32(1))


def _expect(
    array: npt.NDArray[Any], dtype: np.dtype[Any], shape: tuple[int | None, ...], what: str
) -> npt.NDArray[Any]:
    fits = len(shape) == array.ndim and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if array.dtype != dtype or not fits:
        sizes = tuple("any" if n is None else n for n in shape)
        raise ModelFormatError(f"{what}: expected {dtype} {sizes}, got {array.dtype} {array.shape}")
    return array


def _scaled(
    record: WeightRecord, values: npt.NDArray[Any], kept: BoolArray | None, tensors: Tensors, what: str
) -> WeightArray:
    """Return values (N, D), or (kept,) row after row, as float32 or, of quantised layers, int8."""
    if record.values == WHOLE:
        return values
    if record.values != "int8":
        return values.astype(np.float32)
    scales = _expect(tensors[".scales"], WEIGHTS["float32"], record.shape[:1], f"{what}.scales")
    if not (np.isfinite(scales) & (scales > 0)).all():
        raise ModelFormatError(f"{what}.scales: expected positive finite scales, got others")
    each = scales[:, None] if kept is None else np.repeat(scales, kept.sum(1))
    with np.errstate(over="ignore"):  # the layer refuses what is not finite, and says so better
        scaled: FloatArray = values * each
    return scaled


def _kept_by_bits(record: WeightRecord, tensors: Tensors, count: int, what: str) -> BoolArray:
    size = prod(record.matrix)
    bits = _expect(tensors[".bits"], np.dtype("|u1"), (-(-size // 8),), f"{what}.bits")
    unpacked = np.unpackbits(bits, bitorder="little")
    if unpacked[size:].any():
        raise ModelFormatError(f"{what}.bits: expected zeros after the last of {size} places, got others")
    if (marked := int(np.count_nonzero(unpacked))) != count:
        raise ModelFormatError(f"{what}.bits: expected {count} places for as many values, got {marked}")
    return unpacked[:size].view(np.bool_).reshape(record.matrix)


def _kept_by_columns(record: WeightRecord, tensors: Tensors, count: int, what: str) -> BoolArray:
    rows, width = record.matrix
    columns = _expect(tensors[".columns"], _column_type(width), (count,), f"{what}.columns").astype(np.int64)
    counts = _expect(tensors[".counts"], np.dtype("<u4"), (rows,), f"{what}.counts").astype(np.int64)
    if int(counts.sum()) != count:
        raise ModelFormatError(f"{what}.counts: expected {count} in sum, got {int(counts.sum())}")
    if (columns >= width).any():
        raise ModelFormatError(f"{what}.columns: expected columns below {width}, got {columns.max()}")
    places = np.repeat(np.arange(rows, dtype=np.int64), counts) * width + columns
    if (np.diff(places) <= 0).any():  # rows rise by themselves, so this can only be within a row
        raise ModelFormatError(f"{what}.columns: expected columns that rise within each row, got others")
    kept = np.zeros(rows * width, np.bool_)
    kept[places] = True
    return kept.reshape(rows, width)
