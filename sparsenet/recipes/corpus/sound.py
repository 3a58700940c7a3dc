"""Waveforms of the corpus: reading and writing WAV files with the standard library, another rate, no silence around."""

from __future__ import annotations

import hashlib
import io
import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

__all__ = ["RATE_HZ", "Floats", "SampledSound", "at_rate", "draws", "read_wav", "trimmed", "write_wav"]

RATE_HZ = 16_000
"""Samples a second of every file of the corpus; a file holds as many."""

Floats = NDArray[np.float32]

_MOST_FRAMES = 2**28  # espeak-ng writes to a pipe and does not know the length: its header claims 2 GiB
_FINEST_RATIO = 400
_TRIM_FRAME, _TRIM_DB = 160, -38.0
_FRAMES_BEFORE, _FRAMES_AFTER = 2, 4


@dataclass(frozen=True, eq=False)
class SampledSound:
    """A waveform (n,) in [-1, 1] and its samples a second."""

    waveform: Floats
    rate_hz: int


def draws(*key: object) -> np.random.Generator:
    """Make a generator of random numbers that depends on nothing but its key, on any machine and in any process."""
    digest = hashlib.sha256("|".join(map(str, key)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def read_wav(source: Path | bytes) -> SampledSound:
    """Read the first channel of a 16-bit WAV file, or of the bytes of one."""
    with wave.open(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as file:
        rate_hz, channels = file.getframerate(), file.getnchannels()
        if file.getsampwidth() != 2:
            raise wave.Error(f"expected 16-bit samples, got {8 * file.getsampwidth()}-bit ones")
        raw = file.readframes(min(file.getnframes(), _MOST_FRAMES))
    whole = len(raw) // (2 * channels) * 2 * channels
    samples = np.frombuffer(raw[:whole], dtype="<i2").reshape(-1, channels)[:, 0]
    return SampledSound(np.asarray(samples.astype(np.float32) / 32768, np.float32), rate_hz)


def write_wav(path: Path, waveform: Floats) -> None:
    """Write a waveform in [-1, 1] at 16 kHz; the file appears under its name when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with wave.open(str(partial), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((waveform * 32767).astype("<i2").tobytes())
    partial.replace(path)


def at_rate(sound: SampledSound, faster: float = 1.0) -> Floats:
    """Resample to 16 kHz; ``faster`` above one also raises pitch and formants, and shortens the word."""
    ratio = Fraction(RATE_HZ / (sound.rate_hz * faster)).limit_denominator(_FINEST_RATIO)
    return np.asarray(resample_poly(sound.waveform, ratio.numerator, ratio.denominator), np.float32)


def trimmed(waveform: Floats) -> Floats:
    """Cut what is 38 dB below the loudest 10 ms from both ends, but keep 20 ms before and 40 ms after the word."""
    frames = len(waveform) // _TRIM_FRAME
    if frames < 3:
        return waveform
    power = (waveform[: frames * _TRIM_FRAME].reshape(frames, _TRIM_FRAME) ** 2).mean(axis=1)
    level = np.sqrt(power + 1e-12)
    heard = np.flatnonzero(level > level.max() * 10 ** (_TRIM_DB / 20))
    first, last = max(0, heard[0] - _FRAMES_BEFORE), min(frames, heard[-1] + _FRAMES_AFTER)
    return waveform[first * _TRIM_FRAME : last * _TRIM_FRAME]
