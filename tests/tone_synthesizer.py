"""A synthesizer for tests: says every word as a tone. Its own module, so that new processes can import it."""

import numpy as np

from sparsenet.recipes.corpus import Voice
from sparsenet.recipes.corpus.sound import SampledSound
from sparsenet.recipes.corpus.synthesizers import Synthesizer

VOICES = (Voice("tones", "low", "train", 2), Voice("tones", "mid", "validation", 1), Voice("tones", "high", "test", 3))
PITCH_HZ = {"low": 200, "mid": 500, "high": 1500}


def tones(saying):
    """Say a word for half a second, at another rate than that of the corpus, each take at its own pitch."""
    draw = saying.draws()
    time_s = np.arange(11_025) / 22_050
    pitches = [PITCH_HZ[saying.voice] * draw.uniform(0.9, 1.1) for _ in range(saying.takes)]
    return [SampledSound(np.sin(2 * np.pi * pitch * time_s).astype(np.float32) / 2, 22_050) for pitch in pitches]


def nothing(saying):
    """Fail to say anything."""
    return [None] * saying.takes


def whisper(saying):
    """Say something that nobody hears."""
    return [SampledSound(np.full(8_000, 1e-5, np.float32), 16_000)] * saying.takes


def is_there():
    """Say that it is installed."""
    return True


def is_not_there():
    """Say that it is not installed."""
    return False


def synthesizer(speak=tones, is_installed=is_there):
    """Make the synthesizer of the voices above."""
    return Synthesizer("tones", speak, "build a tone generator", is_installed)
