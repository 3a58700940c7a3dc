"""Blocks of one input by 16 outputs: for kernels that add whole vectors of weights for each active input."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet_kernels.indices import narrowed

from .arrays import Arrays, check_array, check_finite, check_shape, lock_arrays, rebuild, total_bytes
from .blocks4x16 import check_run_ends, check_steps
from .bytes import TILE, padded_size
from .compressed import lines_of, run_pointers
from .entries import Entries, conv2d_entries, linear_entries
from .shown import shown


@shown
@dataclass(frozen=True, eq=False)
class Blocks:
    """Weights column by column, 16 outputs at a time: an active input reads one run of (first output, 16 weights).

        weight          d=0   1   2   3          column    0       1   2   3
        outputs  0-15    A    .   C   .          starts  │ 0   32 │   │ 0 │ 16 │
        outputs 16-31    .    .   .   D          values  │ A   B  │   │ C │ D  │
        outputs 32-47    B    .   .   .                    ▲       ▲   ▲   ▲    ▲
                                                 indptr    0       2   2   3    4

        a block    output 0   output 1   …   output 15     each of them float32, read as one vector

    A block is stored when the mask keeps any weight in it; its other weights are zeros, and so are those behind the
    last output. A mask of whole blocks fills them; of a random mask of density 5 % they are 9 % full.
    The arrays are checked and made read-only views when an instance is made.

    Parameters
    ----------
    shape : (N, D)
        Outputs and inputs.
    nnz : int
        The number of kept weights.
    indptr : (D + 1,) int32
        Where the run of each input begins; 0 first, never decreasing.
    starts : (Z,) int32
        The first output of each block, a multiple of 16, rising in each run.
    values : (Z, 16) float32
        ``W[starts[z] + i, d] = values[z, i]`` for the blocks z of input d; finite.

    Raises
    ------
    ValueError
        If the arrays are malformed, as `validate_blocks` says.
    """

    shape: tuple[int, int]
    nnz: int
    indptr: NDArray[np.int32]
    starts: NDArray[np.int32]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        validate_blocks(self)
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
        return self.nnz / self.values.size if self.values.size else 1.0

    def arrays(self) -> Arrays:
        """Give the arrays by the names that kernels have for them."""
        return {"indptr": self.indptr, "tiles": self.tiles, "weights": self.values}

    @property
    def tiles(self) -> NDArray[np.uint8]:
        """Which 16 outputs each block has, in as few bytes (1, 2 or 4; the lowest first) as all tiles need: (Z, T)."""
        count = padded_size(self.shape[0], TILE) // TILE
        size = 1 if count <= 2**8 else 2 if count <= 2**16 else 4
        numbers = narrowed(self.starts // TILE, f"<u{size}", "tiles")
        return numbers.view(np.uint8).reshape(-1, size)

    def by_tile(self) -> "BlocksByTile":
        """Sort the blocks by their outputs, for kernels that finish 16 outputs before they begin the next."""
        order = np.argsort(self.starts, kind="stable")
        tiles = self.starts[order] // TILE
        pointers = run_pointers(tiles, padded_size(self.shape[0], TILE) // TILE)
        return BlocksByTile(pointers, lines_of(self.indptr)[order], self.values[order])


class BlocksByTile(NamedTuple):
    """Blocks sorted by their outputs, 16 after 16.

    Attributes
    ----------
    indptr : (P + 1,) int32
        Where the run of each 16 outputs begins.
    columns : (Z,) int32
        The input of each block, rising in each run.
    weights : (Z, 16) float32
    """

    indptr: NDArray[np.int32]
    columns: NDArray[np.int32]
    weights: NDArray[np.float32]

    def arrays(self) -> Arrays:
        """Give the arrays by the names that kernels have for them."""
        return self._asdict()


def pack_blocks(weight: ArrayLike, mask: ArrayLike | None = None) -> Blocks:
    """Pack the weights of a fully connected layer in blocks; any mask will do, one of whole blocks fills them.

    Parameters
    ----------
    weight : (N, D), any float
        Blocks of zeros are left out.
    mask : (N, D) bool, optional
        True keeps a weight even when it is zero; every non-zero weight must be kept.

    Raises
    ------
    ValueError
        If a weight is not finite in float32, an axis is empty, or the mask does not fit.

    Examples
    --------
    >>> packed = pack_blocks([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    >>> packed.indptr.tolist(), packed.starts.tolist(), packed.values[:, :3].tolist(), packed.fill
    ([0, 1, 2], [0, 0], [[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]], 0.09375)
    """
    return _lay_out(linear_entries(weight, mask, by="column"))


def pack_blocks_conv2d(weight: ArrayLike, groups: int = 1, mask: ArrayLike | None = None) -> Blocks:
    """Pack the weights of a convolution in blocks; tap (ky, kx) of input channel c is column (ky * kw + kx) * C + c.

    Parameters
    ----------
    weight : (N, C / G, kh, kw), any float
        Blocks of zeros are left out.
    groups : int
        The number of groups G; blocks and columns count the outputs and channels of the whole layer.
    mask : (N, C / G, kh, kw) bool, optional
        True keeps a weight even when it is zero; every non-zero weight must be kept.

    Raises
    ------
    ValueError
        If a weight is not finite in float32, an axis is empty, or the groups or the mask do not fit.

    Examples
    --------
    >>> packed = pack_blocks_conv2d([[[[1.0, 2.0]]], [[[0.0, 4.0]]]])
    >>> packed.shape, packed.indptr.tolist(), packed.values[:, :2].tolist()
    ((2, 2), [0, 1, 2], [[1.0, 0.0], [2.0, 4.0]])
    """
    return _lay_out(conv2d_entries(weight, groups, mask, by="column"))


def unpack_blocks(packed: Blocks) -> NDArray[np.float32]:
    """Return the weights as an ordinary matrix (N, D) float32; `conv2d_weight` folds it for a convolution.

    Examples
    --------
    >>> unpack_blocks(pack_blocks([[1.0, 0.0], [2.0, 0.0]]))
    array([[1., 0.],
           [2., 0.]], dtype=float32)
    """
    N, D = packed.shape
    wide = np.zeros((padded_size(N, TILE) // TILE, TILE, D), np.float32)
    wide[packed.starts // TILE, :, lines_of(packed.indptr)] = packed.values
    return wide.reshape(-1, D)[:N]


def validate_blocks(packed: Blocks) -> None:
    """Check shapes, dtypes and order of the arrays, every index and every value.

    Raises
    ------
    ValueError
        At the first thing wrong: what was expected and what came.
    TypeError
        If a field is not an array.

    Examples
    --------
    >>> validate_blocks(pack_blocks([[1.0, 0.0]]))
    """
    check_shape(packed.shape)
    N, D = packed.shape
    check_run_ends(packed.indptr, D, packed.starts)
    check_array("values", packed.values, np.float32, (packed.starts.size, TILE))
    check_steps("starts", packed.starts, TILE, padded_size(N, TILE))
    _check_rising(packed)
    check_finite("values", packed.values)
    if packed.values[packed.starts + TILE > N, N % TILE :].any():
        raise ValueError(f"expected values of 0 beyond {N} outputs, got others")
    stored = np.count_nonzero(packed.values)
    if not stored <= packed.nnz <= packed.values.size:
        raise ValueError(f"expected nnz to count the kept weights, got {packed.nnz} for {stored} that are not zero")


def _check_rising(packed: Blocks) -> None:
    order = lines_of(packed.indptr).astype(np.int64) * padded_size(packed.shape[0], TILE) + packed.starts
    if (np.diff(order) <= 0).any():
        raise ValueError("expected rising starts in each run; pack the weights anew")


def _lay_out(entries: Entries) -> Blocks:
    """Gather entries, which come column by column with rising rows, in the blocks that hold any."""
    N, D = entries.shape
    tiles = padded_size(N, TILE) // TILE
    places = entries.columns.astype(np.int64) * tiles + entries.rows // TILE
    begins = np.diff(places, prepend=-1) != 0
    values = np.zeros((np.count_nonzero(begins), TILE), np.float32)
    values[np.cumsum(begins) - 1, entries.rows % TILE] = entries.values
    columns, kept_tiles = np.divmod(places[begins], tiles)
    starts = narrowed(kept_tiles * TILE, np.int32, "first outputs of blocks")
    return Blocks(entries.shape, entries.values.size, run_pointers(columns, D), starts, values)
