"""Compute log-mel features: the image of a recording that a network gets as its input.

A recording becomes an image of ``bands`` rows (pitch, low to high) by ``frames`` columns (time): the short-time power
spectrum, summed into bands as the ear does (Slaney's mel scale), in decibels below the loudest spot of the recording.

    waveform  (samples,)          minus its mean, which is a microphone's offset and no sound; then zero-padded by
                                  window // 2 at both ends, so that frame t is centred on sample t * hop
    frames    (frames, window)    times a periodic Hann window
    power     (frames, window // 2 + 1)
    mel       (frames, bands)     each filter a triangle of unit area over frequency, without what lies below 70 to
                                  86 Hz: mains hum, and no part of a voice
    features  (1, bands, frames)  (max(dB, floor_db) + offset_db) / scale_db, where 0 dB is the loudest element

A clip in which nothing could be a voice has the features of a clip of zeros: see :mod:`sparsenet.speech.gate`.

Source: Malcolm Slaney, Auditory Toolbox 2, Interval Research 1998-010, for the mel scale and its filters.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet.errors import SparsenetError
from sparsenet.given import given_array
from sparsenet.speech.front_end import FrontEnd
from sparsenet.speech.gate import LOWEST_OF_A_VOICE_HZ, sounding, without_voice

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["FrontEnd", "log_mel"]

_QUIETEST_POWER = 1e-10  # what silence counts as; the value librosa uses
_LOUDEST = np.finfo(np.float32).max
# Elements transformed at a time. 8 frames of 2048 stay in the cache and below malloc's mmap threshold: 0.32 ms a clip;
# all 32 frames at once took 0.61 ms, most of it page faults.
_CHUNK_ELEMENTS = 2**14
# Frequencies below the first are dropped, those above the second kept: mains hum is below, the lowest voices above. The
# spectrum of a 60 Hz tone under the Hann window ends at 76 Hz.
_LOW_CUT_HZ = 70.0, 86.0
# Mains hum lies from here to the end of the cut. It does not count when a clip is searched for a voice.
_HUM_HZ = 34.0


def log_mel(
    waveforms: ArrayLike, front_end: FrontEnd | None = None, *, keep_steady: bool = False
) -> NDArray[np.float32]:
    """Turn waveforms into log-mel features.

    Parameters
    ----------
    waveforms : (B, samples) float
        Sound between -1 and 1 (only the quietest sounds depend on the scale: features are relative to the loudest).
    front_end : FrontEnd, optional
        Sizes and scale; the default front end when left out.
    keep_steady : bool
        Whether a clip in which nothing could be a voice, hum or a tone that stands still, keeps features of its own.
        Otherwise it has those of silence, which is what networks for speech take it for.

    Returns
    -------
    (B, 1, bands, frames) float32
        Between ``(floor_db + offset_db) / scale_db`` and ``offset_db / scale_db``: -1 to 1 by default. The loudest
        element of every clip has the upper value; a clip of zeros, or without a voice, has it everywhere.

    Raises
    ------
    TypeError
        If the waveforms are not floating-point numbers.
    SparsenetError
        If their shape does not fit the front end, or they hold NaN or infinity.

    Examples
    --------
    >>> log_mel(np.zeros((2, 16_000), np.float32)).shape
    (2, 1, 32, 32)
    """
    front_end = FrontEnd() if front_end is None else front_end
    checked = _checked_waveforms(waveforms, front_end)
    places = sounding(checked)
    mel, voice = _mel_power(checked, places, front_end)
    if not keep_steady:
        mel[without_voice(voice, mel, places, front_end)] = 0
    decibels = 10.0 * np.log10(np.maximum(mel, _QUIETEST_POWER))
    decibels -= decibels.max(axis=(1, 2), keepdims=True)
    np.maximum(decibels, front_end.floor_db, out=decibels)
    features = (decibels + front_end.offset_db) / front_end.scale_db
    return np.ascontiguousarray(features.transpose(0, 2, 1)[:, None], dtype=np.float32)


def _mel_power(
    waveforms: NDArray[np.float32], places: NDArray[np.int64], front_end: FrontEnd
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each frame's power, by band and of a voice and of all but hum: (B, frames, bands) and (B, frames, 2)."""
    import scipy.fft

    padded = _centred(waveforms, places, front_end.window // 2)
    starts = np.lib.stride_tricks.sliding_window_view(padded, front_end.window, axis=1)[:, :: front_end.hop]
    filters = _heard_filters(front_end.sample_rate_hz, front_end.window, front_end.bands)
    bins_per_hz = front_end.window / front_end.sample_rate_hz
    first_of_a_voice = math.ceil(LOWEST_OF_A_VOICE_HZ * bins_per_hz)
    hum, above_hum = math.floor(_HUM_HZ * bins_per_hz), math.ceil(_LOW_CUT_HZ[1] * bins_per_hz)
    hann = _hann(front_end.window)
    B, frames = len(waveforms), front_end.frames
    mel, voice = np.empty((B * frames, front_end.bands)), np.empty((B * frames, 2))
    step = max(1, _CHUNK_ELEMENTS // front_end.window)
    for first in range(0, len(mel), step):
        clip, frame = np.divmod(np.arange(first, min(first + step, len(mel))), frames)
        # float64: a float32 transform is 1.7 times faster, but is wrong by 0.01 dB next to a pure tone.
        spectrum = scipy.fft.rfft(starts[clip, frame] * hann, axis=1, overwrite_x=True)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        # A sparse product: every frequency lies in two filters at most, and BLAS threads would only spin.
        mel[first : first + step] = (filters @ power.T).T
        voice[first : first + step, 0] = power[:, first_of_a_voice:].sum(axis=1)
        voice[first : first + step, 1] = power[:, :hum].sum(axis=1) + power[:, above_hum:].sum(axis=1)
    return mel.reshape(B, frames, front_end.bands), voice.reshape(B, frames, 2)


def _centred(waveforms: NDArray[np.float32], places: NDArray[np.int64], half: int) -> NDArray[np.float32]:
    """Pad every clip by ``half`` a window at both ends, and subtract its mean where it sounds, not from the padding."""
    padded = np.pad(waveforms, ((0, 0), (half, half)))
    for clip, (begin, end) in zip(padded, places + half, strict=True):
        centred = np.subtract(clip[begin:end], clip[begin:end].mean(dtype=np.float64), dtype=np.float64)
        clip[begin:end] = np.clip(centred, -_LOUDEST, _LOUDEST)  # the difference of two loud samples may be beyond it
    return padded


@lru_cache(maxsize=8)
def _hann(window: int) -> NDArray[np.float64]:
    """Return the periodic Hann window."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
    hann.flags.writeable = False
    return hann


@lru_cache(maxsize=8)
def _mel_filters(sample_rate_hz: int, window: int, bands: int) -> csr_array:
    """Return the mel filters from 0 to half the sample rate: (bands, window // 2 + 1)."""
    from scipy.sparse import csr_array

    edges_hz = _mel_to_hz(np.linspace(0.0, _hz_to_mel(sample_rate_hz / 2), bands + 2))
    low, mid, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    frequency_hz = np.fft.rfftfreq(window, 1.0 / sample_rate_hz)
    rising = (frequency_hz - low) / (mid - low)
    falling = (high - frequency_hz) / (high - mid)
    triangle = np.maximum(0.0, np.minimum(rising, falling))
    return csr_array(triangle * (2.0 / (high - low)))


@lru_cache(maxsize=8)
def _heard_filters(sample_rate_hz: int, window: int, bands: int) -> csr_array:
    """Return the mel filters without the frequencies that are cut off."""
    from scipy.sparse import csr_array

    return csr_array(_mel_filters(sample_rate_hz, window, bands) * _low_cut(sample_rate_hz, window))


def _low_cut(sample_rate_hz: int, window: int) -> NDArray[np.float64]:
    """Return the share of each frequency's power that is kept: (window // 2 + 1,)."""
    silent_hz, full_hz = _LOW_CUT_HZ
    frequency_hz = np.fft.rfftfreq(window, 1.0 / sample_rate_hz)
    return np.clip((frequency_hz - silent_hz) / (full_hz - silent_hz), 0.0, 1.0)


def _hz_to_mel(frequency_hz: float) -> float:
    """Return the mel of a frequency: linear below 1 kHz, 27 steps to each factor of 6.4 above."""
    if frequency_hz < 1_000.0:
        return frequency_hz * 3.0 / 200.0
    return 15.0 + 27.0 * math.log(frequency_hz / 1_000.0) / math.log(6.4)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the frequencies of mels: the inverse of ``_hz_to_mel``."""
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1_000.0 * np.exp((mel - 15.0) * math.log(6.4) / 27.0))


def _checked_waveforms(waveforms: ArrayLike, front_end: FrontEnd) -> NDArray[np.float32]:
    """Return the waveforms as finite float32 (B, samples)."""
    array = given_array(waveforms, "waveforms")
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(f"expected floating-point waveforms in [-1, 1], got {array.dtype}; divide int16 by 32768")
    if array.ndim != 2 or array.shape[1] != front_end.samples:
        raise SparsenetError(
            f"expected waveforms of shape (B, {front_end.samples}), got {array.shape}; "
            "sparsenet.speech.windows cuts or pads a recording to this length"
        )
    with np.errstate(over="ignore"):
        single = array.astype(np.float32, copy=False)
    if not np.isfinite(single).all():
        raise SparsenetError("expected finite waveforms, got NaN or infinity")
    return single
