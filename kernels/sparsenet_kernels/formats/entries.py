"""The kept weights of a layer as a list, in the order in which a format stores them.

Every format is packed from such a list. A fully connected layer is a convolution of kernel 1x1, and the order of the
list comes from transposing the dense weights before looking for what is kept: no sorting.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet_kernels.indices import IndexRangeError, narrowed

from .conv2d_columns import check_conv2d

Order = Literal["row", "column"]


@dataclass(frozen=True, eq=False)
class Entries:
    """The kept weights of an (N, D) matrix: weight[rows[i], columns[i]] = values[i].

    shape          (N, D)
    rows, columns  (nnz,)  int32
    values         (nnz,)  float32
    """

    shape: tuple[int, int]
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]


def linear_entries(weight: ArrayLike, mask: ArrayLike | None, by: Order) -> Entries:
    """List the kept weights of a fully connected layer.

    weight  (N, D)  any float
    mask    (N, D)  bool, True keeps a weight even when it is zero; or None
    by      "row" or "column"
    """
    weight = np.asarray(weight)
    if weight.ndim != 2 or min(weight.shape) < 1:
        raise ValueError(f"expected weights of shape (N, D), neither zero, got {weight.shape}")
    if mask is None:
        return conv2d_entries(weight[:, :, None, None], 1, None, by)
    mask = np.asarray(mask)
    _check_mask_shape(weight, mask)
    return conv2d_entries(weight[:, :, None, None], 1, mask[:, :, None, None], by)


def conv2d_entries(weight: ArrayLike, groups: int, mask: ArrayLike | None, by: Order) -> Entries:
    """List the kept weights of a convolution; columns are numbered as `conv2d_columns` says.

    weight  (N, C / G, kh, kw)  any float
    mask    (N, C / G, kh, kw)  bool, True keeps a weight even when it is zero; or None
    by      "row" (columns rise within a row) or "column" (rows rise within a column)
    """
    weight, kept = np.asarray(weight), None if mask is None else np.asarray(mask)
    check_conv2d(weight.shape, groups)
    check_weight_count(weight.size)
    with np.errstate(over="ignore"):  # what overflows float32 is refused as not finite when the format is validated
        weight = weight.astype(np.float32, copy=False)
    if kept is not None:
        _check_mask_shape(weight, kept)
        _check_nothing_lost(weight, kept)
    return _by_row(weight, groups, kept) if by == "row" else _by_column(weight, groups, kept)


def check_weight_count(count: int) -> None:
    """Raise IndexRangeError unless the positions of so many weights, zeros too, fit int32."""
    if count >= 2**31:
        what = f"expected fewer than 2**31 weights where zeros are skipped (positions are int32), got {count}"
        raise IndexRangeError(f"{what}; split the layer, or use a dense kernel")


def _by_column(weight: NDArray[np.float32], groups: int, kept: NDArray[np.bool_] | None) -> Entries:
    N, channels, kh, kw = weight.shape
    order = (3, 4, 0, 2, 1)  # ky, kx, group, channel, output of the group
    where, values = _kept(weight, kept, groups, order)
    columns, rows = np.divmod(where, N // groups)
    rows += columns // channels % groups * (N // groups)
    return _entries((N, kh * kw * channels * groups), rows, columns, values)


def _by_row(weight: NDArray[np.float32], groups: int, kept: NDArray[np.bool_] | None) -> Entries:
    N, channels, kh, kw = weight.shape
    order = (0, 1, 3, 4, 2)  # group, output of the group, ky, kx, channel
    where, values = _kept(weight, kept, groups, order)
    rows, own_columns = np.divmod(where, kh * kw * channels)
    tap, channel = np.divmod(own_columns, channels)
    columns = (tap * groups + rows // (N // groups)) * channels + channel
    return _entries((N, kh * kw * channels * groups), rows, columns, values)


def _kept(
    weight: NDArray[np.float32], kept: NDArray[np.bool_] | None, groups: int, order: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the kept weights, and their places, in the transposed and flattened array."""
    ordered = _flat(weight, groups, order)
    where = np.flatnonzero(ordered != 0 if kept is None else _flat(kept, groups, order))
    return where, ordered[where]


def _flat(array: NDArray[Any], groups: int, order: tuple[int, ...]) -> NDArray[Any]:
    """Split (N, C / G, kh, kw) into (G, N / G, C / G, kh, kw), transpose and flatten."""
    N, channels, kh, kw = array.shape
    return array.reshape(groups, N // groups, channels, kh, kw).transpose(order).reshape(-1)


def _check_mask_shape(weight: NDArray[Any], mask: NDArray[Any]) -> None:
    if mask.dtype != np.bool_ or mask.shape != weight.shape:
        raise ValueError(f"expected a bool mask of the weights' shape {weight.shape}, got {mask.dtype} {mask.shape}")


def _check_nothing_lost(weight: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    lost = np.count_nonzero(weight[~mask])
    if lost:
        raise ValueError(f"the mask drops {lost} weights that are not zero; set them to zero or keep them in the mask")


def _entries(
    shape: tuple[int, int], rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float32]
) -> Entries:
    return Entries(shape, narrowed(rows, np.int32, "outputs"), narrowed(columns, np.int32, "inputs"), values)
