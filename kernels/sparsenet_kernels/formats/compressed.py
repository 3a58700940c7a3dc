"""What compressed columns and compressed rows have in common: pointers to runs of rising indices."""

import numpy as np
from numpy.typing import NDArray

from sparsenet_kernels.indices import narrowed

from .arrays import check_array, check_finite, check_range


def run_pointers(lines: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return where the run of each line begins, and the end: (count + 1,) int32.

    lines  (nnz,)  int32  the line (row or column) of each entry, rising
    """
    ends = np.cumsum(np.bincount(lines, minlength=count))
    return narrowed(np.concatenate([[0], ends]), np.int32, "stored weights or blocks")


def lines_of(indptr: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the line of each entry, the inverse of `run_pointers`: (nnz,) int32."""
    return np.repeat(narrowed(np.arange(indptr.size - 1), np.int32, "lines"), np.diff(indptr))


def check_runs(
    name: str,
    indptr: NDArray[np.int32],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    lines: int,
    count: int,
) -> None:
    """Raise ValueError unless `lines` runs of rising indices below `count` fill the arrays exactly."""
    check_array("indptr", indptr, np.int32, (lines + 1,))
    _check_pointers(indptr)
    nnz = int(indptr[-1])
    check_array(name, indices, np.int32, (nnz,))
    check_array("values", values, np.float32, (nnz,))
    check_range(name, indices, 0, count)
    _check_rising(name, indptr, indices)
    check_finite("values", values)


def _check_pointers(indptr: NDArray[np.int32]) -> None:
    if indptr[0] != 0:
        raise ValueError(f"expected indptr to start at 0, got {indptr[0]}")
    falls = indptr[1:] < indptr[:-1]
    if falls.any():
        at = int(falls.argmax())
        raise ValueError(f"expected indptr never to decrease, got {indptr[at]} then {indptr[at + 1]} at {at}")


def _check_rising(name: str, indptr: NDArray[np.int32], indices: NDArray[np.int32]) -> None:
    """Raise ValueError where an index repeats or falls within its run (from one run to the next it may)."""
    wrong = indices[1:] <= indices[:-1]
    begins = indptr[(indptr > 0) & (indptr < indices.size)]
    wrong[begins - 1] = False
    if wrong.any():
        at = int(wrong.argmax())
        line = int(np.searchsorted(indptr, at, side="right")) - 1
        raise ValueError(f"expected rising {name} in each run, got {indices[at]} then {indices[at + 1]} in run {line}")
