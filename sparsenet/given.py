"""Read arrays as callers give them: lists, other libraries' arrays, any byte order. Refuse all else with a reason."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError

__all__ = ["given_array", "real_array"]

REAL = "fiub"
"""NumPy's letters for the kinds of real numbers."""


def given_array(values: Any, what: str) -> npt.NDArray[Any]:
    """Turn a value into a NumPy array of any element type.

    Parameters
    ----------
    values : array_like
    what : str
        What was expected, for the message.

    Raises
    ------
    SparsenetError
        When NumPy cannot read it, as lists of different lengths, or elements of it are masked.

    Examples
    --------
    >>> given_array([[1, 2], [3]], "weights")
    Traceback (most recent call last):
    ...
    sparsenet.errors.SparsenetError: expected weights, got a list of which NumPy makes no array; lists of other lengths?
    """
    if np.ma.is_masked(values):
        raise SparsenetError(f"expected {what}, got an array with masked values; fill them first")
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        kind = type(values).__name__
        hint = "lists of other lengths?" if isinstance(values, list | tuple) else str(error).splitlines()[0]
        raise SparsenetError(f"expected {what}, got a {kind} of which NumPy makes no array; {hint}") from None


def real_array(values: Any, what: str = "an array of real numbers") -> npt.NDArray[Any]:
    """Turn a value into a NumPy array of real numbers.

    Raises
    ------
    TypeError
        When it holds something else.
    SparsenetError
        As :func:`given_array`.

    Examples
    --------
    >>> real_array([1, 2]).dtype.kind
    'i'
    """
    array = given_array(values, what)
    if array.dtype.kind not in REAL:
        raise TypeError(f"expected {what}, got {array.dtype}")
    return array
