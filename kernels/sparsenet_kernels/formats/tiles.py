"""Eight-bit weights in tiles: 16 outputs by so many inputs as one instruction multiplies.

    weight        inputs 0-3    4-7    8-11   12-15          kept tiles, one after the other
    outputs 0-15  │  A   │  .   │  B   │  .   │              A  B  │  C
           16-31  │  .   │  .   │  .   │  C   │              ▲     ▲     ▲
                                                     indptr  0     2     3        columns  0  8  │  12

Four inputs make the tile of the byte products of vector registers, 64 that of AMX. A tile without a weight is left out,
so whatever a mask clears in whole tiles is neither stored nor multiplied; a dense layer keeps them all. Inside a tile,
four neighbouring inputs of one output are neighbours:

    weights[z, i // 4, n % 16, i % 4]   for input columns[z] + i
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet_kernels.indices import narrowed

from .arrays import Arrays, check_array, check_range, check_shape, lock_arrays, rebuild, total_bytes
from .compressed import lines_of, run_pointers
from .shown import shown

TILE_OUTPUTS = 16
"""Outputs of a tile: the 32-bit sums of one vector register."""

VECTOR_DEPTH, AMX_DEPTH = 4, 64
"""Inputs of a tile: as many as one byte product of vector registers takes, and as one of AMX."""

CHANNEL_PADDING = 64
"""Bytes that the channels of an eight-bit image are padded to a multiple of."""


def output_blocks(N: int) -> int:
    """Return how many blocks of 16 the outputs of an eight-bit image take in memory.

    Examples
    --------
    >>> output_blocks(65)
    8
    """
    return -(-N // CHANNEL_PADDING) * (CHANNEL_PADDING // TILE_OUTPUTS)


@shown
@dataclass(frozen=True, eq=False)
class Tiles:
    """The kept tiles of an eight-bit matrix, run by run for each block of 16 outputs.

    The arrays are checked and made read-only views when an instance is made.

    Parameters
    ----------
    shape : (N, D)
        Outputs and inputs.
    depth : int
        Inputs of a tile, a multiple of 4 that divides D.
    indptr : (P + 1,) int32
        Where the run of each block begins. P is ceil(N / 64) * 4: as many blocks as the padded outputs have.
    columns : (Z,) int32
        The first input of each tile, a multiple of the depth, rising in each run.
    weights : (Z, depth / 4, 16, 4) int8
        Zeros behind the N-th output.

    Raises
    ------
    ValueError
        If the arrays are malformed, as `validate_tiles` says.
    """

    shape: tuple[int, int]
    depth: int
    indptr: NDArray[np.int32]
    columns: NDArray[np.int32]
    weights: NDArray[np.int8]

    def __post_init__(self) -> None:
        validate_tiles(self)
        lock_arrays(self)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return rebuild(self)

    @property
    def nnz(self) -> int:
        """The number of weights that are not zero."""
        return int(np.count_nonzero(self.weights))

    @property
    def size_bytes(self) -> int:
        """The bytes of all arrays."""
        return total_bytes(self)

    @property
    def fill(self) -> float:
        """The fraction of stored slots that hold a weight; 1 where nothing is stored."""
        return self.nnz / self.weights.size if self.weights.size else 1.0

    def arrays(self) -> Arrays:
        """Give the arrays by the names that kernels have for them."""
        return {"indptr": self.indptr, "columns": self.columns, "weights": self.weights}


def pack_tiles(weight: ArrayLike, depth: int) -> Tiles:
    """Keep the tiles of a matrix that hold a weight.

    Parameters
    ----------
    weight : (N, D) int8
        Its zeros are the sparsity; D is a multiple of the depth.
    depth : int
        Inputs of a tile: 4 for vector registers, 64 for AMX.

    Raises
    ------
    ValueError
        If the weights are not int8, an axis is empty, or the depth does not fit.

    Examples
    --------
    >>> packed = pack_tiles(np.eye(16, dtype=np.int8), depth=4)
    >>> packed.columns.tolist(), packed.indptr.tolist(), packed.fill
    ([0, 4, 8, 12], [0, 4, 4, 4, 4], 0.0625)
    """
    weight = np.asarray(weight)
    if weight.dtype != np.int8 or weight.ndim != 2:
        raise ValueError(f"expected weights (N, D) of int8, got {weight.dtype} of shape {weight.shape}")
    N, D = weight.shape
    _check_depth((N, D), depth)
    padded = np.zeros((output_blocks(N) * TILE_OUTPUTS, D), np.int8)
    padded[:N] = weight
    tiles = padded.reshape(output_blocks(N), TILE_OUTPUTS, D // depth, depth // 4, 4).transpose(0, 2, 3, 1, 4)
    block, tile = np.nonzero(tiles.any(axis=(2, 3, 4)))
    pointers = run_pointers(block, output_blocks(N))
    columns = narrowed(tile * depth, np.int32, "first inputs of tiles")
    return Tiles((N, D), depth, pointers, columns, np.ascontiguousarray(tiles[block, tile]))


def unpack_tiles(packed: Tiles) -> NDArray[np.int8]:
    """Return the weights as an ordinary matrix (N, D) int8.

    Examples
    --------
    >>> unpack_tiles(pack_tiles(np.eye(2, 4, dtype=np.int8), depth=4))
    array([[1, 0, 0, 0],
           [0, 1, 0, 0]], dtype=int8)
    """
    N, D = packed.shape
    tiles = np.zeros((output_blocks(N), D // packed.depth, packed.depth // 4, TILE_OUTPUTS, 4), np.int8)
    tiles[lines_of(packed.indptr), packed.columns // packed.depth] = packed.weights
    return np.ascontiguousarray(tiles.transpose(0, 3, 1, 2, 4).reshape(-1, D)[:N])


def validate_tiles(packed: Tiles) -> None:
    """Check shapes, dtypes and order of the arrays, and every position.

    Raises
    ------
    ValueError
        At the first thing wrong: what was expected and what came.
    TypeError
        If a field is not an array.

    Examples
    --------
    >>> validate_tiles(pack_tiles(np.eye(4, dtype=np.int8), depth=4))
    """
    check_shape(packed.shape)
    _check_depth(packed.shape, packed.depth)
    N, D = packed.shape
    check_array("indptr", packed.indptr, np.int32, (output_blocks(N) + 1,))
    _check_pointers(packed.indptr)
    Z = int(packed.indptr[-1])
    check_array("columns", packed.columns, np.int32, (Z,))
    check_array("weights", packed.weights, np.int8, (Z, packed.depth // 4, TILE_OUTPUTS, 4))
    check_range("columns", packed.columns, 0, D)
    if (packed.columns % packed.depth).any():
        raise ValueError(f"expected columns to be multiples of the depth {packed.depth}")
    _check_rising(packed)
    _check_padding(packed)


def _check_pointers(indptr: NDArray[np.int32]) -> None:
    if indptr[0] != 0 or (np.diff(indptr) < 0).any():
        raise ValueError(f"expected indptr to start at 0 and never to decrease, got {indptr.tolist()}")


def _check_rising(packed: Tiles) -> None:
    places = lines_of(packed.indptr).astype(np.int64) * packed.shape[1] + packed.columns
    if (np.diff(places) <= 0).any():
        raise ValueError("expected rising columns in each block's run")


def _check_padding(packed: Tiles) -> None:
    outputs = lines_of(packed.indptr)[:, None] * TILE_OUTPUTS + np.arange(TILE_OUTPUTS)
    behind = packed.weights.any(axis=(1, 3)) & (outputs >= packed.shape[0])
    if behind.any():
        raise ValueError(f"expected zeros behind output {packed.shape[0] - 1}, got weights of {outputs[behind][0]}")


def _check_depth(shape: tuple[int, int], depth: int) -> None:
    if depth < 4 or depth % 4 or shape[1] % depth or not shape[1]:
        raise ValueError(f"expected a depth that is a multiple of 4 and divides {shape[1]} inputs, got {depth}")
