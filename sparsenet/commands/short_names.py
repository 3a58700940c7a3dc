"""Shorten file names to fit a column: without their common folder, and cut in the middle where they are long."""

import os
from collections.abc import Sequence
from pathlib import Path

from sparsenet.tables import plain

__all__ = ["short_names"]

CUT = "..."


def short_names(paths: Sequence[Path], columns: int) -> list[str]:
    """Name each path below the folder that all of them share, in so many columns at most.

    Examples
    --------
    >>> short_names([Path("/home/me/words/one.wav"), Path("/home/me/words/loud/seven.wav")], 12)
    ['one.wav', 'lou...en.wav']
    """
    folder = _shared_folder(paths)
    names = (os.path.relpath(path, folder) if folder else str(path) for path in paths)
    return [_cut(plain(name), columns) for name in names]


def _shared_folder(paths: Sequence[Path]) -> str:
    """Return the deepest folder that holds all paths; nothing where there is none, as of two Windows drives."""
    try:
        return os.path.commonpath([os.path.abspath(path.parent) for path in paths])
    except ValueError:
        return ""


def _cut(name: str, columns: int) -> str:
    if len(name) <= columns:
        return name
    kept = columns - len(CUT)
    begin = kept // 3  # the end tells files apart
    return f"{name[:begin]}{CUT}{name[len(name) - (kept - begin) :]}"
