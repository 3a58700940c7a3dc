"""Random choices for masks, the same on every machine and with every version of NumPy.

NumPy promises that the raw bits of a bit generator never change. It does not promise this for the methods that turn
bits into numbers and orders, so those are written out here.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["Bits", "bits_of", "chosen", "orders", "shuffled"]

Bits = Callable[[tuple[int, ...]], npt.NDArray[np.uint64]]
"""Draws an array of 64 random bits each."""


def bits_of(seed: int) -> Bits:
    """Return a source of random bits.

    Parameters
    ----------
    seed : int

    Examples
    --------
    >>> bits_of(0)((2,)).tolist()
    [11749869230777074271, 4976686463289251617]
    """
    generator = np.random.PCG64(seed)

    def draw(shape: tuple[int, ...]) -> npt.NDArray[np.uint64]:
        return np.asarray(generator.random_raw(shape), np.uint64)

    return draw


def below(bits: Bits, count: int, bound: int) -> npt.NDArray[np.int64]:
    """Draw whole numbers from 0 to below a bound; their probabilities differ relatively by at most bound / 2**32."""
    scaled = (bits((count,)) >> np.uint64(32)) * np.uint64(bound) >> np.uint64(32)
    return scaled.astype(np.int64)


def chosen(bits: Bits, rows: int, width: int, count: int) -> npt.NDArray[np.bool_]:
    """Choose the same number of places in each row; all choices have the same probability.

    Parameters
    ----------
    bits : Bits
    rows, width : int
        The shape of the answer.
    count : int
        Places to choose in each row, 0 to ``width``.

    Returns
    -------
    (rows, width) bool
        Work: what is the fewer of chosen and left out, times the rows.
        Source: Floyd's algorithm, in Bentley, Programming Pearls: A sample of brilliance, CACM 30(9), 1987.

    Examples
    --------
    >>> chosen(bits_of(0), 3, 8, 2).sum(axis=1).tolist()
    [2, 2, 2]
    """
    if 2 * count > width:
        return ~chosen(bits, rows, width, width - count)
    keep = np.zeros((rows, width), bool)
    row = np.arange(rows)
    for last in range(width - count, width):
        place = below(bits, rows, last + 1)
        place = np.where(keep[row, place], last, place)
        keep[row, place] = True
    return keep


def shuffled(bits: Bits, numbers: npt.NDArray[np.uint64], largest: int) -> npt.NDArray[np.uint64]:
    """Put random bits above whole numbers; sorting the result puts the numbers in random order."""
    low = np.uint64((1 << largest.bit_length()) - 1)
    return bits(numbers.shape) & ~low | numbers


def orders(bits: Bits, rows: int, width: int) -> npt.NDArray[np.int64]:
    """Put the numbers from 0 to below ``width`` in a random order for each row: (rows, width) int64.

    Examples
    --------
    >>> orders(bits_of(0), 2, 4).tolist()
    [[3, 2, 1, 0], [2, 3, 0, 1]]
    """
    places = np.broadcast_to(np.arange(width, dtype=np.uint64), (rows, width))
    largest = max(width - 1, 0)
    low = np.uint64((1 << largest.bit_length()) - 1)
    return (np.sort(shuffled(bits, places, largest), axis=1) & low).astype(np.int64)
