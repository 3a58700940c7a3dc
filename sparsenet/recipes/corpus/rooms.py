"""Turn a dry synthetic voice into a plausible recording: add a room, a microphone, a place in the second, and noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import fftconvolve, lfilter

from sparsenet.recipes.corpus.sound import RATE_HZ, Floats, SampledSound, at_rate, trimmed

__all__ = ["in_room", "recorded", "through_microphone"]

_LONGEST_S, _SHORTENED_TO_S = 0.97, 0.95


def recorded(sound: SampledSound, draw: np.random.Generator, noises: Sequence[Floats], spread: float) -> Floats:
    """Make one second of recording from one dry utterance.

    Parameters
    ----------
    sound : SampledSound
    draw : Generator
        Everything random comes from here.
    noises : sequence of (n,) float32
        At 16 kHz, longer than a second each.
    spread : float
        Pitch and formants change by a factor from ``1 - spread`` to ``1 + spread``.

    Returns
    -------
    (16000,) float32
        The loudest sample lies between -22 and -0.5 dB.
    """
    word = _fitting(sound, draw.uniform(1 - spread, 1 + spread))
    word = word / (np.abs(word).max() + 1e-9)
    if draw.random() < 0.7:
        word = in_room(word, draw)
    if draw.random() < 0.7:
        word = through_microphone(word, draw)
    word = word[:RATE_HZ]
    noisy = _placed(word, draw) + _noise_behind(word, draw, noises)
    loud = noisy / (np.abs(noisy).max() + 1e-9) * 10 ** (-draw.uniform(0.5, 22) / 20)
    return np.asarray(loud, np.float32)


def in_room(waveform: Floats, draw: np.random.Generator) -> Floats:
    """Add the echo of a room: noise that decays by 60 dB in 40 to 350 ms, after the direct sound."""
    decay_s = draw.uniform(0.04, 0.35)
    length = int(RATE_HZ * decay_s)
    response = draw.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    response[: int(draw.integers(8, 60))] = 0  # the way to the nearest wall
    response *= 10 ** (-draw.uniform(3, 18) / 20) / (np.sqrt((response**2).sum()) + 1e-9)
    response[0] = 1
    return np.asarray(fftconvolve(waveform, response)[: len(waveform) + length // 2], np.float32)


def through_microphone(waveform: Floats, draw: np.random.Generator) -> Floats:
    """Tilt the spectrum by one random shelf of first order, as a microphone does."""
    return np.asarray(lfilter([1, -draw.uniform(-0.6, 0.6)], [1], waveform), np.float32)


def _fitting(sound: SampledSound, faster: float) -> Floats:
    """Resample and trim a word; one that is too long for a second is spoken faster."""
    word = trimmed(at_rate(sound, faster))
    if len(word) > RATE_HZ * _LONGEST_S:
        word = at_rate(SampledSound(word, RATE_HZ), len(word) / (RATE_HZ * _SHORTENED_TO_S))
    return word


def _placed(word: Floats, draw: np.random.Generator) -> Floats:
    """Put a word into a second, most often near the middle."""
    second = np.zeros(RATE_HZ, np.float32)
    start = int(np.clip(draw.normal(0.5, 0.2), 0, 1) * (RATE_HZ - len(word)))
    second[start : start + len(word)] = word
    return second


def _noise_behind(word: Floats, draw: np.random.Generator, noises: Sequence[Floats]) -> Floats:
    """Draw a second of noise, 12 to 45 dB quieter than the word."""
    loudness = np.sqrt((word**2).mean()) + 1e-9
    noise = noises[int(draw.integers(len(noises)))]
    start = draw.integers(0, len(noise) - RATE_HZ)
    noise = noise[start : start + RATE_HZ]
    scaled = noise * loudness / (np.sqrt((noise**2).mean()) + 1e-9) * 10 ** (-draw.uniform(12, 45) / 20)
    return np.asarray(scaled, np.float32)
