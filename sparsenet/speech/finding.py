"""Find sound files among files and folders. Unreadable places are reported and do not end the search."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sparsenet.errors import AudioError

__all__ = ["AUDIO_SUFFIXES", "Missing", "Paths", "find_audio", "search"]

AUDIO_SUFFIXES = (".flac", ".oga", ".ogg", ".wav")

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclass(frozen=True)
class Missing:
    """A path without a readable sound file, and the reason."""

    path: Path
    reason: str


def find_audio(paths: Paths) -> list[Path]:
    """List the sound files among files and folders.

    Parameters
    ----------
    paths : path or iterable of paths
        A file is taken as it is, whatever its name; a folder stands for the sound files in it and below it (known by
        their suffix, hidden ones left out), in alphabetical order. Links to folders are not followed.

    Returns
    -------
    list of Path
        In the order of the arguments, each file once.

    Raises
    ------
    AudioError
        If a path does not exist, a folder may not be read, or no sound file is found.

    Examples
    --------
    >>> from sparsenet.speech import recordings
    >>> len(find_audio(recordings()[0].path.parent)) == len(recordings())
    True
    """
    found = search(paths)
    for one in found:
        if isinstance(one, Missing):
            raise AudioError(one.reason)
    return [one for one in found if isinstance(one, Path)]


def search(paths: Paths) -> list[Path | Missing]:
    """List the sound files among files and folders, and the paths and folders that cannot be read.

    Raises
    ------
    AudioError
        If there is neither.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    found = dict.fromkeys(one for path in given for one in _found_at(path))
    if not found:
        places = ", ".join(map(str, given)) or "an empty list of paths"
        raise AudioError(f"expected sound files ({' '.join(AUDIO_SUFFIXES)}), found none in {places}")
    return list(found)


def _found_at(given: str | os.PathLike[str]) -> list[Path | Missing]:
    """Return the file, or the sound files in and below the folder."""
    if not os.fspath(given):  # which would stand for the current folder
        raise AudioError("expected a sound file or a folder, got an empty path; is a variable not set?")
    path = Path(given)
    if path.is_dir():
        return sorted(_below(path), key=lambda one: one.path if isinstance(one, Missing) else one)
    if os.path.lexists(path):
        return [path]  # reading it says what is wrong with a device, or with a link that leads nowhere
    return [Missing(path, f"expected a sound file or a folder, found nothing at {path}")]


def _below(path: Path) -> Iterator[Path | Missing]:
    refused: list[Missing] = []

    def note(error: OSError) -> None:
        place = Path(error.filename or path)
        refused.append(Missing(place, f"expected a folder that may be read, found {place}: {error.strerror}"))

    for folder, _, names in os.walk(path, onerror=note):
        for name in names:
            if name.lower().endswith(AUDIO_SUFFIXES) and not name.startswith("."):
                yield Path(folder, name)
    yield from refused
