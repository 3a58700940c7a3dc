"""Eight-bit weights before they are packed: checked, and padded to whole vectors.

Kernels read 64 inputs and 16 outputs at a time. Inputs are therefore padded to a multiple of 64 and outputs to one of
16; a padded input meets a weight of 0.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet_kernels.indices import IndexRangeError, narrowed

from .arrays import check_shape

TABLE = 64
"""Inputs that one vector register holds."""

TILE = 16
"""Outputs whose 32-bit sums one vector register holds."""

LARGEST_SUM = 2**31 - 1


def padded_size(count: int, step: int) -> int:
    """Return the next multiple of a step.

    Examples
    --------
    >>> padded_size(65, 64)
    128
    """
    return -(-count // step) * step


def byte_weights(weight: ArrayLike, mask: ArrayLike | None) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Check the weights of a fully connected layer and its mask.

    weight   (N, D)  whole numbers from -128 to 127
    mask     (N, D)  bool, True keeps a weight even when it is zero; or None
    returns  the weights as int8, and which are kept

    Raises
    ------
    ValueError
        If a weight is no int8, an axis is empty, a sum of products could leave int32, or the mask does not fit.
    """
    given = np.asarray(weight)
    if given.ndim != 2:
        raise ValueError(f"expected weights of shape (N, D), got {given.shape}")
    check_shape((given.shape[0], given.shape[1]))
    weights = _as_int8(given)
    check_sums(weights)
    return weights, weights != 0 if mask is None else _checked_mask(weights, np.asarray(mask))


def check_sums(weights: NDArray[np.int8]) -> None:
    """Raise ValueError unless the sums of every output stay within int32, whatever the inputs."""
    largest = 255 * np.abs(weights.astype(np.int64)).sum(axis=1)
    if (largest > LARGEST_SUM).any():
        n = int(largest.argmax())
        raise ValueError(
            f"expected sums within int32, but output {n} may reach {largest[n]}; split the layer or use smaller weights"
        )


def padded_to_tiles(numbers: ArrayLike) -> NDArray[np.float32]:
    """Pad one number for each output with zeros to whole tiles of 16.

    Examples
    --------
    >>> padded_to_tiles([0.5, 2.0]).shape
    (16,)
    """
    given = np.asarray(numbers, np.float32)
    padded = np.zeros(padded_size(given.size, TILE), np.float32)
    padded[: given.size] = given
    return padded


def pack_dense_i8(weight: ArrayLike) -> NDArray[np.int8]:
    """Lay all weights of a fully connected layer out in tiles of 16 outputs, four inputs at a time.

        weight   tile 0             group 0   output 0: inputs 0 1 2 3, output 1: inputs 0 1 2 3, … output 15
                                    group 1   output 0: inputs 4 5 6 7, …

    Parameters
    ----------
    weight : (N, D), whole numbers from -128 to 127

    Returns
    -------
    (T, G, 64) int8
        ``weight[16 * t + n, 4 * g + i] = packed[t, g, 4 * n + i]``; T tiles of 16 outputs, G groups of four inputs, a
        multiple of 16.

    Raises
    ------
    ValueError
        If a weight is no int8, an axis is empty, or a sum of products could leave int32.

    Examples
    --------
    >>> packed = pack_dense_i8([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]])
    >>> packed.shape, packed[0, 0, :8].tolist()
    ((1, 16, 64), [1, 2, 3, 4, 6, 7, 8, 9])
    """
    return tiled(byte_weights(weight, None)[0])


def tiled(matrix: NDArray[Any]) -> NDArray[Any]:
    """Pad an (N, D) matrix and cut it into (T, G, 64) tiles of 16 outputs by four inputs."""
    N, D = matrix.shape
    wide = np.zeros((padded_size(N, TILE), padded_size(D, TABLE)), matrix.dtype)
    wide[:N, :D] = matrix
    tiles = wide.reshape(-1, TILE, wide.shape[1] // 4, 4).swapaxes(1, 2)
    return np.ascontiguousarray(tiles).reshape(len(tiles), -1, 4 * TILE)


def _as_int8(given: NDArray[Any]) -> NDArray[np.int8]:
    try:
        return narrowed(given, np.int8, "weights")
    except IndexRangeError:
        raise ValueError("expected weights to be whole numbers from -128 to 127; quantize them first") from None


def _checked_mask(weights: NDArray[np.int8], mask: NDArray[Any]) -> NDArray[np.bool_]:
    if mask.dtype != np.bool_ or mask.shape != weights.shape:
        raise ValueError(f"expected a bool mask of the weights' shape {weights.shape}, got {mask.dtype} {mask.shape}")
    lost = np.count_nonzero(weights[~mask])
    if lost:
        raise ValueError(f"the mask drops {lost} weights that are not zero; set them to zero or keep them in the mask")
    return mask
