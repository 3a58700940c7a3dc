"""A case: the arguments of one call of a kernel, and what it must write."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Argument = Array | int


@dataclass(frozen=True, eq=False)
class Expected:
    """What a kernel must write into one of its arrays.

    Parameters
    ----------
    values : array
        The expected elements, in the shape of the array; any real dtype.
    allowed : array, float or None
        How far an element may lie from the expected one: a bound for each element; 0 asks for equal values (-0.0 is
        0.0); None asks for equal bits.
    minds : bool array or None
        Which elements count; None is all. What a kernel leaves behind the end of a short list does not count.
    """

    values: Array
    allowed: Array | float | None = None
    minds: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """One call of a kernel: what goes in, and what must come out.

    Parameters
    ----------
    arguments : mapping of str to array or int
        Every argument of the kernel by its name. Outputs and scratch arrays hold what a kernel must not rely on; see
        :func:`leftovers`.
    expected : mapping of str to Expected
        What must stand in each output afterwards.
    scratch : frozenset of str
        Arrays whose contents afterwards do not matter. All that are neither outputs nor scratch must stay unchanged.
    aliases : mapping of str to str
        Outputs that share the memory of another argument.
    """

    arguments: Mapping[str, Argument]
    expected: Mapping[str, Expected]
    scratch: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)


def leftovers(shape: tuple[int, ...], dtype: type = np.float32) -> Array:
    """Return an array as an earlier kernel may have left it: NaN, or senseless integers."""
    if np.issubdtype(dtype, np.floating):
        return np.full(shape, np.nan, dtype)
    senseless = np.frombuffer(b"\x5a" * np.dtype(dtype).itemsize, dtype)
    return np.full(shape, senseless[0], dtype)


def listed(columns: Array, values: Array) -> tuple[Expected, Expected]:
    """Expect active lists: columns and values to the end of each list, and the -1 that ends a short one.

    Parameters
    ----------
    columns : (B, R, K) int32
        As the reference lists them: rising, -1 behind the end.
    values : (B, R, K)
        Their values; compared bit by bit as float32.
    """
    used = columns >= 0
    ends = np.cumsum(~used, axis=-1) == 1
    return Expected(columns, None, used | ends), Expected(values.astype(np.float32), None, used)


def mismatch(name: str, expected: Expected, got: Array) -> str | None:
    """Say which element of an output is wrong first, and how many are; None where none is."""
    right = _right(expected, got)
    if expected.minds is not None:
        right |= ~expected.minds
    if right.all():
        return None
    place = tuple(int(axis[0]) for axis in np.nonzero(~right))
    allowed = expected.allowed
    within = "" if allowed is None else f", allowed error {np.broadcast_to(allowed, got.shape)[place]:.3g}"
    return (
        f"{name}[{', '.join(map(str, place))}]: expected {expected.values[place]}, got {got[place]}{within}; "
        f"{np.count_nonzero(~right)} of {right.size} elements are wrong"
    )


def _right(expected: Expected, got: Array) -> NDArray[np.bool_]:
    if expected.allowed is None:
        bits, wanted = np.dtype(f"u{got.dtype.itemsize}"), expected.values.astype(got.dtype)
        return np.ascontiguousarray(got).view(bits) == np.ascontiguousarray(wanted).view(bits)
    with np.errstate(invalid="ignore"):  # the difference of two infinities; those that are equal count as right
        near: NDArray[np.bool_] = np.abs(got.astype(np.float64) - expected.values) <= expected.allowed
    return near | (got == expected.values)
