"""Decide whether a clip could hold a voice; hum, buzzing and steady sounds count as silence.

Features are relative to the loudest element of a clip. Where that is mains hum or the offset of a microphone, they show
nothing else. A network that was not trained on such clips gives an arbitrary answer: the bundled ones answered "nine".
Two rules find such clips. Neither refused a word in 2,200 recordings and clips that were tried (the closest had -12 dB
for the first rule, and 1.5 times the range for the second).

    low     all but 1/64 of the power (-18 dB) lies below 300 Hz, as in rumble, a step, a drifting offset: words have
            their first formant above that. Mains hum does not count, since it is not heard anyway
    steady  in no band does the loudness change by more than 8 dB (by 1 dB for each frame, where there are fewer than 8)
            while the recording lasts, as in a buzz, a tone, a fan
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsenet.speech.front_end import FrontEnd

__all__ = ["LOWEST_OF_A_VOICE_HZ", "sounding", "without_voice"]

LOWEST_OF_A_VOICE_HZ = 300.0
LEAST_OF_A_VOICE = 1 / 64

FEWEST_FRAMES = 3
"""With fewer frames, nobody can tell whether a sound is steady."""

LARGEST_RANGE_DB = 8.0
QUIET_DB = 40.0
"""Elements that are quieter than the loudest one by this are not looked at, since noise changes all the time."""

MIDDLE = 0.1, 0.9
"""The quantiles between which the range is taken, so that a click in one of ten frames does not count as a word."""


def without_voice(
    voice: NDArray[np.float64], mel: NDArray[np.float64], places: NDArray[np.int64], front_end: FrontEnd
) -> NDArray[np.bool_]:
    """Tell which clips hold nothing that could be a voice.

    Parameters
    ----------
    voice : (B, frames, 2)
        Power of each frame: above :data:`LOWEST_OF_A_VOICE_HZ`, and of everything but mains hum.
    mel : (B, frames, bands)
        Power of each frame and band.
    places : (B, 2)
        As :func:`sounding` gives them.
    front_end : FrontEnd

    Returns
    -------
    (B,) bool
    """
    above, whole = voice.sum(axis=1).T
    steady = [_stands_still(clip[_inside(place, front_end)]) for clip, place in zip(mel, places, strict=True)]
    low: NDArray[np.bool_] = above < LEAST_OF_A_VOICE * whole
    low |= np.array(steady, bool)
    return low


def sounding(waveforms: NDArray[np.float32]) -> NDArray[np.int64]:
    """Find where the sound of each clip begins and ends; zeros before and behind it are padding.

    Examples
    --------
    >>> sounding(np.array([[0, 0, 1, 0, 2, 0], [0, 0, 0, 0, 0, 0]], np.float32))
    array([[2, 5],
           [0, 6]])
    """
    sounds = waveforms != 0
    begins = sounds.argmax(axis=1)
    ends = waveforms.shape[1] - sounds[:, ::-1].argmax(axis=1)
    return np.stack([begins, ends], axis=1)


def _inside(place: NDArray[np.int64], front_end: FrontEnd) -> NDArray[np.bool_]:
    """Tell which frames lie within the recording; the others reach beyond its beginning or its end."""
    middle, half = np.arange(front_end.frames) * front_end.hop, front_end.window // 2
    inside: NDArray[np.bool_] = (middle - half >= place[0]) & (middle + half <= place[1])
    return inside


def _stands_still(frames: NDArray[np.float64]) -> bool:
    """Tell whether no band of some frames (n, bands) changes its loudness."""
    if len(frames) < FEWEST_FRAMES or not frames.max() > 0:
        return False
    decibels = 10 * np.log10(np.maximum(frames, frames.max() * 10 ** (-QUIET_DB / 10)))
    low, high = np.quantile(decibels, MIDDLE, axis=0)
    return bool((high - low).max() < min(len(frames), LARGEST_RANGE_DB))
