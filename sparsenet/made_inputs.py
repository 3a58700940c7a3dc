"""The inputs that a network is timed on where nobody gives any: random numbers, others in every call.

A kernel that branches looks fast on an input that it has learnt.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt

__all__ = ["LARGEST_INPUTS", "MOST_CALLS", "calls_of", "calls_to_make", "made_inputs", "noise"]

FloatArray = npt.NDArray[np.float32]

MOST_CALLS, LARGEST_INPUTS = 64, 2**22
"""Calls that inputs are made for: how many at most, and how many numbers in all."""


def noise(shape: Sequence[int], seed: int = 0) -> FloatArray:
    """Make random numbers from -1 to 1, float32.

    Examples
    --------
    >>> noise((2, 3)).shape, bool(abs(noise((100,))).max() <= 1)
    ((2, 3), True)
    """
    x = np.random.default_rng(seed).random(tuple(shape), np.float32)
    x *= 2
    x -= 1
    return x


def made_inputs(shape: Sequence[int], samples: int, most: int = MOST_CALLS) -> FloatArray:
    """Make inputs for several calls: (calls, samples, *shape) float32, from -1 to 1.

    Parameters
    ----------
    shape : sequence of int
        Of one sample.
    samples : int
        Of one call.
    most : int
        Calls, at most; one call so large that no cache keeps it is made alone.

    Examples
    --------
    >>> made_inputs((4,), 2).shape, made_inputs((2**21,), 2).shape
    ((64, 2, 4), (1, 2, 2097152))
    """
    return noise((calls_to_make(samples * prod(shape), most), samples, *shape))


def calls_to_make(elements: int, most: int = MOST_CALLS) -> int:
    """Return how many calls of so many numbers inputs are made for.

    Examples
    --------
    >>> calls_to_make(8), calls_to_make(2**20), calls_to_make(2**23)
    (64, 4, 1)
    """
    return max(1, min(most, LARGEST_INPUTS // elements))


def calls_of(examples: FloatArray, samples: int) -> list[FloatArray]:
    """Cut examples (n, *shape) into calls (samples, *shape), each beginning at another example.

    Examples
    --------
    >>> [call.ravel().tolist() for call in calls_of(np.arange(3)[:, None], 2)]
    [[0, 1], [1, 2], [2, 0]]
    """
    starts = range(0, len(examples), max(1, len(examples) // MOST_CALLS))
    return [examples[(np.arange(samples) + start) % len(examples)] for start in starts]
