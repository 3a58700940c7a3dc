"""Parse untrusted JSON: no duplicate keys, no NaN, bounded depth and number of values."""

import json
import math
import re
import reprlib
from collections import Counter
from collections.abc import Collection
from typing import Any, NoReturn

from sparsenet.errors import ModelFormatError

__all__ = ["MOST_NESTED", "MOST_VALUES", "expect_keys", "nesting_and_values", "read_json", "shown"]

MOST_NESTED = 64
"""Brackets within brackets; Python's own limit would be some 1,000, other readers stop at 128."""

MOST_VALUES = 2**20
"""A value costs Python about 100 bytes: this bounds what a small header can make of memory."""

# A string is consumed even where its end is missing: otherwise each quote would search to the end of the text again.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.?)*+"?|([\[{])|([\]}])|,', re.DOTALL)


def read_json(text: bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object strictly.

    Raises
    ------
    ModelFormatError
        When it is not UTF-8, not JSON, not an object, too deep or too large, repeats a key or holds NaN or infinity.
    """
    try:
        string = text.decode("utf-8")
        _refuse_large(string)
        value = json.loads(
            string,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_integer,
        )
    except ModelFormatError as error:
        raise ModelFormatError(f"{what}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(f"{what}: expected JSON in UTF-8: {error}") from None
    if not isinstance(value, dict):
        raise ModelFormatError(f"{what}: expected a JSON object, got {shown(value)}")
    return value


def nesting_and_values(text: str) -> tuple[int, int]:
    """Count the deepest brackets and, roughly, the values of a JSON text; stops where either is beyond the limit."""
    depth = deepest = values = 0
    for token in _TOKEN.finditer(text):
        depth += bool(token[1]) - bool(token[2])
        values += token[0][0] != '"'
        deepest = max(deepest, depth)
        if deepest > MOST_NESTED or values > MOST_VALUES:
            break
    return deepest, values


def expect_keys(value: Any, keys: Collection[str], what: str) -> dict[str, Any]:
    """Return ``value`` when it is an object with exactly these keys.

    Raises
    ------
    ModelFormatError
        When it is something else; it names the keys that are missing or unknown.
    """
    if not isinstance(value, dict):
        raise ModelFormatError(f"{what}: expected an object with the keys {', '.join(keys)}, got {shown(value)}")
    for kind, names in (("missing", set(keys) - set(value)), ("unknown", set(value) - set(keys))):
        if names:
            raise ModelFormatError(f"{what}: expected the keys {', '.join(keys)}, got {kind} {shown(sorted(names))}")
    return value


def shown(value: object) -> str:
    """Show a value from a file briefly, however large it is."""
    return reprlib.repr(value)


def _refuse_large(text: str) -> None:
    deepest, values = nesting_and_values(text)
    if deepest > MOST_NESTED:
        raise ModelFormatError(f"expected brackets nested at most {MOST_NESTED} deep, got more")
    if values > MOST_VALUES:
        raise ModelFormatError(f"expected at most {MOST_VALUES} values, got more")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ModelFormatError(f"expected keys that differ, got {shown(repeated)} twice")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ModelFormatError(f"expected finite numbers, got {text}")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ModelFormatError(f"expected finite numbers, got {shown(text)}")
    return value


def _integer(text: str) -> int:
    if text == "-0":
        raise ModelFormatError("expected integers without a sign on zero, got -0")
    return int(text)
