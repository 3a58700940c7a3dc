"""Draw random views of a clip for training: faster or slower, shifted in time, in telephone quality, in noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sparsenet.errors import SparsenetError

__all__ = ["at_speed", "in_noise", "narrowband", "random_view", "shifted"]

Floats = NDArray[np.float32]

_RATE_HZ = 16_000
_FARTHEST_SHIFT = 1_600  # samples: a tenth of a second
_BANDS_HZ = (3_400, 3_800, 4_000, 5_500)
_STOPPED = 1e-4  # amplitude above the band: -80 dB, the floor of the features


def random_view(waveform: Floats, draw: np.random.Generator, noises: Sequence[Floats]) -> Floats:
    """Draw a view of a clip.

    Parameters
    ----------
    waveform : (n,) float32
        At 16 kHz.
    draw : Generator
        Everything random comes from here.
    noises : sequence of (m,) float32
        At 16 kHz, each longer than the clip.

    Returns
    -------
    (n,) float32
        Half of the views have another speed, half have noise, 30 % are narrowband, and all are shifted.

    Raises
    ------
    SparsenetError
        If there is no noise, or one is not longer than the clip.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> noise = draw.standard_normal(32_000).astype(np.float32)
    >>> random_view(np.ones(16_000, np.float32), draw, [noise]).shape
    (16000,)
    """
    if not noises or min(map(len, noises)) <= len(waveform):
        raise SparsenetError(f"expected noises of more than {len(waveform)} samples each, got {[*map(len, noises)]}")
    view = waveform
    if draw.random() < 0.5:
        view = at_speed(view, draw.uniform(0.87, 1.15))
    view = shifted(view, int(draw.integers(-_FARTHEST_SHIFT, _FARTHEST_SHIFT + 1)))
    if draw.random() < 0.3:
        view = narrowband(view, float(draw.choice(_BANDS_HZ)))
    if draw.random() < 0.5:
        noise = noises[int(draw.integers(len(noises)))]
        start = draw.integers(0, len(noise) - len(view))
        view = in_noise(view, noise[start : start + len(view)], draw.uniform(3, 35))
    return view


def at_speed(waveform: Floats, faster: float) -> Floats:
    """Play a clip faster or slower, which also changes its pitch; its middle and its length stay the same."""
    samples = len(waveform)
    length = int(samples / faster)
    played: Floats = np.interp(np.arange(length) * faster, np.arange(samples), waveform).astype(np.float32)
    if length >= samples:
        return played[(length - samples) // 2 :][:samples]
    before = (samples - length) // 2
    return np.pad(played, (before, samples - length - before))


def shifted(waveform: Floats, later: int) -> Floats:
    """Move a clip by some samples, back where ``later`` is negative; zeros come in.

    Examples
    --------
    >>> shifted(np.array([1, 2, 3], np.float32), -1)
    array([2., 3., 0.], dtype=float32)
    """
    moved = np.zeros_like(waveform)
    if later >= 0:
        moved[later:] = waveform[: max(0, len(waveform) - later)]
    else:
        moved[:later] = waveform[-later:]
    return moved


def narrowband(waveform: Floats, band_hz: float) -> Floats:
    """Keep the frequencies below a limit, as a recording at twice that rate does."""
    spectrum = np.fft.rfft(waveform)
    spectrum[int(len(waveform) * band_hz / _RATE_HZ) :] *= _STOPPED
    return np.asarray(np.fft.irfft(spectrum, len(waveform)), np.float32)


def in_noise(waveform: Floats, noise: Floats, quieter_db: float) -> Floats:
    """Add noise of the same length that is so many decibels quieter than the clip."""
    loudness, noise_loudness = np.sqrt((waveform**2).mean()), np.sqrt((noise**2).mean()) + 1e-9
    gain = loudness / noise_loudness * 10 ** (-quieter_db / 20)
    return np.asarray(waveform + gain * noise, np.float32)
