"""The folder layout of Google Speech Commands: one folder a word, one file an utterance.

    root/
        seven/0a7c2a8d_nohash_0.wav      word / speaker _nohash_ utterance
        _background_noise_/*.wav         minutes of noise, no words
        validation_list.txt              optional: `seven/0a7c2a8d_nohash_0.wav`, one a line
        testing_list.txt

Source: Pete Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv 1804.03209, and the
README of the data set for the rule that splits it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparsenet.errors import AudioError, SparsenetError
from sparsenet.speech.audio import read_audio
from sparsenet.speech.features import log_mel
from sparsenet.speech.finding import AUDIO_SUFFIXES
from sparsenet.speech.front_end import FrontEnd
from sparsenet.speech.splits import SPLITS, Split, hashed_split, listed_split, speaker_of
from sparsenet.speech.windowing import windows

__all__ = ["LABELS", "NOISE_FOLDER", "Clip", "SpeechCommands", "batches", "label_of"]

LABELS = ("silence", "unknown", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""The classes of the bundled networks, in the order of their outputs."""

NOISE_FOLDER = "_background_noise_"
"""The folder of recordings without words."""


@dataclass(frozen=True)
class Clip:
    """One utterance: its file, the word said, who said it, and the label a network should give.

    Parameters
    ----------
    path : Path
    word : str
        Name of the folder.
    speaker : str
        The file name up to ``_nohash_``; the whole file name where it has no such part.
    label : str
        One of the labels of the data set.
    """

    path: Path
    word: str
    speaker: str
    label: str


@dataclass(frozen=True)
class SpeechCommands:
    """A folder of spoken words, in the layout of Google Speech Commands.

    Parameters
    ----------
    root : Path
        The folder that holds one folder a word.
    labels : tuple of str
        What a network can answer, with one label for silence and one for unknown words.

    Raises
    ------
    AudioError
        If there is no folder at ``root``.
    SparsenetError
        If the labels lack one for silence or for unknown words.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "sheila").mkdir()
    ...     Path(folder, "sheila", "0a7c2a8d_nohash_0.wav").touch()
    ...     clip, = SpeechCommands(Path(folder)).split("train")
    >>> clip.word, clip.speaker, clip.label
    ('sheila', '0a7c2a8d', 'unknown')
    """

    root: Path
    labels: tuple[str, ...] = LABELS

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))
        object.__setattr__(self, "labels", tuple(self.labels))
        for kind in ("silence", "unknown"):
            _special(kind, self.labels)
        if not self.root.is_dir():
            raise AudioError(f"expected a folder with one folder for each word at {self.root}, found none")

    def split(self, name: Split) -> tuple[Clip, ...]:
        """List the clips of one split, by word and file name.

        The two list files decide where both exist; elsewhere the published rule does, by a hash of the speaker, so that
        no speaker is in two splits.

        Parameters
        ----------
        name : {"train", "validation", "test"}

        Returns
        -------
        tuple of Clip
            May be empty for a small folder.

        Raises
        ------
        AudioError
            If the folder holds no words, only one of the lists exists, or a clip is in both lists.
        """
        if name not in SPLITS:
            raise SparsenetError(f"expected a split of {', '.join(SPLITS)}, got {name!r}")
        split_of = listed_split(self.root) or hashed_split
        return tuple(
            Clip(path, path.parent.name, speaker_of(path.name), label_of(path.parent.name, self.labels))
            for path in _utterances(self.root)
            if split_of(path) == name
        )

    def background_noise(self) -> tuple[Path, ...]:
        """List the recordings of noise, which have no words; none if the folder has no ``_background_noise_``."""
        folder = self.root / NOISE_FOLDER
        return tuple(_sound_files(folder)) if folder.is_dir() else ()


def label_of(word: str, labels: Sequence[str] = LABELS) -> str:
    """Return the label that stands for a word.

    Parameters
    ----------
    word : str
        A word, or the name of its folder.
    labels : sequence of str
        Those of the network. The special ones may be written ``silence`` or ``_silence_``.

    Returns
    -------
    str
        The word itself if it is a label, the label of silence for ``_background_noise_``, otherwise that of unknown.

    Raises
    ------
    SparsenetError
        If the labels lack one for silence or for unknown words that is needed here.

    Examples
    --------
    >>> label_of("seven"), label_of("sheila"), label_of("_background_noise_")
    ('seven', 'unknown', 'silence')
    >>> label_of("sheila", ["_silence_", "_unknown_", "yes", "no"])
    '_unknown_'
    """
    if word == NOISE_FOLDER or word.strip("_") == "silence":
        return _special("silence", labels)
    return word if word in labels else _special("unknown", labels)


def batches(
    clips: Sequence[Clip], front_end: FrontEnd | None = None, batch: int = 64, labels: Sequence[str] = LABELS
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yield features and labels of clips, in order, each clip once.

    A short clip is centred in zeros; of a long one the first ``front_end.samples`` count.

    Parameters
    ----------
    clips : sequence of Clip
    front_end : FrontEnd, optional
        The default front end when left out.
    batch : int
        Clips in a batch; the last batch may be smaller.
    labels : sequence of str
        The order of the classes.

    Yields
    ------
    features : (B, 1, bands, frames) float32
    labels : (B,) int64
        Positions in ``labels``.

    Raises
    ------
    SparsenetError
        If ``batch`` is below one, or a clip's label is not among the labels (at once, before anything is read).
    AudioError
        If a file cannot be read (when its batch is reached).

    Examples
    --------
    >>> from sparsenet.speech import recordings
    >>> clips = [Clip(r.path, r.said, r.speaker, r.label) for r in recordings()]
    >>> features, classes = next(batches(clips, batch=4))
    >>> features.shape, LABELS[classes[0]] == clips[0].label
    ((4, 1, 32, 32), True)
    """
    if batch < 1:
        raise SparsenetError(f"expected batch >= 1, got {batch}")
    position = {label: index for index, label in enumerate(labels)}
    strange = [clip for clip in clips if clip.label not in position]
    if strange:
        raise SparsenetError(f"expected labels of {', '.join(labels)}; {strange[0].path} has {strange[0].label!r}")
    chosen = FrontEnd() if front_end is None else front_end
    return (
        (_features(clips[first : first + batch], chosen), _classes(clips[first : first + batch], position))
        for first in range(0, len(clips), batch)
    )


def _features(clips: Sequence[Clip], front_end: FrontEnd) -> NDArray[np.float32]:
    """Return the features of the first window of each clip."""
    waveforms = [windows(read_audio(clip.path, front_end.sample_rate_hz), front_end.samples)[0] for clip in clips]
    return log_mel(np.stack(waveforms), front_end)


def _classes(clips: Sequence[Clip], position: dict[str, int]) -> NDArray[np.int64]:
    """Return the position of each clip's label."""
    return np.array([position[clip.label] for clip in clips], dtype=np.int64)


def _special(kind: str, labels: Sequence[str]) -> str:
    """Return the label for silence or unknown, however it is written."""
    for label in labels:
        if label.strip("_") == kind:
            return label
    raise SparsenetError(f"expected a label {kind!r} or '_{kind}_' among the labels, got {', '.join(labels) or 'none'}")


def _utterances(root: Path) -> Iterator[Path]:
    """Yield the sound files of all words, in alphabetical order."""
    words = sorted(child for child in root.iterdir() if child.is_dir() and child.name[0] not in "._")
    if not words:
        raise AudioError(f"expected a folder for each word (zero, one, ...) in {root}, found none")
    for word in words:
        yield from _sound_files(word)


def _sound_files(folder: Path) -> list[Path]:
    """Return the sound files directly in a folder, in alphabetical order."""
    names = (name for name in os.listdir(folder) if name.lower().endswith(AUDIO_SUFFIXES) and name[0] != ".")
    return [folder / name for name in sorted(names)]
