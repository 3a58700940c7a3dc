"""The checks of arguments that all families of masks share."""

from typing import Any

import numpy as np

from sparsenet.errors import SparsenetError

__all__ = ["checked_density", "kept_units", "whole"]


def checked_density(density: Any) -> float:
    """Return a density as a float.

    Raises
    ------
    SparsenetError
        If it is not in (0, 1].
    TypeError
        If it is no number.

    Examples
    --------
    >>> checked_density(25)
    Traceback (most recent call last):
    sparsenet.errors.SparsenetError: expected density in (0, 1], got 25; did you pass a percentage?
    """
    if isinstance(density, bool) or not isinstance(density, int | float | np.integer | np.floating):
        raise TypeError(f"expected density to be a number, got {type(density).__name__}")
    if not 0 < density <= 1:
        hint = "; did you pass a percentage?" if 1 < density <= 100 else ""
        raise SparsenetError(f"expected density in (0, 1], got {density}{hint}")
    return float(density)


def kept_units(density: Any, units: int, name: str) -> int:
    """Return the number of kept units that comes nearest to a density.

    Raises
    ------
    SparsenetError
        If the nearest is none; the error says the lowest density there is.
    """
    checked = checked_density(density)
    kept = round(checked * units)
    if not kept:
        raise SparsenetError(
            f"expected a density that keeps at least one of {units} {name}, {1 / units:.4g}, got {checked:.4g}; "
            "ask for more, or for a family that keeps smaller pieces"
        )
    return kept


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return a setting as an integer; refuse one below the least."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"expected {name} to be an integer, got {type(value).__name__}")
    if value < least:
        raise SparsenetError(f"expected {name} of at least {least}, got {value}")
    return int(value)
