"""Make noises without words: the background of utterances, and the clips that a network must call silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from sparsenet.recipes.corpus.sound import RATE_HZ, Floats, at_rate, draws, write_wav
from sparsenet.recipes.corpus.speak import espeak_text
from sparsenet.recipes.corpus.voices import BABBLE_VOICES

__all__ = ["babble", "babble_sources", "clatter", "coloured", "hum", "write_noises"]

_LENGTH = 30 * RATE_HZ
_LEVEL = 0.8
_LOWEST_HZ = 20.0
_BABBLING = "the quick brown fox and some other people talk in a room about nothing much"
_BABBLE_SOURCES, _TALKERS = 60, 7


def write_noises(folder: Path, seed: int, sources: Sequence[Floats]) -> None:
    """Write half a minute of each noise to a folder; no babble where there are no sources for it."""
    kinds: dict[str, Callable[[np.random.Generator], Floats]] = {
        "white": partial(coloured, _LENGTH, 0),
        "pink": partial(coloured, _LENGTH, 1),
        "brown": partial(coloured, _LENGTH, 2),
        "hum": partial(hum, _LENGTH),
        "clatter": partial(clatter, _LENGTH),
        "babble": partial(babble, _LENGTH, sources),
    }
    draw = draws(seed, "noise")  # one stream for all, in this order
    for kind, noise in kinds.items():
        if kind != "babble" or sources:
            write_wav(folder / f"{kind}.wav", noise(draw) * np.float32(_LEVEL))


def babble_sources(seed: int) -> list[Floats]:
    """Let sixty variants of espeak-ng say a sentence."""
    variants = [BABBLE_VOICES[index % len(BABBLE_VOICES)] for index in range(_BABBLE_SOURCES)]
    said = (espeak_text(_BABBLING, name, draws(seed, "babble", index)) for index, name in enumerate(variants))
    return [at_rate(sound) for sound in said]


def coloured(length: int, slope: float, draw: np.random.Generator) -> Floats:
    """Draw noise whose power falls with frequency to the power of ``slope``: 0 white, 1 pink, 2 brown."""
    frequency_hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
    spectrum = draw.standard_normal(len(frequency_hz)) + 1j * draw.standard_normal(len(frequency_hz))
    spectrum *= np.maximum(frequency_hz, _LOWEST_HZ) ** (-slope / 2)
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / (np.abs(noise).max() + 1e-9), np.float32)


def hum(length: int, draw: np.random.Generator) -> Floats:
    """Draw the hum of a machine on the mains: fifteen harmonics over some pink noise."""
    time_s = np.arange(length) / RATE_HZ
    mains_hz = draw.choice([50.0, 60.0, 120.0])
    noise = np.zeros(length)
    for harmonic in range(1, 16):
        phase, fall = draw.uniform(0, 6), draw.uniform(0.8, 2)
        noise += np.sin(2 * np.pi * mains_hz * harmonic * time_s + phase) / harmonic**fall
    mixed = noise / np.abs(noise).max() * 0.8 + 0.2 * coloured(length, 1, draw)
    return np.asarray(mixed, np.float32)


def clatter(length: int, draw: np.random.Generator) -> Floats:
    """Draw the clatter of dishes: short resonant bursts at random times."""
    noise = np.zeros(length, np.float32)
    for start in draw.integers(0, length, size=max(3, length // 6000)):
        burst_length = int(draw.integers(400, 3000))
        burst = draw.standard_normal(burst_length) * np.exp(-np.arange(burst_length) / draw.uniform(40, 500))
        pitch = draw.uniform(0.02, 0.45)
        burst = lfilter([1, 0, -1], [1, -2 * 0.95 * np.cos(np.pi * pitch), 0.9], burst)
        end = min(length, start + burst_length)
        noise[start:end] += (burst * draw.uniform(0.05, 1))[: end - start]
    mixed = noise / (np.abs(noise).max() + 1e-9) * 0.9 + 0.02 * coloured(length, 1, draw)
    return np.asarray(mixed, np.float32)


def babble(length: int, sources: Sequence[Floats], draw: np.random.Generator) -> Floats:
    """Let seven people talk at once, each with short breaks."""
    noise = np.zeros(length, np.float32)
    for _ in range(_TALKERS):
        start = 0
        while start < length:
            said = sources[int(draw.integers(len(sources)))] * draw.uniform(0.3, 1)
            end = min(length, start + len(said))
            noise[start:end] += said[: end - start]
            start = end + int(draw.integers(0, 3000))
    return np.asarray(noise / (np.abs(noise).max() + 1e-9), np.float32)
