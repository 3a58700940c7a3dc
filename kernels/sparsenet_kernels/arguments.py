"""What a kernel takes: the line of its arguments, each with its role, name, type and axes.

    in x f32[B, D]; weight weights f32[Z]; index indptr i32[D1]; constant k int; scratch sums f32[N]; out out f32[B, N]

The roles are those of :data:`ROLES`. A line may leave all of them out: integers are then constants, the last array is
written and the others are inputs; for a kernel with a reference, what the reference does not name is scratch.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from numba import types

__all__ = ["DTYPES", "ROLES", "Argument", "check_names", "parse", "with_roles"]

DTYPES = {
    "f32": (types.float32, np.float32),
    "i32": (types.int32, np.int32),
    "i8": (types.int8, np.int8),
    "u8": (types.uint8, np.uint8),
}

ROLES = {
    "in": "what other steps wrote, or the network's input; only these may hold NaN and infinities",
    "weight": "the weights, as their format packs them",
    "index": "integers that say where weights or their inputs lie, from the format",
    "constant": "other numbers that are known when a network is compiled: biases, scales, sizes, strides",
    "scratch": "room that holds nothing before the call and nothing after it",
    "out": "what the kernel writes, all of it; always the last arguments",
}
"""What an argument is for, by the word that says so in a line of arguments."""


@dataclass(frozen=True)
class Argument:
    """One argument of a kernel: an array with a letter (or number) for each axis, or an integer; and its role.

    The role is "" as long as a line leaves the roles out; no argument of a registered kernel is without one.
    """

    name: str
    dtype: str
    axes: tuple[str, ...]
    role: str = ""

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


_ENTRY = re.compile(
    r"(?:(?P<role>\w+) )?(?P<name>\w+) (?P<dtype>f32|i32|i8|u8|int)(?: ?\[ ?(?P<axes>\w+(?: ?, ?\w+)*) ?\])?"
)
_OTHER_ROLES = {
    "input": "in",
    "const": "constant",
    "parameter": "constant",
    "indexes": "index",
    "temporary": "scratch",
    "result": "out",
}
_OTHER_NAMES = {"float32": "f32", "float": "f32", "int32": "i32", "int8": "i8", "uint8": "u8", "int64": "int"}


def parse(arguments: str) -> tuple[Argument, ...]:
    """Read a line such as ``in x f32[B, D]; constant k int; out out f32[B, N]``, or the same without roles.

    Raises
    ------
    ValueError
        When an entry cannot be read, some arguments have a role and others none, an integer has another role than
        "constant", or the outputs are not the last arguments.

    Examples
    --------
    >>> [(str(argument), argument.role) for argument in parse("in x f32[B, D]; constant k int; out out f32[B]")]
    [('x f32[B, D]', 'in'), ('k int', 'constant'), ('out f32[B]', 'out')]
    """
    parsed = tuple(_read(entry) for entry in arguments.split(";"))
    if any(argument.role for argument in parsed):
        _check_roles(parsed)
    return parsed


def _read(entry: str) -> Argument:
    match = _ENTRY.fullmatch(" ".join(entry.split()))
    if match is None or _is_torn(match):
        raise ValueError(
            f"expected arguments such as 'x f32[B, D]' or 'k int', of {', '.join(DTYPES)}, with semicolons "
            f"between, got {entry.strip()!r}{_meant(entry)}"
        )
    role = match["role"] or ""
    if role and role not in ROLES:
        close = _OTHER_ROLES.get(role) or next(iter(get_close_matches(role, ROLES, 1)), "")
        raise ValueError(
            f"expected the role of an argument, one of {', '.join(ROLES)}, before its name, got {role!r} in "
            f"{entry.strip()!r}" + (f"; did you mean {close!r}?" if close else "")
        )
    axes = tuple(axis.strip() for axis in match["axes"].split(",")) if match["axes"] else ()
    return Argument(match["name"], match["dtype"], axes, role)


def _is_torn(match: re.Match[str]) -> bool:
    """Tell whether an array is without axes, or an integer has some."""
    return (match["dtype"] == "int") != (match["axes"] is None)


def _check_roles(arguments: Sequence[Argument]) -> None:
    """Check the roles of a line that states some."""
    roles = [argument.role for argument in arguments]
    if "" in roles:
        raise ValueError(
            f"expected a role before every argument, or before none, got none before {arguments[roles.index('')]}; "
            f"write one of {', '.join(ROLES)}"
        )
    for argument in arguments:
        if not argument.is_array and argument.role != "constant":
            raise ValueError(f"expected integers to be constants, got {argument.role!r}; write constant {argument}")
    if "out" not in roles or set(roles[roles.index("out") :]) != {"out"}:
        raise ValueError(
            "expected the outputs to be the last arguments, and one at least, got the roles " + ", ".join(roles)
        )


def with_roles(arguments: Sequence[Argument], named: Sequence[str] | None = None) -> tuple[Argument, ...]:
    """Give each argument its role where the line states none.

    Parameters
    ----------
    arguments : sequence of Argument
    named : sequence of str, optional
        The arguments that the kernel's reference takes; all but those and the last array are scratch.

    Examples
    --------
    >>> [argument.role for argument in with_roles(parse("x f32[B]; sums f32[B]; k int; out f32[B]"), ["x"])]
    ['in', 'scratch', 'constant', 'out']
    """
    last = max((number for number, argument in enumerate(arguments) if argument.is_array), default=None)

    def role(number: int, argument: Argument) -> str:
        if argument.role or not argument.is_array:
            return argument.role or "constant"
        if number == last:
            return "out"
        return "in" if named is None or argument.name in named else "scratch"

    return tuple(replace(argument, role=role(number, argument)) for number, argument in enumerate(arguments))


def _meant(entry: str) -> str:
    """Say what an entry that cannot be read may have meant; nothing where that is not clear."""
    words = [_OTHER_NAMES.get(word, word) for word in re.findall(r"\w+", entry)]
    names = [at for at in range(len(words) - 1) if words[at + 1] in (*DTYPES, "int")]
    begins = [at - 1 if at > 0 and words[at - 1] in ROLES else at for at in names]
    if not begins or begins[0] != 0:
        return ""
    parts = [words[begin:end] for begin, end in zip(begins, [*begins[1:], len(words)], strict=True)]
    heads = [2 + at - begin for begin, at in zip(begins, names, strict=True)]
    entries = [_written(part[:head], part[head:]) for part, head in zip(parts, heads, strict=True)]
    readable = all((match := _ENTRY.fullmatch(each)) and not _is_torn(match) for each in entries)
    return f"; did you mean {'; '.join(entries)!r}?" if readable else ""


def _written(head: Sequence[str], axes: Sequence[str]) -> str:
    return " ".join(head) + (f"[{', '.join(axes)}]" if axes else "")


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
