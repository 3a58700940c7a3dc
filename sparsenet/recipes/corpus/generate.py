"""Make the corpus: plan who says what, speak, record, and list which file belongs to which split.

root/
    seven/3c8e322c_nohash_0.wav      16 kHz, 16 bits, one channel, exactly one second
    _background_noise_/pink.wav      half a minute each of six noises
    validation_list.txt  testing_list.txt
    speakers.tsv                     speaker, engine, voice, split
    seed.txt                         what the folder was made from; another seed needs another folder
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sparsenet.errors import AudioError, SparsenetError
from sparsenet.progress import tracked
from sparsenet.recipes.corpus.noises import babble_sources, write_noises
from sparsenet.recipes.corpus.rooms import recorded
from sparsenet.recipes.corpus.sound import Floats, SampledSound, draws, read_wav, write_wav
from sparsenet.recipes.corpus.speak import Saying, Speak
from sparsenet.recipes.corpus.synthesizers import Synthesizer, synthesizers
from sparsenet.recipes.corpus.voices import VOICES, WORDS, Voice
from sparsenet.recipes.workers import work_through
from sparsenet.speech.dataset import NOISE_FOLDER
from sparsenet.speech.splits import LIST_FILES, SPLITS, Split, speaker_of

__all__ = ["CorpusReport", "make_corpus"]

_SEED_FILE = "seed.txt"
_SPREAD: dict[Split, float] = {"train": 0.12, "validation": 0.06, "test": 0.06}  # of pitch and formants
_SHORTEST_SAMPLES, _QUIETEST = 800, 1e-3

_Task = tuple[Voice, str]


@dataclass(frozen=True)
class CorpusReport:
    """What one run added to a corpus, and what it could not make.

    Attributes
    ----------
    clips : mapping of split to int
        Files of each split that lie in the folder now.
    written : int
        Those that this run wrote; the others were there.
    failed : int
        Utterances that a synthesizer was asked for and did not give.
    missing : tuple of str
        One sentence for each synthesizer that is not installed, and for each voice that said nothing.
    """

    clips: Mapping[Split, int]
    written: int
    failed: int
    missing: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Studio:
    """What the tasks of all utterances share."""

    root: Path
    seed: int
    noises: tuple[Floats, ...]
    speak: Mapping[str, Speak]


def make_corpus(
    root: str | os.PathLike[str],
    *,
    scale: float = 1.0,
    seed: int = 0,
    words: Sequence[str] = WORDS,
    jobs: int = 1,
    voices: Sequence[Voice] = VOICES,
    engines: Sequence[Synthesizer] | None = None,
    progress: bool | None = None,
) -> CorpusReport:
    """Let all installed synthesizers say all words, and record them in the layout of Google Speech Commands.

    Files that are there are kept, so a run that was interrupted goes on where it stopped. The same seed gives the same
    files, whatever the number of processes, as long as the versions of the synthesizers stay the same.

    Parameters
    ----------
    root : path
        A new or empty folder, or one that this function made with the same seed.
    scale : float
        Multiplies how often each voice says each word (at least once): 1.0 gives 21,665 clips, 700 MB.
    seed : int
    words : sequence of str
        English words of plain letters.
    jobs : int
        Processes.
    voices : sequence of Voice
    engines : sequence of Synthesizer, optional
        All six when left out, gnuspeech only where ``synthesizers(npm)`` is given its folder.
    progress : bool or None
        Whether progress is shown: always, never, or (None) in terminals and notebooks.

    Returns
    -------
    CorpusReport

    Raises
    ------
    AudioError
        If no synthesizer is installed, or the folder was made by something else.
    SparsenetError
        If an argument is out of range, or a speaker would be in two splits.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> make_corpus(mkdtemp(), engines=[])
    Traceback (most recent call last):
        ...
    sparsenet.errors.AudioError: expected a speech synthesizer, found none installed
    """
    root = Path(root)
    planned = _planned(voices, scale)
    _check_words(words)
    installed, missing = _installed(synthesizers() if engines is None else engines)
    _check_folder(root, seed)
    heard = [voice for voice in planned if voice.engine in installed]
    studio = _Studio(root, seed, _noises(root / NOISE_FOLDER, seed, installed), installed)
    tasks = [(voice, word) for voice in heard for word in words]
    random.Random(0).shuffle(tasks)  # slow synthesizers spread evenly, so that progress predicts the time left
    written = _record_all(studio, tasks, jobs, progress)
    clips = _write_lists(root, [*VOICES, *heard])
    silent = [f"{voice.engine} {voice.name} said nothing; is this voice installed?" for voice in heard]
    said = {speaker_of(path.name) for path in _clips(root)}
    missing += [text for voice, text in zip(heard, silent, strict=True) if voice.speaker not in said]
    wanted = sum(voice.takes for voice, _ in tasks)
    there = sum((root / word / _file(voice, take)).exists() for voice, word in tasks for take in range(voice.takes))
    return CorpusReport(clips, written, wanted - there, tuple(missing))


def _planned(voices: Sequence[Voice], scale: float) -> list[Voice]:
    """Return the voices with the number of takes that the scale asks for."""
    if not 0 < scale <= 1_000:
        raise SparsenetError(f"expected scale in (0, 1000], got {scale}")
    split_of = {voice.speaker: voice.split for voice in VOICES}
    for voice in voices:
        if split_of.setdefault(voice.speaker, voice.split) != voice.split:
            raise SparsenetError(f"expected each speaker in one split, {voice.engine} {voice.name} is in two")
    return [replace(voice, takes=max(1, round(voice.takes * scale))) for voice in voices]


def _check_words(words: Sequence[str]) -> None:
    """Refuse anything but plain letters: words become names of folders, and part of the synthesizers' commands."""
    strange = [word for word in words if not re.fullmatch("[a-z]+", word)]
    if strange or not words:
        raise SparsenetError(
            f"expected words of the letters a to z, got {strange[0]!r}" if strange else "expected words"
        )


def _installed(engines: Sequence[Synthesizer]) -> tuple[dict[str, Speak], list[str]]:
    """Return the synthesizers that are there by name, and what to say of the others."""
    speak = {engine.name: engine.speak for engine in engines if engine.is_installed()}
    missing = [f"{one.name} is not installed, skipped: {one.install}" for one in engines if one.name not in speak]
    if not speak:
        raise AudioError("\n".join(["expected a speech synthesizer, found none installed", *missing]))
    return speak, missing


def _check_folder(root: Path, seed: int) -> None:
    """Refuse a folder that holds something else; write down the seed of a new one."""
    said = root / _SEED_FILE
    root.mkdir(parents=True, exist_ok=True)
    found = said.read_text(encoding="utf-8").strip() if said.is_file() else None
    if found is None and any(root.iterdir()):
        raise AudioError(f"expected a new folder at {root}, or one made by this command; found other files there")
    if found not in (None, str(seed)):
        raise AudioError(f"expected the seed {found} that {root} was made with, got {seed}; choose another folder")
    said.write_text(f"{seed}\n", encoding="utf-8")


def _noises(folder: Path, seed: int, speak: Mapping[str, Speak]) -> tuple[Floats, ...]:
    """Write the noises and read them again as all processes will."""
    write_noises(folder, seed, babble_sources(seed) if "espeak" in speak else [])
    return tuple(read_wav(path).waveform for path in sorted(folder.glob("*.wav")))


def _record_all(studio: _Studio, tasks: Sequence[_Task], jobs: int, progress: bool | None) -> int:
    """Record every word by every voice; return how many files were written."""
    return sum(tracked(work_through(_record, studio, tasks, jobs), "speaking", progress, len(tasks)))


def _record(studio: _Studio, task: _Task) -> int:
    """Let one voice say one word as often as files are missing; return how many were written."""
    voice, word = task
    paths = [studio.root / word / _file(voice, take) for take in range(voice.takes)]
    missing = [take for take, path in enumerate(paths) if not path.exists()]
    if not missing:
        return 0
    saying = Saying(voice.engine, voice.name, word, voice.takes, studio.seed)
    sounds = dict(enumerate(studio.speak[voice.engine](saying)))
    audible = [(take, sound) for take in missing if (sound := sounds[take]) is not None and _is_audible(sound)]
    for take, sound in audible:
        draw = draws(studio.seed, "fx", voice.engine, voice.name, word, take)
        write_wav(paths[take], recorded(sound, draw, studio.noises, _SPREAD[voice.split]))
    return len(audible)


def _file(voice: Voice, take: int) -> str:
    return f"{voice.speaker}_nohash_{take}.wav"


def _is_audible(sound: SampledSound) -> bool:
    return len(sound.waveform) >= _SHORTEST_SAMPLES and bool(np.abs(sound.waveform).max() >= _QUIETEST)


def _clips(root: Path) -> Iterable[Path]:
    return (path for path in root.glob("[a-z]*/*_nohash_*.wav"))


def _write_lists(root: Path, voices: Sequence[Voice]) -> dict[Split, int]:
    """Write the lists of all clips in the folder, not only of this run's words, so that no voice loses its split."""
    voice_of = {voice.speaker: voice for voice in voices}
    listed: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for path in _clips(root):
        listed[voice_of[speaker_of(path.name)].split].append(f"{path.parent.name}/{path.name}")
    for split, name in LIST_FILES.items():
        _write_lines(root / name, sorted(listed[split]))
    said = {speaker_of(path.name) for path in _clips(root)}
    rows = [(one.speaker, one.engine, one.name, one.split) for one in voice_of.values() if one.speaker in said]
    _write_lines(root / "speakers.tsv", ["\t".join(row) for row in [("speaker", "engine", "voice", "split"), *rows]])
    return {split: len(clips) for split, clips in listed.items()}


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
