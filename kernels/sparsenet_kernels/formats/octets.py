"""Eight-bit convolutions whose outputs share channels: sets of eight channels, and rows of filters on them.

    filter of outputs 0-15   channels 3, 9, 10, 11, 20, 40, 41, 63   →  set 0
              outputs 16-31  channels 0 … 7 and 8 … 15               →  sets 1 and 2

    image               position 0      position 1                  set 0    p0 p1 p2 p3 …      each eight bytes
    64 bytes each       c0 c1 … c63     c0 c1 … c63 …       →       set 1    p0 p1 p2 p3 …
                                                                    set 2    p0 p1 p2 p3 …

    the taps (ky, 0) to (ky, 4) of a set are 40 neighbouring bytes of it: one row of an AMX tile

A tile holds the weights of 16 outputs for one row of a filter on one set. A set belongs to 64 channels, from which one
instruction chooses eight sets at each position; blocks of outputs that need the same channels share it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet_kernels.indices import check_index, narrowed

from .arrays import Arrays, check_array, check_range, lock_arrays, rebuild, total_bytes
from .compressed import lines_of, run_pointers
from .shown import shown
from .tiles import CHANNEL_PADDING, TILE_OUTPUTS, output_blocks
from .tiles_conv2d import padded_conv2d_matrix

OCTET = 8
"""Channels of a set."""


@shown
@dataclass(frozen=True, eq=False)
class Octets:
    """The kept rows of filters, run by run for each block of 16 outputs, and the sets of channels they lie on.

    The arrays are checked and made read-only views when an instance is made.

    Parameters
    ----------
    outputs : int
        N.
    kernel : (int, int)
        Height and width of the filters.
    tables : (T,) int32
        The first of the 64 channels in memory that the sets 8 t to 8 t + 7 choose from.
    chosen : (T, 64) uint8
        Which channels those sets take, eight each, 0 to 63.
    indptr : (P + 1,) int32
        Where the run of each block begins. P is ceil(N / 64) * 4.
    sets, rows : (Z,) int32
        The set and the row of the filter (ky) of each tile, rising in each run.
    weights : (Z, 2 * kw, 16, 4) int8
        ``weights[z, 2 * kx + c // 4, n % 16, c % 4]`` for tap (rows[z], kx) of channel c of the set.

    Raises
    ------
    ValueError
        If the arrays are malformed, as `validate_octets` says.
    """

    outputs: int
    kernel: tuple[int, int]
    tables: NDArray[np.int32]
    chosen: NDArray[np.uint8]
    indptr: NDArray[np.int32]
    sets: NDArray[np.int32]
    rows: NDArray[np.int32]
    weights: NDArray[np.int8]

    def __post_init__(self) -> None:
        validate_octets(self)
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

    @property
    def set_count(self) -> int:
        """How many sets kernels write: up to the last that is used, rounded up to a multiple of four."""
        used = int(self.sets.max()) + 1 if self.sets.size else 0
        return -(-used // 4) * 4

    def arrays(self, image: tuple[int, int], dilation: int = 1) -> Arrays:
        """Give the arrays by the names that kernels have for them, for an image of this height and width, padded."""
        names = ("tables", "chosen", "indptr", "weights")
        return {name: getattr(self, name) for name in names} | {"offsets": octet_offsets(self, image, dilation)}


def pack_octets(weight: ArrayLike, channels: int, groups: int = 1) -> Octets:
    """Find the channels that each 16 outputs read, cut them into sets of eight, and keep the rows with a weight.

    Any mask will do. One under which 16 outputs read the same few channels, at whichever taps, takes few sets.

    Parameters
    ----------
    weight : (N, C / G, kh, kw) int8
    channels : int
        Channels of the image in memory, a multiple of 64.
    groups : int
        The number of groups G.

    Raises
    ------
    ValueError
        If the weights are not int8, or the channels or the groups do not fit.

    Examples
    --------
    >>> weight = np.zeros((16, 64, 5, 5), np.int8)
    >>> weight[:, [3, 9, 10, 11, 20, 40, 41, 63]] = 1
    >>> packed = pack_octets(weight, channels=64)
    >>> packed.chosen[0, :8].tolist(), packed.rows.tolist(), packed.weights.shape, packed.fill
    ([3, 9, 10, 11, 20, 40, 41, 63], [0, 1, 2, 3, 4], (5, 10, 16, 4), 1.0)
    """
    if channels < 1 or channels % CHANNEL_PADDING:
        raise ValueError(f"expected channels in memory to be a multiple of {CHANNEL_PADDING}, got {channels}")
    matrix = padded_conv2d_matrix(weight, channels, groups)
    kh, kw = (int(size) for size in np.shape(weight)[2:])
    N, P = len(matrix), output_blocks(len(matrix))
    filters = np.zeros((P * TILE_OUTPUTS, kh, kw, channels), np.int8)
    filters[:N] = matrix.reshape(N, kh, kw, channels)
    blocks = filters.reshape(P, TILE_OUTPUTS, kh, kw, channels)
    sets = _all_sets(blocks.any(axis=(1, 2, 3)))
    tables, chosen, numbers = _eights(sets)
    parts = [_tiles_of(blocks[p], mine, numbers) for p, mine in enumerate(sets)]
    runs = np.repeat(np.arange(P), [len(part[0]) for part in parts])
    places, rows, weights = (np.concatenate([part[i] for part in parts]) for i in range(3))
    pointers = run_pointers(runs, P)
    places, rows = narrowed(places, np.int32, "sets"), narrowed(rows, np.int32, "rows of filters")
    return Octets(N, (kh, kw), tables, chosen, pointers, places, rows, weights)


def unpack_octets(packed: Octets, channels: int) -> NDArray[np.int8]:
    """Return the filters (N, channels, kh, kw) int8, with all channels of the image in memory.

    Examples
    --------
    >>> unpack_octets(pack_octets(np.ones((1, 1, 1, 2), np.int8), channels=64), channels=64)[0, :2, 0].tolist()
    [[1, 1], [0, 0]]
    """
    kh, kw = packed.kernel
    wide = np.zeros((output_blocks(packed.outputs), TILE_OUTPUTS, kh, kw, channels), np.int8)
    taken = packed.tables.repeat(OCTET)[:, None] + packed.chosen.reshape(-1, OCTET)
    tiles = packed.weights.reshape(-1, kw, 2, TILE_OUTPUTS, 4).transpose(0, 3, 1, 2, 4).reshape(-1, 16, kw, OCTET)
    for block, octet, row, tile in zip(lines_of(packed.indptr), packed.sets, packed.rows, tiles, strict=True):
        for i, channel in enumerate(taken[octet]):  # a set that is not full repeats a channel, with zeros
            wide[block, :, row, :, channel] += tile[:, :, i]
    return np.ascontiguousarray(wide.reshape(-1, kh, kw, channels)[: packed.outputs].transpose(0, 3, 1, 2))


def octet_offsets(packed: Octets, image: tuple[int, int], dilation: int = 1) -> NDArray[np.int32]:
    """Find at which byte of the sets of an image the first output finds each tile's row of a filter.

    Parameters
    ----------
    packed : Octets
    image : (int, int)
        Height and width with the padding.
    dilation : int
        Rows from one row of the filter to the next.

    Returns
    -------
    (Z,) int32

    Examples
    --------
    >>> packed = pack_octets(np.ones((1, 9, 2, 1), np.int8), channels=64)
    >>> octet_offsets(packed, (3, 4)).tolist()
    [0, 32, 96, 128]
    """
    height, width = image
    places = packed.sets.astype(np.int64) * (height * width) + packed.rows.astype(np.int64) * (dilation * width)
    return narrowed(places * OCTET, np.int32, "bytes from the first set to a filter's row")


def check_sets(count: int, image: tuple[int, int]) -> None:
    """Raise IndexRangeError unless every byte of so many sets of an image, its padding included, fits int32."""
    what = f"bytes in {count} sets of eight channels"
    check_index(count * image[0] * image[1] * OCTET, np.int32, what, "use another kernel, or a smaller image")


def validate_octets(packed: Octets) -> None:
    """Check shapes, dtypes and order of the arrays, and every position.

    Raises
    ------
    ValueError
        At the first thing wrong: what was expected and what came.
    TypeError
        If a field is not an array.

    Examples
    --------
    >>> validate_octets(pack_octets(np.ones((1, 1, 1, 1), np.int8), channels=64))
    """
    kh, kw = packed.kernel
    if packed.outputs < 1 or min(kh, kw) < 1:
        raise ValueError(f"expected outputs and filters, got {packed.outputs} of {kh} x {kw}")
    P = output_blocks(packed.outputs)
    check_array("indptr", packed.indptr, np.int32, (P + 1,))
    if packed.indptr[0] != 0 or (np.diff(packed.indptr) < 0).any():
        raise ValueError(f"expected indptr to start at 0 and never to decrease, got {packed.indptr.tolist()}")
    Z, T = int(packed.indptr[-1]), len(packed.chosen)
    for name, end in (("sets", OCTET * T), ("rows", kh)):
        check_array(name, getattr(packed, name), np.int32, (Z,))
        check_range(name, getattr(packed, name), 0, end)
    check_array("tables", packed.tables, np.int32, (T,))
    check_array("chosen", packed.chosen, np.uint8, (T, CHANNEL_PADDING))
    check_array("weights", packed.weights, np.int8, (Z, 2 * kw, TILE_OUTPUTS, 4))
    if (packed.tables < 0).any() or (packed.tables % CHANNEL_PADDING).any():
        raise ValueError(f"expected tables to be multiples of {CHANNEL_PADDING}, got {packed.tables.tolist()}")
    if (packed.chosen >= CHANNEL_PADDING).any():
        raise ValueError(f"expected chosen channels below {CHANNEL_PADDING}, got {packed.chosen.max()}")
    order = (lines_of(packed.indptr).astype(np.int64) * (OCTET * T) + packed.sets) * kh + packed.rows
    if (np.diff(order) <= 0).any():
        raise ValueError("expected rising sets and rows in each block's run; pack the weights anew")


Set = tuple[int, ...]


def _all_sets(read: NDArray[np.bool_]) -> list[list[Set]]:
    """Cut the channels that each block reads, (P, channels), into sets of eight out of the same 64."""
    blocks = []
    for channels in read:
        tables = np.flatnonzero(channels) // CHANNEL_PADDING
        mine: list[Set] = []
        for table in np.unique(tables):
            own = np.flatnonzero(channels)[tables == table].tolist()
            mine += [tuple(own[i : i + OCTET]) for i in range(0, len(own), OCTET)]
        blocks.append(mine)
    return blocks


def _eights(sets: list[list[Set]]) -> tuple[NDArray[np.int32], NDArray[np.uint8], dict[Set, int]]:
    """Give the different sets numbers, so that eight neighbours choose from the same 64 channels."""
    numbers: dict[Set, int] = {}
    tables: list[int] = []
    for table in sorted({one[0] // CHANNEL_PADDING for mine in sets for one in mine}):
        own = sorted({one for mine in sets for one in mine if one[0] // CHANNEL_PADDING == table})
        numbers |= {one: OCTET * len(tables) + i for i, one in enumerate(own)}
        tables += [table * CHANNEL_PADDING] * -(-len(own) // OCTET)
    chosen = np.zeros((len(tables) * OCTET, OCTET), np.uint8)
    for one, number in numbers.items():
        filled = one + one[:1] * (OCTET - len(one))
        chosen[number] = [channel % CHANNEL_PADDING for channel in filled]
    return narrowed(tables, np.int32, "first channels of tables"), chosen.reshape(-1, CHANNEL_PADDING), numbers


def _tiles_of(
    block: NDArray[np.int8], mine: list[Set], numbers: dict[Set, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]:
    """Cut the filters of 16 outputs, (16, kh, kw, channels), into tiles: their sets, rows and weights."""
    _, kh, kw, _ = block.shape
    tiles = np.zeros((len(mine), kh, TILE_OUTPUTS, kw, OCTET), np.int8)
    for i, one in enumerate(mine):
        tiles[i, ..., : len(one)] = block[..., list(one)].transpose(1, 0, 2, 3)
    octet, row = np.nonzero(tiles.any(axis=(2, 3, 4)))
    kept = tiles[octet, row].reshape(-1, TILE_OUTPUTS, kw, 2, 4).transpose(0, 2, 3, 1, 4)
    places = np.array([numbers[one] for one in mine], np.int64)[octet] if mine else octet
    return places, row, np.ascontiguousarray(kept).reshape(-1, 2 * kw, TILE_OUTPUTS, 4)
