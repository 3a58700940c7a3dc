"""Eight-bit convolutions as tiles or lookups over the bytes of a window, and where in an image a window's bytes lie."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet_kernels.indices import check_index, narrowed

from .arrays import Arrays
from .conv2d_columns import conv2d_matrix
from .lookup import Lookup, pack_lookup
from .tiles import CHANNEL_PADDING, TILE_OUTPUTS, Tiles, output_blocks, pack_tiles

Pair = tuple[int, int]


def pack_tiles_conv2d(weight: ArrayLike, channels: int, depth: int, groups: int = 1) -> Tiles:
    """Keep the tiles of a convolution; tap (ky, kx) of channel c is input (ky * kw + kx) * channels + c.

    Parameters
    ----------
    weight : (N, C / G, kh, kw) int8
    channels : int
        Channels of the image in memory: C, padded to a multiple of the depth (in general of :data:`CHANNEL_PADDING`).
    depth : int
        Inputs of a tile: 4 for vector registers, 64 for AMX.
    groups : int
        The number of groups G; the tiles of other groups are left out.

    Raises
    ------
    ValueError
        If the weights are not int8, or the channels, the depth or the groups do not fit.

    Examples
    --------
    >>> packed = pack_tiles_conv2d(np.ones((8, 3, 5, 5), np.int8), channels=64, depth=64)
    >>> packed.shape, packed.weights.shape
    ((8, 1600), (25, 16, 16, 4))
    """
    return pack_tiles(padded_conv2d_matrix(weight, channels, groups), depth)


def padded_conv2d_matrix(weight: ArrayLike, channels: int, groups: int = 1) -> NDArray[np.int8]:
    """Lay filters out as a matrix whose columns are the bytes of a window: the channels as they lie in memory.

    Parameters
    ----------
    weight : (N, C / G, kh, kw) int8
    channels : int
        Channels of the image in memory: C or more.
    groups : int
        The number of groups G.

    Returns
    -------
    (N, kh * kw * channels) int8
        Input (ky * kw + kx) * channels + c is tap (ky, kx) of channel c.

    Raises
    ------
    ValueError
        If the weights are not int8, or the channels or the groups do not fit.

    Examples
    --------
    >>> padded_conv2d_matrix(np.ones((1, 1, 1, 2), np.int8), channels=2)
    array([[1, 0, 1, 0]], dtype=int8)
    """
    weight = np.asarray(weight)
    if weight.dtype != np.int8:
        raise ValueError(f"expected weights of int8, got {weight.dtype}; quantize them first")
    matrix = conv2d_matrix(weight, groups)
    own = weight.shape[1] * groups
    if channels < own:
        raise ValueError(f"expected {own} channels or more, got {channels}")
    padded = np.zeros((len(matrix), matrix.shape[1] // own, channels), np.int8)
    padded[:, :, :own] = matrix.reshape(len(matrix), -1, own)
    return padded.reshape(len(matrix), -1)


def pack_lookup_conv2d(weight: ArrayLike, channels: int, groups: int = 1) -> Lookup:
    """Pack filters for lookups among the 64 channels of a tap, or of 64 of a tap's channels at a time.

    Parameters
    ----------
    weight : (N, C / G, kh, kw) int8
    channels : int
        Channels of the image in memory, a multiple of 64.
    groups : int
        The number of groups G.

    Returns
    -------
    Lookup
        With as many tiles as the padded outputs have: its shape counts them, a multiple of 64.

    Raises
    ------
    ValueError
        If the weights are not int8, or the channels or the groups do not fit.

    Examples
    --------
    >>> pack_lookup_conv2d(np.ones((3, 2, 1, 1), np.int8), channels=64).indptr.tolist()
    [0, 1, 1, 1, 1]
    """
    if channels % CHANNEL_PADDING:
        raise ValueError(f"expected channels in memory to be a multiple of {CHANNEL_PADDING}, got {channels}")
    matrix = padded_conv2d_matrix(weight, channels, groups)
    padded = np.zeros((output_blocks(len(matrix)) * TILE_OUTPUTS, matrix.shape[1]), np.int8)
    padded[: len(matrix)] = matrix
    return pack_lookup(padded)


def tap_offsets(
    columns: NDArray[np.int32], channels: int, kernel_width: int, image_width: int, dilation: tuple[int, int] = (1, 1)
) -> NDArray[np.int32]:
    """Find how many bytes behind the corner of its window an output finds each tile's inputs.

    Parameters
    ----------
    columns : (Z,) int32
        First inputs, numbered as in `pack_tiles_conv2d`.
    channels : int
        Channels of the image in memory.
    kernel_width, image_width : int
        The image's width with its padding.
    dilation : (int, int)

    Returns
    -------
    (Z,) int32

    Examples
    --------
    >>> tap_offsets(np.array([0, 64, 320], np.int32), channels=64, kernel_width=5, image_width=14).tolist()
    [0, 64, 896]
    """
    tap, channel = np.divmod(columns.astype(np.int64), channels)
    y, x = (tap // kernel_width) * dilation[0], (tap % kernel_width) * dilation[1]
    return narrowed((y * image_width + x) * channels + channel, np.int32, "bytes from a window's corner to its inputs")


def window_arrays(
    packed: Tiles | Lookup, channels: int, kernel_width: int, image_width: int, dilation: Pair = (1, 1)
) -> Arrays:
    """Give the arrays of a packed convolution by the names that kernels have for them.

    Parameters
    ----------
    packed : Tiles or Lookup
    channels, kernel_width, image_width, dilation
        As for :func:`tap_offsets`, which finds ``offsets`` in a window where a matrix has columns.

    Examples
    --------
    >>> packed = pack_tiles_conv2d(np.ones((8, 3, 5, 5), np.int8), channels=64, depth=64)
    >>> {name: array.shape for name, array in window_arrays(packed, 64, 5, 14).items()}
    {'indptr': (5,), 'weights': (25, 16, 16, 4), 'offsets': (25,)}
    """
    arrays = packed.arrays()
    places = arrays.pop("columns") if isinstance(packed, Tiles) else arrays.pop("offsets")
    return arrays | {"offsets": tap_offsets(places, channels, kernel_width, image_width, dilation)}


def check_window(kernel: Pair, channels: int, image_width: int, dilation: Pair = (1, 1)) -> None:
    """Prove that every offset which `tap_offsets` may return for a window fits int32, before anything is packed.

    Parameters
    ----------
    kernel : (int, int)
        Height and width of the filters.
    channels : int
        Channels of the image in memory.
    image_width : int
        The image's width with its padding.
    dilation : (int, int)

    Raises
    ------
    IndexRangeError
        If one does not.

    Examples
    --------
    >>> check_window((3, 3), channels=64, image_width=14, dilation=(2, 2))
    """
    below, right = ((size - 1) * step for size, step in zip(kernel, dilation, strict=True))
    largest = (below * image_width + right + 1) * channels - 1
    what = f"bytes from the first to the last input of a window, {channels} for each pixel"
    check_index(largest, np.int32, what, "use a smaller dilation or image, or keep this layer in float32")


def pack_bias(bias: NDArray[np.int32], weight: NDArray[np.int8], shift: int) -> NDArray[np.int32]:
    """Pad the bias to whole blocks of outputs, and prove that no sum overflows.

    Parameters
    ----------
    bias : (N,) int32
    weight : (N, ...) int8
        The weights of each output.
    shift : int
        Places by which sums are shifted, 0 to 31; half of the last unit is added before.

    Returns
    -------
    (ceil(N / 64) * 64,) int32

    Raises
    ------
    ValueError
        If inputs exist (bytes from 0 to 255) with which a sum leaves int32, or the shift is out of range.

    Examples
    --------
    >>> pack_bias(np.array([7], np.int32), np.ones((1, 4), np.int8), shift=3).shape
    (64,)
    """
    if not 0 <= shift <= 31:
        raise ValueError(f"expected a shift from 0 to 31, got {shift}")
    N = len(bias)
    inputs = np.abs(weight.reshape(N, -1).astype(np.int64)).sum(axis=1) * 255
    largest = inputs + np.abs(bias.astype(np.int64)) + (1 << shift >> 1)
    if (largest >= 2**31).any():
        at = int(largest.argmax())
        raise ValueError(f"expected sums below 2**31, output {at} can reach {largest[at]}; use fewer inputs or bits")
    padded = np.zeros(output_blocks(N) * TILE_OUTPUTS, np.int32)
    padded[:N] = bias
    return padded
