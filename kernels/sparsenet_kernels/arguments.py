"""What a kernel takes: the line of its arguments, letter by letter."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types

__all__ = ["DTYPES", "Argument", "check_names", "parse"]

DTYPES = {
    "f32": (types.float32, np.float32),
    "i32": (types.int32, np.int32),
    "i8": (types.int8, np.int8),
    "u8": (types.uint8, np.uint8),
}


@dataclass(frozen=True)
class Argument:
    """One argument of a kernel: an array with a letter (or number) for each axis, or an integer."""

    name: str
    dtype: str
    axes: tuple[str, ...]

    @property
    def is_array(self) -> bool:
        """Whether this is an array rather than an integer."""
        return self.dtype != "int"

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}" + (f"[{', '.join(self.axes)}]" if self.is_array else "")

    @property
    def numba_type(self) -> types.Type:
        """The type Numba compiles for."""
        return types.Array(DTYPES[self.dtype][0], len(self.axes), "C") if self.is_array else types.int64

    @property
    def numpy_dtype(self) -> type:
        """The dtype of the array."""
        return DTYPES[self.dtype][1]


_ENTRY = re.compile(r"(\w+) (f32|i32|i8|u8|int)(?: ?\[ ?(\w+(?: ?, ?\w+)*) ?\])?")
_OTHER_NAMES = {"float32": "f32", "float": "f32", "int32": "i32", "int8": "i8", "uint8": "u8", "int64": "int"}


def parse(arguments: str) -> tuple[Argument, ...]:
    """Read a line such as ``x f32[B, D]; k int; out f32[B, N]``.

    Raises
    ------
    ValueError
        When an entry cannot be read.

    Examples
    --------
    >>> [str(argument) for argument in parse("x f32[B, D]; k int")]
    ['x f32[B, D]', 'k int']
    """
    parsed = []
    for entry in arguments.split(";"):
        match = _ENTRY.fullmatch(" ".join(entry.split()))
        if match is None or (match[2] == "int") != (match[3] is None):
            raise ValueError(
                f"expected arguments such as 'x f32[B, D]' or 'k int', of {', '.join(DTYPES)}, with semicolons "
                f"between, got {entry.strip()!r}{_meant(entry)}"
            )
        axes = tuple(axis.strip() for axis in match[3].split(",")) if match[3] else ()
        parsed.append(Argument(match[1], match[2], axes))
    return tuple(parsed)


def _meant(entry: str) -> str:
    """Say what an entry that cannot be read may have meant; nothing where that is not clear."""
    words = [_OTHER_NAMES.get(word, word) for word in re.findall(r"\w+", entry)]
    begins = [at for at in range(len(words) - 1) if words[at + 1] in (*DTYPES, "int")]
    if not begins or begins[0] != 0:
        return ""
    parts = [words[begin:end] for begin, end in zip(begins, [*begins[1:], len(words)], strict=True)]
    entries = [f"{name} {dtype}" + (f"[{', '.join(axes)}]" if axes else "") for name, dtype, *axes in parts]
    readable = all((match := _ENTRY.fullmatch(each)) and (match[2] == "int") == (match[3] is None) for each in entries)
    return f"; did you mean {'; '.join(entries)!r}?" if readable else ""


def check_names(arguments: Sequence[Argument], function: Callable[..., Any]) -> None:
    """Check that a line of arguments names the arguments of the function, in its order.

    Raises
    ------
    ValueError
        When it does not.
    """
    said, taken = [argument.name for argument in arguments], list(inspect.signature(function).parameters)
    if said != taken:
        raise ValueError(
            f"expected arguments= to name what {function.__name__} takes, {', '.join(taken)}, got {', '.join(said)}"
        )
