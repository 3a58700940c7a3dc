"""Compute one file of features, with random views, from folders of recordings; training reads this file.

    python -m sparsenet.recipes.prepare --corpus GSC --people RECORDINGS --views 5 --out words.npz --jobs 2

The corpus may be Google Speech Commands itself or one made by ``sparsenet.recipes.corpus``. Folders of people hold
digits named ``<digit>_<speaker>_<take>.wav``, as the Free Spoken Digit Dataset names them.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparsenet.errors import AudioError, SparsenetError
from sparsenet.progress import tracked
from sparsenet.recipes.prepared import PreparedWords, bytes_of
from sparsenet.recipes.views import random_view
from sparsenet.recipes.workers import work_through
from sparsenet.speech.audio import read_audio
from sparsenet.speech.dataset import LABELS, Clip, SpeechCommands
from sparsenet.speech.features import log_mel
from sparsenet.speech.finding import find_audio
from sparsenet.speech.front_end import FrontEnd
from sparsenet.speech.splits import SPLITS, Split
from sparsenet.speech.windowing import windows

__all__ = ["SILENCE", "main", "people_clips", "prepare_words"]

SILENCE: Mapping[Split, int] = {"train": 2_500, "validation": 150, "test": 300}
"""The number of clips of noise without words, by split."""

_FRONT_END = FrontEnd()
_DIGITS = LABELS[2:]
_VIEWED = ("train", "people")  # the other splits measure networks: no views
_PEOPLE_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<take>[^_]+)\.wav", re.IGNORECASE)

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class _Task:
    """One clip: its file, the seed of its views, and how many views."""

    path: Path
    seed: int
    views: int


def prepare_words(
    corpus: str | os.PathLike[str],
    people: Iterable[str | os.PathLike[str]] = (),
    *,
    views: int = 5,
    silence: Mapping[Split, int] = SILENCE,
    jobs: int = 1,
    progress: bool | None = None,
) -> PreparedWords:
    """Compute the features of all clips of a corpus, and of random views of those that train.

    Parameters
    ----------
    corpus : path
        Folder in the layout of Google Speech Commands, with ``_background_noise_``.
    people : iterable of paths
        Folders of real recordings of digits; they get the split ``people``.
    views : int
        Random views of each clip that trains.
    silence : mapping of split to int
        Clips of noise without words.
    jobs : int
        Processes.
    progress : bool or None
        Whether progress is shown: always, never, or (None) in terminals and notebooks.

    Returns
    -------
    PreparedWords
        The same whatever the number of processes.

    Raises
    ------
    AudioError
        If a folder or file cannot be read, or there is no noise.
    SparsenetError
        If ``views`` is negative, or a speaker would be in two splits.

    Examples
    --------
    >>> import soundfile
    >>> from tempfile import TemporaryDirectory
    >>> hiss = np.random.default_rng(0).uniform(-1, 1, 20_000)
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("seven/ann_nohash_0.wav", "_background_noise_/hiss.wav"):
    ...         Path(folder, name).parent.mkdir()
    ...         soundfile.write(Path(folder, name), hiss, 16_000)
    ...     prepare_words(folder, views=2, silence={"train": 3})
    PreparedWords(clips=1, views=2, words=1, speakers=1, silence=3)
    """
    if views < 0:
        raise SparsenetError(f"expected views >= 0, got {views}")
    data = SpeechCommands(Path(corpus))
    noises = _noises(data)
    clips: dict[str, tuple[Clip, ...]] = {name: data.split(name) for name in SPLITS}
    clips["people"] = people_clips(people)
    tasks = [
        _Task(clip.path, _view_seed(position), views if name in _VIEWED else 0)
        for name, members in clips.items()
        for position, clip in enumerate(members)
    ]
    images = np.empty((len(tasks), 1 + views, _FRONT_END.bands, _FRONT_END.frames), np.uint8)
    made = tracked(work_through(_views, noises, tasks, jobs), "computing features", progress, len(tasks))
    for image, features in zip(images, made, strict=True):
        image[:] = features  # a clean view alone is repeated
    listed = [(clip.word, clip.speaker, name) for name, members in clips.items() for clip in members]
    words, speakers, splits = np.array(listed, np.str_).reshape(-1, 3).T
    return PreparedWords(images, words, speakers, splits, *_silence(noises, silence))


def people_clips(folders: Iterable[str | os.PathLike[str]]) -> tuple[Clip, ...]:
    """List recordings of digits by the names of their files.

    Raises
    ------
    AudioError
        If a folder holds no sound files, or one whose name is not ``<digit>_<speaker>_<take>.wav``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "7_ann_0.wav").touch()
    ...     clip, = people_clips([folder])
    >>> clip.word, clip.speaker
    ('seven', 'ann')
    """
    return tuple(_people_clip(path) for folder in folders for path in find_audio(folder))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 after an error that it printed."""
    asked = _parser().parse_args(arguments)
    try:
        prepared = prepare_words(asked.corpus, asked.people, views=asked.views, jobs=asked.jobs)
        prepared.save(asked.out)
    except (SparsenetError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{asked.out}: {prepared}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sparsenet.recipes.prepare", description="Compute features of spoken words, for training."
    )
    parser.add_argument("--corpus", type=Path, required=True, help="folder in Google Speech Commands' layout")
    parser.add_argument(
        "--people", type=Path, nargs="+", action="extend", default=[], help="folders of <digit>_<speaker>_<take>.wav"
    )
    parser.add_argument("--views", type=int, default=5, help="random views of each clip that trains")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    return parser


def _people_clip(path: Path) -> Clip:
    name = _PEOPLE_NAME.fullmatch(path.name)
    if name is None:
        raise AudioError(f"expected recordings named <digit>_<speaker>_<take>.wav, found {path}")
    word = _DIGITS[int(name["digit"])]
    return Clip(path, word, name["speaker"], word)


def _noises(data: SpeechCommands) -> tuple[Floats, ...]:
    """Read the noises that are longer than a clip."""
    read = [read_audio(path, _FRONT_END.sample_rate_hz) for path in data.background_noise()]
    noises = tuple(noise for noise in read if len(noise) > _FRONT_END.samples)
    if not noises:
        raise AudioError(
            f"expected recordings of noise in {data.root / '_background_noise_'}, longer than one second; found none"
        )
    return noises


def _view_seed(position: int) -> int:
    """Return the seed of a clip's views from its position in its split; it stays the same when views are added."""
    return 7_919 * position + 1


def _views(noises: Sequence[Floats], task: _Task) -> Bytes:
    """Return the features of a clip and of its random views: (1 + views, bands, frames)."""
    clean = windows(read_audio(task.path, _FRONT_END.sample_rate_hz), _FRONT_END.samples)[0]
    draw = np.random.default_rng(task.seed)
    heard = [clean, *(random_view(clean, draw, noises) for _ in range(task.views))]
    return bytes_of(log_mel(np.stack(heard), _FRONT_END, keep_steady=True)[:, 0])  # see _silent_images


def _silence(noises: Sequence[Floats], counts: Mapping[Split, int]) -> tuple[Bytes, NDArray[np.str_]]:
    """Return the features of noise without words, and their splits."""
    images = [
        _silent_images(noises, counts.get(name, 0), np.random.default_rng(seed))
        for seed, name in enumerate(SPLITS, start=1)
    ]
    splits = np.repeat(np.array(SPLITS, np.str_), [len(part) for part in images])
    return np.concatenate(images), splits


def _silent_images(noises: Sequence[Floats], count: int, draw: np.random.Generator) -> Bytes:
    """Return the features of one or two noises each: (count, bands, frames).

    Steady noise keeps its own features here, although :func:`~sparsenet.speech.features.log_mel` gives a network the
    features of silence for it.
    """
    images = np.empty((count, _FRONT_END.bands, _FRONT_END.frames), np.uint8)
    for image in images:
        mixed = np.zeros(_FRONT_END.samples, np.float32)
        for _ in range(draw.integers(1, 3)):
            noise = noises[int(draw.integers(len(noises)))]
            start = draw.integers(0, len(noise) - len(mixed))
            mixed += noise[start : start + len(mixed)] * draw.uniform(0.01, 1)
        image[:] = bytes_of(log_mel(mixed[None], _FRONT_END, keep_steady=True)[0, 0])
    return images


if __name__ == "__main__":
    sys.exit(main())
