"""The lines of every front end, one module for each family of operations; they import no framework.

A family's module has those of these tables that its operations need:

    TORCH           name of a function, as torch reports it       -> Line
    TORCH_MODULES   name -> (says whether a module is one, Line)     modules that are one call
    ONNX_IN         type of an operator                           -> Line
    ONNX_PATTERNS   type of the last operator of several          -> finds the one operator that they are, or None
    ONNX_OUT        kind of a layer                               -> writes its operators
    REFUSED         kind of a layer -> {front end: why it has no line there}

A new module is found by itself.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType
from typing import Any

from sparsenet.errors import SparsenetError
from sparsenet.exchange.call import Line
from sparsenet.layers import LAYERS

__all__ = ["FRONT_ENDS", "lines", "missing_lines", "patterns"]

FRONT_ENDS = {"torch": ("TORCH", "TORCH_MODULES"), "onnx in": ("ONNX_IN",), "onnx out": ("ONNX_OUT",)}
"""What a kind of layer needs a line, or a reason, in: each with its tables."""


@cache
def _families() -> tuple[ModuleType, ...]:
    return tuple(import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))


@cache
def lines(table: str) -> Mapping[str, Any]:
    """Collect one table of all families.

    Raises
    ------
    SparsenetError
        When two families have a line for the same.

    Examples
    --------
    >>> lines("ONNX_IN")["Relu"].gives
    ('ReLU',)
    """
    found: dict[str, Any] = {}
    for family in _families():
        for name, line in getattr(family, table, {}).items():
            if name in found:
                raise SparsenetError(f"expected one line for {name!r} in {table}, got a second in {family.__name__}")
            found[name] = line
    return MappingProxyType(found)


@cache
def patterns(kind: str) -> tuple[Callable[..., Any], ...]:
    """Collect the functions that recognise several ONNX operators, the last of one type, as one layer."""
    tables = [getattr(family, "ONNX_PATTERNS", {}) for family in _families()]
    return tuple(table[kind] for table in tables if kind in table)


def missing_lines() -> list[str]:
    """List the kinds of layer that a front end has neither a line nor a refusal for.

    Examples
    --------
    >>> missing_lines()
    []
    """
    kinds = [kind.__name__ for kind in LAYERS]
    return [f"{kind}: {front_end}" for kind in kinds for front_end in FRONT_ENDS if not _has(kind, front_end)]


def _has(kind: str, front_end: str) -> bool:
    refused = lines("REFUSED").get(kind, {})
    return bool(refused.get(front_end)) or kind in set(_given(front_end))


def _given(front_end: str) -> Iterator[str]:
    for table in FRONT_ENDS[front_end]:
        for name, line in lines(table).items():
            if isinstance(line, tuple):
                line = line[-1]
            yield from line.gives if isinstance(line, Line) else (name,)
