"""Choose the clips of each epoch, and the clips that measure a network.

An epoch has every clip of a digit once, in a random view, some clips of other words and some of noise. A network is
measured on clean views: of the speakers of other splits, or of the people who were held out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsenet.errors import SparsenetError
from sparsenet.recipes.prepared import PreparedWords
from sparsenet.recipes.training.recipe import Recipe
from sparsenet.speech.dataset import LABELS, label_of

__all__ = ["Samples", "TrainingData", "calibration_of", "epoch_of", "masked", "measuring_sets", "training_data"]

Bytes = NDArray[np.uint8]
Classes = NDArray[np.int64]

SILENCE, UNKNOWN = LABELS.index("silence"), LABELS.index("unknown")

MEASURED_UNKNOWN, MEASURED_SILENCE = 1 / 12, 1 / 10
"""The share of other words' clips that measure a network, and noise clips for each of the others. Most are digits."""

CALIBRATION_CLIPS = 512
WIDEST_BAND = 5
"""Rows or columns of an image that are blanked, at most."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Images with the class that each should get.

    Parameters
    ----------
    images : (n, bands, frames) uint8
    classes : (n,) int64
        Positions in ``LABELS``.
    """

    images: Bytes
    classes: Classes

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """All clips for epochs: (n, 1 + views, bands, frames) uint8 of words, (m, bands, frames) uint8 of noise."""

    images: Bytes
    classes: Classes
    silence_images: Bytes


def training_data(words: PreparedWords, recipe: Recipe) -> TrainingData:
    """Choose what is trained on: the training voices and the people who are not held out.

    Raises
    ------
    SparsenetError
        When a held-out person is not among the people, or no digit is left to train on.
    """
    people = set(np.unique(words.speakers[words.splits == "people"]).tolist())
    strange = [name for name in recipe.held_out if name not in people]
    if strange:
        raise SparsenetError(f"expected held_out among {', '.join(sorted(people)) or 'no people'}; got {strange[0]!r}")
    heard = (words.splits == "people") & ~np.isin(words.speakers, recipe.held_out)
    chosen = (words.splits == "train") | heard
    classes = _classes(words.words[chosen])
    if not (classes > UNKNOWN).any():
        raise SparsenetError("expected digits to train on, found none in the splits train and people")
    return TrainingData(words.images[chosen], classes, words.silence_images[words.silence_splits == "train"])


def measuring_sets(words: PreparedWords, recipe: Recipe) -> dict[str, Samples]:
    """Give what measures a network: ``validation``, ``test``, and each held-out person by name; empty ones left out."""
    sets = {split: _measuring_split(words, split) for split in ("validation", "test")}
    for name in recipe.held_out:
        chosen = words.speakers == name
        sets[name] = Samples(words.images[chosen, 0], _classes(words.words[chosen]))
    return {name: samples for name, samples in sets.items() if len(samples)}


def epoch_of(data: TrainingData, recipe: Recipe, epoch: int) -> Samples:
    """Draw an epoch, in random order: the same for the same seed and epoch, whatever came before."""
    r = np.random.default_rng((recipe.seed, epoch))
    known, unknown = np.flatnonzero(data.classes > UNKNOWN), np.flatnonzero(data.classes == UNKNOWN)
    others = r.choice(unknown, min(len(unknown), round(len(known) * recipe.unknown_share)), replace=False)
    chosen = np.concatenate([known, others])
    views = r.integers(0, data.images.shape[1], len(chosen))
    noises = round(len(known) * recipe.silence_share) if len(data.silence_images) else 0
    silence = data.silence_images[r.integers(0, max(1, len(data.silence_images)), noises)]
    images = np.concatenate([data.images[chosen, views], silence])
    classes = np.concatenate([data.classes[chosen], np.full(noises, SILENCE, np.int64)])
    order = r.permutation(len(classes))
    return Samples(images[order], classes[order])


def calibration_of(data: TrainingData, recipe: Recipe) -> Samples:
    """Draw some clips by which the scales of 8-bit networks are chosen."""
    drawn = epoch_of(data, recipe, 0)
    return Samples(drawn.images[:CALIBRATION_CLIPS], drawn.classes[:CALIBRATION_CLIPS])


def masked(images: Bytes, r: np.random.Generator) -> Bytes:
    """Blank a few neighbouring bands and a few neighbouring frames of a batch, as if they were silent."""
    blanked = images.copy()
    for axis in (1, 2):
        width = int(r.integers(0, WIDEST_BAND + 1))
        first = int(r.integers(0, images.shape[axis] - width))
        blanked[(slice(None),) * axis + (slice(first, first + width),)] = 0
    return blanked


def _measuring_split(words: PreparedWords, split: str) -> Samples:
    """Return the clips of one split: all digits, a few other words, some noise."""
    places = np.flatnonzero(words.splits == split)
    classes = _classes(words.words[places])
    unknown = np.random.default_rng(0).permutation(np.flatnonzero(classes == UNKNOWN))
    few = unknown[: int(len(unknown) * MEASURED_UNKNOWN)]
    kept = np.sort(np.concatenate([np.flatnonzero(classes > UNKNOWN), few]))
    silence = words.silence_images[words.silence_splits == split][: int(len(kept) * MEASURED_SILENCE)]
    images = np.concatenate([words.images[places[kept], 0], silence])
    return Samples(images, np.concatenate([classes[kept], np.full(len(silence), SILENCE, np.int64)]))


def _classes(words: NDArray[np.str_]) -> Classes:
    """Return the class of each word."""
    names, places = np.unique(words, return_inverse=True)
    return np.array([LABELS.index(label_of(str(name))) for name in names], np.int64)[places]
