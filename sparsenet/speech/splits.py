"""Divide clips into training, validation and test: by the lists of a data set, or by the rule behind them.

Source: the README of Google Speech Commands, for the rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from sparsenet.errors import AudioError

__all__ = ["LIST_FILES", "SPLITS", "Split", "hashed_split", "listed_split", "speaker_of"]

Split: TypeAlias = Literal["train", "validation", "test"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")

LIST_FILES: dict[Split, str] = {"validation": "validation_list.txt", "test": "testing_list.txt"}
"""The files of a data set that list the clips of two splits; all other clips train."""

_HASH_RANGE = 2**27  # the published rule: SHA-1 modulo this, as a percentage of this minus one
_VALIDATION_PERCENT, _TEST_PERCENT = 10.0, 10.0


def speaker_of(file_name: str) -> str:
    """Return the part of a file name that names the speaker."""
    return file_name.split("_nohash_", 1)[0]


def hashed_split(path: Path) -> Split:
    """Return the split that the published rule gives a file: the same for all files of a speaker."""
    # The names of files may not be text; any bytes will do for the hash.
    digest = hashlib.sha1(speaker_of(path.name).encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    percent = int(digest, 16) % _HASH_RANGE * (100.0 / (_HASH_RANGE - 1))
    if percent < _VALIDATION_PERCENT:
        return "validation"
    return "test" if percent < _VALIDATION_PERCENT + _TEST_PERCENT else "train"


def listed_split(root: Path) -> Callable[[Path], Split] | None:
    """Return the rule that the list files of a folder state, or None if it has none."""
    present = [root / name for name in LIST_FILES.values() if (root / name).is_file()]
    if not present:
        return None
    if len(present) < len(LIST_FILES):
        raise AudioError(
            f"expected both {' and '.join(LIST_FILES.values())} in {root} or neither, found {present[0].name}"
        )
    listed = {name: _listed(root / file_name) for name, file_name in LIST_FILES.items()}
    twice = listed["validation"] & listed["test"]
    if twice:
        raise AudioError(f"expected each clip in one list, {min(twice)} is in both lists of {root}")

    def split_of(path: Path) -> Split:
        key = f"{path.parent.name}/{path.name}"
        return next((name for name in LIST_FILES if key in listed[name]), "train")

    return split_of


def _listed(path: Path) -> frozenset[str]:
    """Return the `word/file` entries of a list file."""
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    return frozenset(line.strip().replace("\\", "/") for line in text.splitlines() if line.strip())
