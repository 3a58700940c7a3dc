"""Measure a network under noise: recordings of held-out people with more and more of it.

    noisy = (1 - level) * waveform + level * uniform(-1, 1)        level = 0, 0.05 ... 0.50

Source: Ahmad and Scheinkman, "How Can We Be So Dense?", arXiv 1903.11257, for the mix and the levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparsenet.errors import AudioError
from sparsenet.speech.audio import read_audio
from sparsenet.speech.dataset import LABELS
from sparsenet.speech.features import log_mel
from sparsenet.speech.windowing import windows

__all__ = ["LEVELS", "noisy_features", "people_waveforms"]

LEVELS = tuple(round(0.05 * step, 2) for step in range(11))
"""Shares of noise."""

RATE_HZ, SAMPLES = 16_000, 16_000
DIGITS = LABELS[2:]


def people_waveforms(folder: Path, people: Iterable[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read the recordings of some people: files named ``<digit>_<speaker>_<take>.wav``.

    Parameters
    ----------
    folder : Path
    people : iterable of str

    Returns
    -------
    waveforms : (n, 16000) float32
        Each centred in a second of silence.
    classes : (n,) int64
        Positions in ``LABELS``.

    Raises
    ------
    AudioError
        When there is none of them.
    """
    wanted = set(people)
    files = [path for path in sorted(Path(folder).glob("*_*_*.wav")) if path.stem.split("_")[1] in wanted]
    if not files:
        raise AudioError(f"expected recordings <digit>_<speaker>_<take>.wav of {', '.join(wanted)} in {folder}")
    waveforms = np.stack([windows(read_audio(path, RATE_HZ), SAMPLES)[0] for path in files])
    classes = [LABELS.index(DIGITS[int(path.stem.split("_")[0])]) for path in files]
    return waveforms, np.array(classes, np.int64)


def noisy_features(waveforms: NDArray[np.float32], seed: int = 0) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Yield each level with the features (n, 1, 32, 32) of the recordings at that level."""
    for level in LEVELS:
        r = np.random.default_rng((seed, round(level * 100)))
        noise = r.uniform(-1, 1, waveforms.shape).astype(np.float32)
        yield level, log_mel((1 - np.float32(level)) * waveforms + np.float32(level) * noise)
