"""Blocks of four inputs by 16 outputs: for kernels that walk the groups of four inputs with an active one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet_kernels.indices import narrowed

from .arrays import Arrays, check_array, check_range, check_shape, lock_arrays, rebuild, total_bytes
from .bytes import TABLE, TILE, byte_weights, check_sums, padded_size, tiled
from .compressed import lines_of, run_pointers
from .shown import shown


@shown
@dataclass(frozen=True, eq=False)
class Blocks4x16:
    """Eight-bit weights group by group of four inputs: a group reads one run of blocks, each a vector of 64 weights.

        weight          inputs 0-3   4-7   8-11 …         group      0         1   2
        outputs  0-15      A          .     C             starts  │ 0   32 │    │ 0 │
        outputs 16-31      .          .     .             weights │ A   B  │    │ C │
        outputs 32-47      B          .     .                       ▲         ▲   ▲     ▲
                                                          indptr    0         2   2     3

        a block    output 0: inputs 0 1 2 3   output 1: inputs 0 1 2 3   …   output 15: inputs 0 1 2 3

    A block is stored when the mask keeps any weight in it; its other weights are zeros. The arrays are checked and made
    read-only views when an instance is made.

    Parameters
    ----------
    shape : (N, D)
        Outputs and inputs.
    nnz : int
        The number of kept weights.
    indptr : (G + 1,) int32
        Where the run of each group begins; 0 first, never decreasing. G is D / 4, padded to a multiple of 16.
    starts : (Z,) int32
        The first output of each block, a multiple of 16, rising in each run.
    weights : (Z, 64) int8
        ``W[starts[z] + n, 4 * g + i] = weights[z, 4 * n + i]`` for the blocks z of group g.

    Raises
    ------
    ValueError
        If the arrays are malformed, as `validate_blocks4x16` says.
    """

    shape: tuple[int, int]
    nnz: int
    indptr: NDArray[np.int32]
    starts: NDArray[np.int32]
    weights: NDArray[np.int8]

    def __post_init__(self) -> None:
        validate_blocks4x16(self)
        lock_arrays(self)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return rebuild(self)

    @property
    def size_bytes(self) -> int:
        """The bytes of all arrays."""
        return total_bytes(self)

    @property
    def fill(self) -> float:
        """The fraction of stored slots that hold a kept weight; 1 when nothing is stored."""
        return self.nnz / self.weights.size if self.weights.size else 1.0

    def arrays(self) -> Arrays:
        """Give the arrays by the names that kernels have for them."""
        return {"indptr": self.indptr, "starts": self.starts, "weights": self.weights}


def pack_blocks4x16(weight: ArrayLike, mask: ArrayLike | None = None) -> Blocks4x16:
    """Pack the weights of a fully connected layer in blocks; any mask will do, one of whole blocks fills them.

    Parameters
    ----------
    weight : (N, D), whole numbers from -128 to 127
        Blocks of zeros are left out.
    mask : (N, D) bool, optional
        True keeps a weight even when it is zero; every non-zero weight must be kept.

    Raises
    ------
    ValueError
        If a weight is no int8, an axis is empty, a sum of products could leave int32, or the mask does not fit.

    Examples
    --------
    >>> packed = pack_blocks4x16([[1, 2, 0, 0, 0, 0], [0, 0, 0, 4, 0, 0]])
    >>> packed.starts.tolist(), packed.weights[0, :8].tolist(), packed.fill
    ([0], [1, 2, 0, 0, 0, 0, 0, 4], 0.046875)
    """
    weights, kept = byte_weights(weight, mask)
    blocks = tiled(weights).swapaxes(0, 1)  # by group, then tile
    groups, tiles = np.nonzero(tiled(kept).swapaxes(0, 1).any(axis=2))
    shape = (weights.shape[0], weights.shape[1])
    starts = narrowed(tiles * TILE, np.int32, "first outputs of blocks")
    return Blocks4x16(shape, int(kept.sum()), run_pointers(groups, len(blocks)), starts, blocks[groups, tiles])


def unpack_blocks4x16(packed: Blocks4x16) -> NDArray[np.int8]:
    """Return the weights as an ordinary matrix (N, D) int8.

    Examples
    --------
    >>> unpack_blocks4x16(pack_blocks4x16([[1, 0], [0, -2]]))
    array([[ 1,  0],
           [ 0, -2]], dtype=int8)
    """
    N, D = packed.shape
    return _wide(packed)[:N, :D]


def validate_blocks4x16(packed: Blocks4x16) -> None:
    """Check shapes, dtypes and order of the arrays, every index, and that sums stay within int32.

    Raises
    ------
    ValueError
        At the first thing wrong: what was expected and what came.
    TypeError
        If a field is not an array.

    Examples
    --------
    >>> validate_blocks4x16(pack_blocks4x16([[1, 0]]))
    """
    check_shape(packed.shape)
    N, D = packed.shape
    groups, outputs = padded_size(D, TABLE) // 4, padded_size(N, TILE)
    check_run_ends(packed.indptr, groups, packed.starts)
    check_array("weights", packed.weights, np.int8, (packed.starts.size, 4 * TILE))
    check_steps("starts", packed.starts, TILE, outputs)
    _check_rising(packed)
    wide = _wide(packed)
    if wide[N:].any() or wide[:, D:].any():
        raise ValueError(f"expected weights of 0 beyond {N} outputs and {D} inputs, got others")
    if not np.count_nonzero(wide) <= packed.nnz <= packed.weights.size:
        raise ValueError(f"expected nnz to count the kept weights, got {packed.nnz} for {np.count_nonzero(wide)}")
    check_sums(wide)


def check_run_ends(indptr: Any, runs: int, entries: Any) -> None:
    """Raise unless `indptr` cuts the entries, an int32 array of any size, into so many runs."""
    check_array("indptr", indptr, np.int32, (runs + 1,))
    if indptr[0] != 0 or (np.diff(indptr) < 0).any():
        raise ValueError("expected indptr to start at 0 and never to decrease; pack the weights anew")
    check_array("the entries of the runs", entries, np.int32, (int(indptr[-1]),))


def check_steps(name: str, places: NDArray[np.int32], step: int, end: int) -> None:
    """Raise ValueError unless all places are multiples of a step from 0 to below the end."""
    check_range(name, places, 0, end)
    if (places % step).any():
        raise ValueError(f"expected {name} to be multiples of {step}, got {places[(places % step).argmax()]}")


def _check_rising(packed: Blocks4x16) -> None:
    order = lines_of(packed.indptr).astype(np.int64) * padded_size(packed.shape[0], TILE) + packed.starts
    if (np.diff(order) <= 0).any():
        raise ValueError("expected rising starts in each run; pack the weights anew")


def _wide(packed: Blocks4x16) -> NDArray[np.int8]:
    """Return the padded matrix."""
    N, D = packed.shape
    tiles, groups = padded_size(N, TILE) // TILE, padded_size(D, TABLE) // 4
    wide = np.zeros((tiles, TILE, groups, 4), np.int8)
    wide[packed.starts // TILE, :, lines_of(packed.indptr)] = packed.weights.reshape(-1, TILE, 4)
    return wide.reshape(tiles * TILE, groups * 4)
