"""Features of spoken words, computed once and kept in one file that training reads.

    images          (n, 1 + views, bands, frames)  u8  view 0 is the clean clip, the others are random views of it
    words           (n,)                           U   what was said
    speakers        (n,)                           U   who said it; a speaker is in one split only
    splits          (n,)                           U   train, validation, test, or people (real recordings)
    silence_images  (m, bands, frames)             u8  noise without words
    silence_splits  (m,)                           U   train, validation or test

A byte stands for a feature in [-1, 1] in steps of 1/127.5. Clips that only measure a network (validation, test) have no
random views: their clean view is repeated, so that all clips lie in one array.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet.errors import SparsenetError
from sparsenet.speech.splits import SPLITS
from sparsenet.whole_files import whole_file

__all__ = ["PREPARED_SPLITS", "PreparedWords", "bytes_of", "features_of"]

PREPARED_SPLITS = (*SPLITS, "people")

_TEXTS = ("words", "speakers", "splits", "silence_splits")


@dataclass(frozen=True, eq=False)
class PreparedWords:
    """Hold the features of spoken words, with who said what and which split each clip is in.

    Parameters
    ----------
    images : (n, 1 + views, bands, frames) uint8
        View 0 is the clean clip.
    words, speakers, splits : (n,) str
        Splits are ``train``, ``validation``, ``test`` and ``people``.
    silence_images : (m, bands, frames) uint8
        Noise without words.
    silence_splits : (m,) str

    Raises
    ------
    TypeError
        If a field is not an array of its type.
    SparsenetError
        If the shapes do not fit each other, a split is unknown, or a speaker is in two splits.

    Examples
    --------
    >>> images, silence = np.zeros((2, 1, 32, 32), np.uint8), np.zeros((0, 32, 32), np.uint8)
    >>> names = np.array(["ann", "bob"])
    >>> splits = np.array(["train", "test"])
    >>> PreparedWords(images, np.array(["six", "two"]), names, splits, silence, splits[:0])
    PreparedWords(clips=2, views=0, words=2, speakers=2, silence=0)
    """

    images: NDArray[np.uint8]
    words: NDArray[np.str_]
    speakers: NDArray[np.str_]
    splits: NDArray[np.str_]
    silence_images: NDArray[np.uint8]
    silence_splits: NDArray[np.str_]

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name))
        _check_shapes(self)
        _check_splits(self)

    def __repr__(self) -> str:
        return (
            f"PreparedWords(clips={len(self.images)}, views={self.images.shape[1] - 1}, "
            f"words={len(np.unique(self.words))}, speakers={len(np.unique(self.speakers))}, "
            f"silence={len(self.silence_images)})"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one ``.npz`` file, not compressed; a file that is there stays until all is written."""
        with whole_file(path) as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PreparedWords:
        """Read what ``save`` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no file.
        SparsenetError
            If the file is damaged, or holds something else.
        """
        path = Path(path)
        arrays = _read(path)
        try:
            return cls(**arrays)
        except (TypeError, SparsenetError) as error:
            raise SparsenetError(f"{path} holds no prepared words: {error}") from error


def bytes_of(features: ArrayLike) -> NDArray[np.uint8]:
    """Round features in [-1, 1], of any shape, to bytes.

    Examples
    --------
    >>> bytes_of([-1.0, 0.0, 1.0])
    array([  0, 128, 255], dtype=uint8)
    """
    steps = (np.asarray(features, np.float32) + 1) * 127.5 + 0.5
    return np.asarray(np.clip(steps, 0, 255), np.uint8)


def features_of(images: ArrayLike) -> NDArray[np.float32]:
    """Give the features that bytes stand for, within 1/255 of those that were rounded.

    Examples
    --------
    >>> features_of(np.array([0, 255], np.uint8))
    array([-1.,  1.], dtype=float32)
    """
    return np.asarray(np.asarray(images, np.float32) / 127.5 - 1, np.float32)


def _read(path: Path) -> dict[str, Any]:
    """Return the arrays of a file under the names of the fields, whatever they hold."""
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return {field.name: arrays[field.name] for field in fields(PreparedWords)}
        except Exception as error:  # a damaged archive raises whatever zipfile, zlib, tokenize and ast do
            raise SparsenetError(
                f"expected prepared words in {path} ({error}); python -m sparsenet.recipes.prepare makes such a file"
            ) from error


def _check_type(name: str, array: object) -> None:
    """Refuse what is not an array of text or bytes, as the field wants."""
    wanted = np.str_ if name in _TEXTS else np.uint8
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, wanted):
        got = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"expected {name} as an array of {wanted.__name__}, got {got}")


def _check_shapes(prepared: PreparedWords) -> None:
    """Refuse arrays that do not fit each other."""
    images, silence = prepared.images, prepared.silence_images
    if images.ndim != 4 or images.shape[1] == 0:
        raise SparsenetError(f"expected images of shape (n, 1 + views, bands, frames), got {images.shape}")
    if silence.ndim != 3 or silence.shape[1:] != images.shape[2:]:
        raise SparsenetError(f"expected silence_images of shape (m, *{images.shape[2:]}), got {silence.shape}")
    lengths = {"words": images, "speakers": images, "splits": images, "silence_splits": silence}
    for name, counted in lengths.items():
        shape = getattr(prepared, name).shape
        if shape != (len(counted),):
            raise SparsenetError(f"expected {name} of shape ({len(counted)},), one for each image, got {shape}")


def _check_splits(prepared: PreparedWords) -> None:
    """Refuse unknown splits, and speakers whose clips would both train and measure a network."""
    known = {"splits": PREPARED_SPLITS, "silence_splits": SPLITS}
    for name, allowed in known.items():
        strange = set(np.unique(getattr(prepared, name)).tolist()) - set(allowed)
        if strange:
            raise SparsenetError(f"expected {name} of {', '.join(allowed)}, got {min(strange)!r}")
    split_of: dict[str, str] = {}
    for speaker, split in zip(prepared.speakers.tolist(), prepared.splits.tolist(), strict=True):
        if split_of.setdefault(speaker, split) != split:
            raise SparsenetError(
                f"expected each speaker in one split, {speaker!r} is in {split_of[speaker]} and {split}"
            )
