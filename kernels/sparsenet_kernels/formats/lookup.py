"""Lookups: for each output its own choice of four inputs out of 64, for kernels that permute bytes in a register."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet_kernels.indices import narrowed

from .arrays import Arrays, check_array, check_shape, lock_arrays, rebuild, total_bytes
from .blocks4x16 import check_run_ends, check_steps
from .bytes import TABLE, TILE, byte_weights, check_sums, padded_size
from .compressed import lines_of, run_pointers
from .shown import shown


@shown
@dataclass(frozen=True, eq=False)
class Lookup:
    """Eight-bit weights by tiles of 16 outputs: a group lets every output choose four of the same 64 inputs.

        tile 0 (outputs 0-15)            group 0                                           group 1
        table    inputs   0 …  63        offset 0                                          offset 64
                                         indices  │ 5 9 40 41 │ 0 1 2 3 │ … │ 7 0 0 0 │    …
                                         weights  │ a b c  d  │ e f g h │ … │ i 0 0 0 │
                                                    output 0    output 1      output 15

    An output that keeps four weights or fewer of a table's 64 inputs needs one group of that table, one that keeps five
    needs two, and the hungriest of the 16 decides. The tile's groups are offsets[indptr[t]:indptr[t + 1]]. Unused slots
    have index 0 and weight 0. The arrays are checked and made read-only views when an instance is made.

    Parameters
    ----------
    shape : (N, D)
        Outputs and inputs.
    nnz : int
        The number of kept weights.
    indptr : (T + 1,) int32
        Where the groups of each tile begin; 0 first, never decreasing.
    offsets : (Z,) int32
        The first input of each group's table, a multiple of 64.
    indices : (Z, 64) uint8
        Positions in the table, 0 to 63.
    weights : (Z, 64) int8
        ``W[16 * t + n, offsets[z] + indices[z, 4 * n + i]] = weights[z, 4 * n + i]`` for the groups z of tile t.

    Raises
    ------
    ValueError
        If the arrays are malformed, as `validate_lookup` says.
    """

    shape: tuple[int, int]
    nnz: int
    indptr: NDArray[np.int32]
    offsets: NDArray[np.int32]
    indices: NDArray[np.uint8]
    weights: NDArray[np.int8]

    def __post_init__(self) -> None:
        validate_lookup(self)
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
        return {"indptr": self.indptr, "offsets": self.offsets, "indices": self.indices, "weights": self.weights}


def pack_lookup(weight: ArrayLike, mask: ArrayLike | None = None) -> Lookup:
    """Pack the weights of a fully connected layer for lookups.

    Any mask will do. One that keeps four of every 64 inputs fills all slots; a random one of the same density fills
    two in five.

    Parameters
    ----------
    weight : (N, D), whole numbers from -128 to 127
        Its zeros are left out.
    mask : (N, D) bool, optional
        True keeps a weight even when it is zero; every non-zero weight must be kept.

    Raises
    ------
    ValueError
        If a weight is no int8, an axis is empty, a sum of products could leave int32, or the mask does not fit.

    Examples
    --------
    >>> packed = pack_lookup([[0, 7, 0, 8, 9, 0, 10, 11]])
    >>> packed.indices[:, :4].tolist(), packed.weights[:, :4].tolist()
    ([[1, 3, 4, 6], [7, 0, 0, 0]], [[7, 8, 9, 10], [11, 0, 0, 0]])
    """
    weights, kept = byte_weights(weight, mask)
    N, D = weights.shape
    tiles, tables = padded_size(N, TILE) // TILE, padded_size(D, TABLE) // TABLE
    wide = np.zeros((tiles * TILE, tables * TABLE), bool)
    wide[:N, :D] = kept
    places = wide.reshape(tiles, TILE, tables, TABLE)
    depth = -(-places.sum(axis=3).max(axis=1) // 4)  # groups of each tile and table
    first = np.cumsum(depth).reshape(depth.shape) - depth
    tile, output, table, index = np.nonzero(places)
    turn = (places.cumsum(axis=3) - 1)[places]  # the how-manieth of its output in this table
    group, slot = first[tile, table] + turn // 4, 4 * output + turn % 4
    indices, packed = (np.zeros((int(depth.sum()), 4 * TILE), dtype) for dtype in (np.uint8, np.int8))
    indices[group, slot] = index
    packed[group, slot] = weights[tile * TILE + output, table * TABLE + index]
    offsets = np.repeat(np.tile(np.arange(tables) * TABLE, tiles), depth.ravel())
    of_tile = np.repeat(np.arange(tiles), depth.sum(axis=1))
    offsets = narrowed(offsets, np.int32, "first inputs of tables")
    return Lookup((N, D), int(kept.sum()), run_pointers(of_tile, tiles), offsets, indices, packed)


def unpack_lookup(packed: Lookup) -> NDArray[np.int8]:
    """Return the weights as an ordinary matrix (N, D) int8.

    Examples
    --------
    >>> unpack_lookup(pack_lookup([[1, 0], [0, -2]]))
    array([[ 1,  0],
           [ 0, -2]], dtype=int8)
    """
    N, D = packed.shape
    return _wide(packed)[:N, :D]


def validate_lookup(packed: Lookup) -> None:
    """Check shapes and dtypes of the arrays, every index, and that sums stay within int32.

    Raises
    ------
    ValueError
        At the first thing wrong: what was expected and what came.
    TypeError
        If a field is not an array.

    Examples
    --------
    >>> validate_lookup(pack_lookup([[1, 0]]))
    """
    check_shape(packed.shape)
    N, D = packed.shape
    check_run_ends(packed.indptr, padded_size(N, TILE) // TILE, packed.offsets)
    slots = (packed.offsets.size, 4 * TILE)
    check_array("indices", packed.indices, np.uint8, slots)
    check_array("weights", packed.weights, np.int8, slots)
    check_steps("offsets", packed.offsets, TABLE, padded_size(D, TABLE))
    if (packed.indices >= TABLE).any():
        raise ValueError(f"expected indices below {TABLE}, got {packed.indices.max()}")
    _check_weights(packed)


def _check_weights(packed: Lookup) -> None:
    """Check what the slots say together: no weight twice, none outside of the layer, as many as `nnz` says."""
    N, D = packed.shape
    wide, used = _wide(packed), np.count_nonzero(packed.weights)
    if np.count_nonzero(wide) != used:  # np.unique of all places took 2 s for 1500 x 1600 weights
        raise ValueError("expected one slot for each weight, got several; pack the weights anew")
    if wide[N:].any() or wide[:, D:].any():
        raise ValueError(f"expected weights of 0 beyond {N} outputs and {D} inputs, got others")
    if not used <= packed.nnz <= packed.weights.size:
        raise ValueError(f"expected nnz to count the kept weights, got {packed.nnz} for {used}")
    check_sums(wide)


def _entries(packed: Lookup) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]]:
    """Return row, column and weight of every slot, (Z, 64) each."""
    rows = lines_of(packed.indptr)[:, None] * TILE + np.arange(4 * TILE, dtype=np.int32) // 4
    return rows, packed.offsets[:, None] + packed.indices, packed.weights


def _wide(packed: Lookup) -> NDArray[np.int8]:
    """Return the padded matrix."""
    N, D = packed.shape
    rows, columns, weights = _entries(packed)
    wide = np.zeros((padded_size(N, TILE), padded_size(D, TABLE)), np.int8)
    used = weights != 0
    wide[rows[used], columns[used]] = weights[used]
    return wide
