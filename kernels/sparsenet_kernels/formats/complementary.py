"""Complementary sets: several sparse kernels that share no input, laid over each other into one dense one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet_kernels.indices import narrowed

from .arrays import check_array, check_finite, check_range, check_shape, first_of, lock_arrays, rebuild, total_bytes
from .entries import Entries, conv2d_entries, linear_entries
from .first_fit import fit_sets, overlapping_inputs
from .shown import shown


@shown
@dataclass(frozen=True, eq=False)
class Complementary:
    """Weights overlaid in S sets: one active input reads one row of S (output, value) pairs, always S.

        weight     d=0  1  2  3     set        outputs  s=0   1      values  s=0   1
            n=0     a   .  b  .      0             d=0   0    2          d=0  a    e
            n=1     .   c  .  d      0             d=1   1    2          d=1  c    f
            n=2     e   f  .  .      1             d=2   0   -1          d=2  b    0
            n=3     .   .  .  g      1             d=3   1    3          d=3  d    g

    Memory holds both tables row by row. Slot (d, s) is the weight that set s has at input d, and the output that it
    belongs to; -1 and 0 mark a slot that no output of the set uses. In one set at most one output uses an input, and
    each output belongs to one set: so all outputs in a row are distinct, and a kernel may scatter a whole row at once.
    The arrays are checked and made read-only views when an instance is made.

    Source: Hunter, Spracklen and Ahmad, Two Sparsities Are Better Than One, arXiv 2112.13896.

    Parameters
    ----------
    shape : (N, D)
        Outputs and inputs.
    outputs : (D, S) int32
        The output of each slot, or -1 for an empty one.
    values : (D, S) float32
        The weight of each slot, finite; 0 in an empty one.
    sets : (N,) int32
        The set of each output.

    Raises
    ------
    ValueError
        If the arrays are malformed, as `validate_complementary` says.
    """

    shape: tuple[int, int]
    outputs: NDArray[np.int32]
    values: NDArray[np.float32]
    sets: NDArray[np.int32]

    def __post_init__(self) -> None:
        validate_complementary(self)
        lock_arrays(self)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return rebuild(self)

    @property
    def nnz(self) -> int:
        """The number of kept weights."""
        return int(np.count_nonzero(self.outputs >= 0))

    @property
    def size_bytes(self) -> int:
        """The bytes of all arrays."""
        return total_bytes(self)

    @property
    def fill(self) -> float:
        """The fraction of slots that hold a weight: nnz / (D * S)."""
        return self.nnz / self.outputs.size

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give the arrays by the names that kernels have for them."""
        return {"outputs": self.outputs, "weights": self.values}


def pack_complementary(
    weight: ArrayLike, sets: ArrayLike | None = None, mask: ArrayLike | None = None
) -> Complementary:
    """Overlay the weights of a fully connected layer; any mask fits, at worst with one output per set.

    Parameters
    ----------
    weight : (N, D), any float
        Its zeros are left out.
    sets : (N,) integers, optional
        The set of each output, as the mask was built; without it the sets are searched for (first fit).
    mask : (N, D) bool, optional
        True keeps a weight even when it is zero; every non-zero weight must be kept.

    Raises
    ------
    ValueError
        If a weight is not finite in float32, an axis is empty, or the mask or the sets do not fit.

    Examples
    --------
    >>> packed = pack_complementary([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
    >>> packed.sets.tolist(), packed.outputs.tolist(), packed.fill
    ([0, 0, 1], [[0, 2], [1, 2]], 1.0)
    """
    return _lay_out(linear_entries(weight, mask, by="column"), sets)


def pack_complementary_conv2d(
    weight: ArrayLike, groups: int = 1, sets: ArrayLike | None = None, mask: ArrayLike | None = None
) -> Complementary:
    """Overlay the weights of a convolution; tap (ky, kx) of input channel c is input (ky * kw + kx) * C + c.

    Parameters
    ----------
    weight : (N, C / G, kh, kw), any float
        Its zeros are left out.
    groups : int
        The number of groups G; outputs of different groups never share an input and may share a set.
    sets : (N,) integers, optional
        The set of each output, as the mask was built; without it the sets are searched for (first fit).
    mask : (N, C / G, kh, kw) bool, optional
        True keeps a weight even when it is zero; every non-zero weight must be kept.

    Raises
    ------
    ValueError
        If a weight is not finite in float32, an axis is empty, or the groups, the mask or the sets do not fit.

    Examples
    --------
    >>> packed = pack_complementary_conv2d([[[[1.0, 2.0]]], [[[0.0, 4.0]]]], groups=2)
    >>> packed.shape, packed.outputs.ravel().tolist()
    ((2, 4), [0, -1, 0, 1])
    """
    return _lay_out(conv2d_entries(weight, groups, mask, by="column"), sets)


def unpack_complementary(packed: Complementary) -> NDArray[np.float32]:
    """Return the weights as an ordinary matrix (N, D) float32; `conv2d_weight` folds it for a convolution.

    Examples
    --------
    >>> unpack_complementary(pack_complementary([[1.0, 0.0], [0.0, 2.0]]))
    array([[1., 0.],
           [0., 2.]], dtype=float32)
    """
    weight = np.zeros(packed.shape, dtype=np.float32)
    used = packed.outputs >= 0
    weight[packed.outputs[used], np.nonzero(used)[0]] = packed.values[used]
    return weight


def overlaps(mask: ArrayLike, sets: ArrayLike) -> int:
    """Count the (set, input) pairs that more than one output of the set uses; 0 says that the mask packs.

    Parameters
    ----------
    mask : (N, D)
        What is kept: non-zero or True. `conv2d_matrix` makes it from the mask of a convolution.
    sets : (N,) integers
        The set of each output, 0 <= set < N.

    Raises
    ------
    ValueError
        If `mask` has not two axes, or `sets` is not one set per output.

    Examples
    --------
    >>> overlaps([[1, 0, 1], [0, 1, 1]], [0, 0]), overlaps([[1, 0, 1], [0, 1, 1]], [0, 1])
    (1, 0)
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"expected a mask of shape (N, D), got {mask.shape}")
    rows, columns = np.nonzero(mask)
    return overlapping_inputs(rows, columns, _checked_sets(sets, mask.shape[0]), mask.shape[1])


def validate_complementary(packed: Complementary) -> None:
    """Check shapes and dtypes of the arrays, every output, set and value; that no output comes twice in a row.

    Raises
    ------
    ValueError
        At the first thing wrong: what was expected and what came.
    TypeError
        If a field is not an array.

    Examples
    --------
    >>> validate_complementary(pack_complementary([[1.0, 0.0]]))
    """
    check_shape(packed.shape)
    N, D = packed.shape
    S = packed.outputs.shape[-1] if getattr(packed.outputs, "ndim", 0) == 2 else 1
    check_array("outputs", packed.outputs, np.int32, (D, max(S, 1)))
    check_array("values", packed.values, np.float32, (D, S))
    check_array("sets", packed.sets, np.int32, (N,))
    check_range("outputs", packed.outputs, -1, N)
    check_range("sets", packed.sets, 0, S)
    check_finite("values", packed.values)
    _check_slots(packed)


def _check_slots(packed: Complementary) -> None:
    """Raise ValueError where a slot holds an output of another set, or an empty slot holds a weight."""
    empty = packed.outputs < 0
    foreign = ~empty & (packed.sets[packed.outputs] != np.arange(packed.outputs.shape[1]))
    if foreign.any():
        slot = first_of("outputs", packed.outputs, foreign)
        raise ValueError(f"expected each output once per row, in the column of its own set, got {slot}")
    stray = empty & (packed.values != 0)
    if stray.any():
        raise ValueError(f"expected 0 in empty slots, got {first_of('values', packed.values, stray)}")


def _lay_out(entries: Entries, sets: ArrayLike | None) -> Complementary:
    N, D = entries.shape
    chosen = fit_sets(entries) if sets is None else _given_sets(entries, _checked_sets(sets, N))
    outputs = np.full((D, int(chosen.max()) + 1), -1, dtype=np.int32)
    values = np.zeros(outputs.shape, dtype=np.float32)
    slots = chosen[entries.rows]
    outputs[entries.columns, slots] = entries.rows
    values[entries.columns, slots] = entries.values
    return Complementary(entries.shape, outputs, values, chosen)


def _given_sets(entries: Entries, sets: NDArray[np.int32]) -> NDArray[np.int32]:
    shared = overlapping_inputs(entries.rows, entries.columns, sets, entries.shape[1])
    if shared:
        raise ValueError(
            f"expected outputs of one set to share no input, got {shared} shared; leave `sets` out to have sets found"
        )
    return sets


def _checked_sets(sets: ArrayLike, N: int) -> NDArray[np.int32]:
    sets = np.asarray(sets)
    if sets.shape != (N,) or not np.issubdtype(sets.dtype, np.integer):
        raise ValueError(f"expected one integer set for each of {N} outputs, got {sets.dtype} of shape {sets.shape}")
    check_range("sets", sets, 0, N)
    return narrowed(sets, np.int32, "sets")
