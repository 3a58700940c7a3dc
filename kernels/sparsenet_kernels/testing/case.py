"""A case: the arguments of one call of a kernel, and what it must write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

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
    unknown : bool array or None
        Which of those may hold anything, because numbers that are not finite reach them; they must be written all the
        same. See :mod:`~sparsenet_kernels.testing.comparable`.
    """

    values: Array
    allowed: Array | float | None = None
    minds: NDArray[np.bool_] | None = None
    unknown: NDArray[np.bool_] | None = None

    @property
    def has_unknown(self) -> bool:
        """Whether some elements may hold anything."""
        return self.unknown is not None and bool(self.unknown.any())


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
    holds : function of the arrays by name, or None
        Says what else is wrong with the outputs, in sentences; for what must hold whatever the elements are.
    """

    arguments: Mapping[str, Argument]
    expected: Mapping[str, Expected]
    scratch: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    holds: Callable[[Mapping[str, Array]], list[str]] | None = None

    def with_other_leftovers(self) -> "Case":
        """Return the case with other contents in its outputs and scratch arrays, where they are no inputs, too."""
        names = (self.expected.keys() | self.scratch) - self.aliases.keys() - set(self.aliases.values())
        arrays = {name: value for name in names if not isinstance(value := self.arguments[name], int)}
        other = {name: other_leftovers(array.shape, array.dtype) for name, array in arrays.items()}
        return replace(self, arguments={**self.arguments, **other})


def leftovers(shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """Return an array as an earlier kernel may have left it: NaN, or senseless integers."""
    if np.issubdtype(dtype, np.floating):
        return np.full(shape, np.nan, dtype)
    return np.full(shape, _senseless(b"\x5a", dtype), dtype)


def other_leftovers(shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """Return an array as another kernel may have left it: no element is as in :func:`leftovers`."""
    return np.full(shape, _senseless(b"\x4b", dtype), dtype)


def _senseless(byte: bytes, dtype: Any) -> Any:
    return np.frombuffer(byte * np.dtype(dtype).itemsize, dtype)[0]


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
    if expected.unknown is not None:
        right |= expected.unknown
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
    with np.errstate(all="ignore"):  # the difference of two infinities; those that are equal count as right
        if expected.allowed is None:
            return _bits(got) == _bits(expected.values.astype(got.dtype))
        near: NDArray[np.bool_] = np.abs(got.astype(np.float64) - expected.values) <= expected.allowed
    return near | _same(got, expected.values)


def _same(a: Array, b: Array) -> NDArray[np.bool_]:
    """Mark equal numbers; NaN is as good as another."""
    same: NDArray[np.bool_] = (a == b) | (a != a) & (b != b)
    return same


def _bits(array: Array) -> Array:
    return np.ascontiguousarray(array).view(np.dtype(f"u{array.dtype.itemsize}"))


def unwritten(name: str, expected: Expected, first: Array, second: Array, any_order: bool) -> str | None:
    """Say which unknown element differs between two calls that found other leftovers; None where none does.

    With ``any_order``, for threads that add to one element in any order, it must still be there untouched.
    """
    same = _same(first, second) | ~np.asarray(False if expected.unknown is None else expected.unknown)
    if any_order:
        same |= _bits(second) != _bits(other_leftovers(second.shape, second.dtype))
    if same.all():
        return None
    place = tuple(int(axis[0]) for axis in np.nonzero(~same))
    return (
        f"{name}[{', '.join(map(str, place))}]: got {first[place]}, and {second[place]} where something else stood in "
        f"the outputs and scratch arrays before; write every element, whatever the inputs are, and read none before"
    )
