"""The voices of the corpus, and the split to which each belongs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sparsenet.speech.splits import Split

__all__ = ["BABBLE_VOICES", "VOICES", "WORDS", "Voice"]

WORDS = (
    *("backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward", "four", "go", "happy"),
    *("house", "learn", "left", "marvin", "nine", "no", "off", "on", "one", "right", "seven", "sheila", "six", "stop"),
    *("three", "tree", "two", "up", "visual", "wow", "yes", "zero"),
)
"""The words of Google Speech Commands."""


@dataclass(frozen=True)
class Voice:
    """One voice of one synthesizer.

    Parameters
    ----------
    engine : str
        The synthesizer: espeak, festival, flite, gnuspeech, pico or piper.
    name : str
        What the synthesizer calls the voice.
    split : {"train", "validation", "test"}
        Where all its utterances belong.
    takes : int
        How often it says each word.

    Examples
    --------
    >>> Voice("espeak", "Alex", "train", 5).speaker
    '3c8e322c'
    """

    engine: str
    name: str
    split: Split
    takes: int

    @property
    def speaker(self) -> str:
        """Eight hexadecimal digits, as file names of Google Speech Commands have them."""
        return hashlib.sha1(f"{self.engine}/{self.name}".encode(), usedforsecurity=False).hexdigest()[:8]


def _voices(engine: str, split: Split, takes: int, names: str) -> tuple[Voice, ...]:
    return tuple(Voice(engine, name, split, takes) for name in names.split())


_ESPEAK_TRAIN = _voices(
    "espeak",
    "train",
    5,
    "Alex Alicia Andy Annie AnxiousAndy Denis Diogo Gene Henrique Hugo Jacky Lee Marco Mario Mike Nguyen RicishayMax "
    "RicishayMax2 RicishayMax3 Storm Tweaky adam anika announcer aunty belinda benjamin boris caleb croak david ed "
    "edward edward2 f1 f2 f3 grandma grandpa gustave iven iven2 iven3 john kaukovalta klatt klatt2 klatt3 klatt4 "
    "klatt5 klatt6 linda m1 m2 m3 m5 m6 m7 marcelo max michel miguel norbert pablo paul pedro quincy rob robert sandro "
    "shelby steph steph2 travis victor whisper zac",
)

VOICES = (
    *_ESPEAK_TRAIN,
    *_voices("festival", "train", 20, "ked_diphone kal_diphone"),
    *_voices("gnuspeech", "train", 15, "male female large_child small_child"),
    *_voices("flite", "train", 20, "awb"),
    *_voices("pico", "train", 15, "de-DE es-ES fr-FR it-IT"),  # they read English with their own accent
    *_voices("espeak", "validation", 1, "Andrea Michael antonio f4 f5 m4 m8 steph3 iven4 Gene2"),
    *_voices("pico", "validation", 8, "en-GB"),
    *_voices("flite", "test", 6, "slt rms"),
    *_voices("festival", "test", 6, "cmu_us_slt_arctic_hts"),
    *_voices("pico", "test", 6, "en-US"),
    *_voices("piper", "test", 12, "joe"),
)
"""All voices. piper is heard only in the test, so that one synthesizer there has never been trained on."""

BABBLE_VOICES = tuple(voice.name for voice in _ESPEAK_TRAIN)
"""Variants of espeak that talk in the background."""
