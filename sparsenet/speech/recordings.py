"""The recordings that ship with the package, each with its licence."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

__all__ = ["Recording", "recordings"]


@dataclass(frozen=True)
class Recording:
    """One bundled recording: a second of sound at 16 kHz.

    Parameters
    ----------
    file : str
        Name of the file.
    said : str
        The word; empty where nothing is said.
    label : str
        The class it belongs to: silence, unknown, zero ... nine.
    speaker : str
        Who or what is heard.
    kind : str
        ``human``, ``synthetic`` or ``noise``.
    licence, attribution : str
        The licence, and who must be named. ``LICENSES.md`` beside the files has the full text.
    path : Path
        Where the file is.
    """

    file: str
    said: str
    label: str
    speaker: str
    kind: str
    licence: str
    attribution: str
    path: Path


def recordings() -> tuple[Recording, ...]:
    """List the bundled recordings: ten human digits first, then synthetic voices, other words and noise.

    Returns
    -------
    tuple of Recording

    Examples
    --------
    >>> [recording.said for recording in recordings() if recording.kind == "human"][:3]
    ['zero', 'one', 'two']
    """
    # Real files, not a zipped package: sound files are read by name, and the kernels need a folder to cache in anyway.
    folder = Path(str(files("sparsenet"))) / "models" / "recordings"
    with (folder / "recordings.csv").open(encoding="utf-8", newline="") as manifest:
        return tuple(Recording(path=folder / row["file"], **row) for row in csv.DictReader(manifest))
