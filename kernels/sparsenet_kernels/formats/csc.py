"""Compressed columns: each input's weights in one run, for kernels that walk the active inputs."""

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
class Csc:
    """Weights column by column: one active input reads one contiguous run of (output, value).

        weight     d=0  1  2  3            column   0       1     2   3
            n=0     a   .  .  d            rows    │ 0   2 │ 1   │   │ 0   2 │
            n=1     .   c  .  .            values  │ a   b │ c   │   │ d   e │
            n=2     b   .  .  e                    ▲       ▲     ▲   ▲       ▲
                                           indptr  0       2     3   3       5

    The outputs that input d reaches are rows[indptr[d]:indptr[d + 1]]; an input without weights has an empty run.
    The arrays are checked and made read-only views when an instance is made.

    Parameters
    ----------
    shape : (N, D)
        Outputs and inputs.
    indptr : (D + 1,) int32
        Where the run of each input begins; 0 first, nnz last, never decreasing.
    rows : (nnz,) int32
        Outputs, rising in each run.
    values : (nnz,) float32
        Weights, finite; a zero is a weight that the mask keeps.

    Raises
    ------
    ValueError
        If the arrays are malformed, as `validate_csc` says.
    """

    shape: tuple[int, int]
    indptr: NDArray[np.int32]
    rows: NDArray[np.int32]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        validate_csc(self)
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
        return {"indptr": self.indptr, "rows": self.rows, "weights": self.values}


def pack_csc(weight: ArrayLike, mask: ArrayLike | None = None) -> Csc:
    """Pack the weights of a fully connected layer by columns.

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
    >>> packed = pack_csc([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    >>> packed.indptr.tolist(), packed.rows.tolist()
    ([0, 2, 3], [0, 1, 2])
    """
    return _lay_out(linear_entries(weight, mask, by="column"))


def pack_csc_conv2d(weight: ArrayLike, groups: int = 1, mask: ArrayLike | None = None) -> Csc:
    """Pack the weights of a convolution by columns; tap (ky, kx) of input channel c is column (ky * kw + kx) * C + c.

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
    >>> packed = pack_csc_conv2d([[[[1.0, 2.0]]], [[[0.0, 4.0]]]], groups=2)
    >>> packed.shape, packed.indptr.tolist(), packed.rows.tolist()
    ((2, 4), [0, 1, 1, 2, 3], [0, 0, 1])
    """
    return _lay_out(conv2d_entries(weight, groups, mask, by="column"))


def unpack_csc(packed: Csc) -> NDArray[np.float32]:
    """Return the weights as an ordinary matrix (N, D) float32; `conv2d_weight` folds it for a convolution.

    Examples
    --------
    >>> unpack_csc(pack_csc([[1.0, 0.0], [2.0, 0.0]]))
    array([[1., 0.],
           [2., 0.]], dtype=float32)
    """
    weight = np.zeros(packed.shape, dtype=np.float32)
    weight[packed.rows, lines_of(packed.indptr)] = packed.values
    return weight


def validate_csc(packed: Csc) -> None:
    """Check shapes, dtypes and order of the arrays, every index and every value.

    Raises
    ------
    ValueError
        At the first thing wrong: what was expected and what came.
    TypeError
        If a field is not an array.

    Examples
    --------
    >>> validate_csc(pack_csc([[1.0, 0.0]]))
    """
    check_shape(packed.shape)
    N, D = packed.shape
    check_runs("rows", packed.indptr, packed.rows, packed.values, lines=D, count=N)


def _lay_out(entries: Entries) -> Csc:
    pointers = run_pointers(entries.columns, entries.shape[1])
    return Csc(entries.shape, pointers, entries.rows, entries.values)
