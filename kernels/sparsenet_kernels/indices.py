"""Where numbers become indices of fewer bits: in one place, and never without a proof that they fit.

Kernels read offsets, positions and pointers as int32, because half the bytes are read for each weight. What leaves
int32 would point anywhere, so nothing is cast by itself: :func:`narrowed` looks at every number first, and
:func:`check_index` at the largest that a shape makes possible, before an array of that size exists. A test finds casts
that go around them.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["IndexRangeError", "check_index", "narrowed"]


class IndexRangeError(ValueError):
    """A size, an offset or a number that leaves the type in which kernels read it."""


def narrowed(values: ArrayLike, dtype: DTypeLike, what: str) -> NDArray[Any]:
    """Return whole numbers in a narrower type, which must hold every one of them.

    Parameters
    ----------
    values : array of whole numbers, of any dtype
    dtype : dtype
        An integer type.
    what : str
        What the numbers are, for the error.

    Returns
    -------
    array of ``dtype``
        Not a copy where the type is the same.

    Raises
    ------
    IndexRangeError
        When a number does not fit, or is not whole.

    Examples
    --------
    >>> narrowed([3, 2**31 - 1], np.int32, "offsets").tolist()
    [3, 2147483647]
    >>> narrowed([2**31], np.int32, "offsets")
    Traceback (most recent call last):
        ...
    sparsenet_kernels.indices.IndexRangeError: expected offsets from -2147483648 to 2147483647, got 2147483648
    """
    given, limits = np.asarray(values), np.iinfo(dtype)
    if given.size and not limits.min <= given.min() <= given.max() <= limits.max:
        outside = given.max() if given.max() > limits.max else given.min()
        raise IndexRangeError(f"expected {what} from {limits.min} to {limits.max}, got {outside}")
    if given.dtype.kind not in "iub" and not (given == np.rint(given)).all():
        raise IndexRangeError(f"expected {what} as whole numbers, got fractions")
    return given.astype(dtype, copy=False)


def check_index(largest: int, dtype: DTypeLike, what: str, instead: str) -> None:
    """Prove, from shapes alone, that the largest index fits the type in which a kernel reads it.

    Parameters
    ----------
    largest : int
    dtype : dtype
        An integer type.
    what : str
        What is counted, for the error.
    instead : str
        What to do where it does not fit.

    Raises
    ------
    IndexRangeError
        When it does not.

    Examples
    --------
    >>> check_index(2**31, np.int32, "bytes from a window's corner to its end", "make the image smaller")
    Traceback (most recent call last):
        ...
    sparsenet_kernels.indices.IndexRangeError: expected at most 2147483647 bytes from a window's corner to its end, \
got 2147483648; make the image smaller
    """
    most = int(np.iinfo(dtype).max)
    if largest > most:
        raise IndexRangeError(f"expected at most {most} {what}, got {largest}; {instead}")
