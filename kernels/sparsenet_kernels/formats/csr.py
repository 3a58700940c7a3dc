"""Compressed rows: each output's weights in one run, for kernels that gather from a dense input."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import Arrays, check_shape, lock_arrays, rebuild, total_bytes
from .compressed import check_runs, lines_of, run_pointers
from .entries import Entries, conv2d_entries, linear_entries
from .shown import shown


@shown
@dataclass(frozen=True, eq=False)
class Csr:
    """Weights row by row: one output reads one contiguous run of (input, value).

        weight     d=0  1  2  3            row      0       1   2       3
            n=0     a   .  .  b            columns  │ 0   3 │   │ 1   2 │ 0   │
            n=1     .   .  .  .            values   │ a   b │   │ c   d │ e   │
            n=2     .   c  d  .                     ▲       ▲   ▲       ▲     ▲
            n=3     e   .  .  .            indptr   0       2   2       4     5

    The inputs of output n are columns[indptr[n]:indptr[n + 1]]; an output without weights has an empty run.
    The arrays are checked and made read-only views when an instance is made.

    Parameters
    ----------
    shape : (N, D)
        Outputs and inputs.
    indptr : (N + 1,) int32
        Where the run of each output begins; 0 first, nnz last, never decreasing.
    columns : (nnz,) int32
        Inputs, rising in each run.
    values : (nnz,) float32
        Weights, finite; a zero is a weight that the mask keeps.

    Raises
    ------
    ValueError
        If the arrays are malformed, as `validate_csr` says.
    """

    shape: tuple[int, int]
    indptr: NDArray[np.int32]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        validate_csr(self)
        lock_arrays(self)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return rebuild(self)

    @property
    def nnz(self) -> int:
        """The number of kept weights."""
        return self.values.size

    @property
    def size_bytes(self) -> int:
        """The bytes of all arrays."""
        return total_bytes(self)

    @property
    def fill(self) -> float:
        """The fraction of stored slots that hold a weight: all of them."""
        return 1.0

    def arrays(self) -> Arrays:
        """Give the arrays by the names that kernels have for them."""
        return {"indptr": self.indptr, "columns": self.columns, "weights": self.values}


def pack_csr(weight: ArrayLike, mask: ArrayLike | None = None) -> Csr:
    """Pack the weights of a fully connected layer by rows.

    Parameters
    ----------
    weight : (N, D), any float
        Its zeros are left out.
    mask : (N, D) bool, optional
        True keeps a weight even when it is zero; every non-zero weight must be kept.

    Raises
    ------
    ValueError
        If a weight is not finite in float32, an axis is empty, or the mask does not fit.

    Examples
    --------
    >>> packed = pack_csr([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    >>> packed.indptr.tolist(), packed.columns.tolist()
    ([0, 1, 2, 3], [0, 0, 1])
    """
    return _lay_out(linear_entries(weight, mask, by="row"))


def pack_csr_conv2d(weight: ArrayLike, groups: int = 1, mask: ArrayLike | None = None) -> Csr:
    """Pack the weights of a convolution by rows; tap (ky, kx) of input channel c is column (ky * kw + kx) * C + c.

    Parameters
    ----------
    weight : (N, C / G, kh, kw), any float
        Its zeros are left out.
    groups : int
        The number of groups G; rows and columns count the outputs and channels of the whole layer.
    mask : (N, C / G, kh, kw) bool, optional
        True keeps a weight even when it is zero; every non-zero weight must be kept.

    Raises
    ------
    ValueError
        If a weight is not finite in float32, an axis is empty, or the groups or the mask do not fit.

    Examples
    --------
    >>> packed = pack_csr_conv2d([[[[1.0, 2.0]]], [[[0.0, 4.0]]]], groups=2)
    >>> packed.shape, packed.indptr.tolist(), packed.columns.tolist()
    ((2, 4), [0, 2, 3], [0, 2, 3])
    """
    return _lay_out(conv2d_entries(weight, groups, mask, by="row"))


def unpack_csr(packed: Csr) -> NDArray[np.float32]:
    """Return the weights as an ordinary matrix (N, D) float32; `conv2d_weight` folds it for a convolution.

    Examples
    --------
    >>> unpack_csr(pack_csr([[1.0, 0.0], [2.0, 0.0]]))
    array([[1., 0.],
           [2., 0.]], dtype=float32)
    """
    weight = np.zeros(packed.shape, dtype=np.float32)
    weight[lines_of(packed.indptr), packed.columns] = packed.values
    return weight


def validate_csr(packed: Csr) -> None:
    """Check shapes, dtypes and order of the arrays, every index and every value.

    Raises
    ------
    ValueError
        At the first thing wrong: what was expected and what came.
    TypeError
        If a field is not an array.

    Examples
    --------
    >>> validate_csr(pack_csr([[1.0, 0.0]]))
    """
    check_shape(packed.shape)
    N, D = packed.shape
    check_runs("columns", packed.indptr, packed.columns, packed.values, lines=N, count=D)


def _lay_out(entries: Entries) -> Csr:
    pointers = run_pointers(entries.rows, entries.shape[0])
    return Csr(entries.shape, pointers, entries.columns, entries.values)
