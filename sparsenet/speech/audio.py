"""Sound files: find them, read them, cut them into windows of the length a network expects."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet.errors import AudioError, SparsenetError

__all__ = ["AUDIO_SUFFIXES", "find_audio", "read_audio", "windows"]

AUDIO_SUFFIXES = (".flac", ".oga", ".ogg", ".wav")

_FORMATS = {"FLAC", "OGG", "RF64", "WAV", "WAVEX"}
_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 1_000, 192_000
_LONGEST_S = 3_600
_BLOCK_ELEMENTS = 2**20  # decoded at a time: 4 MiB, whatever length a header claims
_LARGEST_ELEMENTS = 2**29  # of all windows of one recording: 2 GiB


def find_audio(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the sound files among files and folders.

    Parameters
    ----------
    paths : path or iterable of paths
        A file is taken as it is, whatever its name; a folder stands for the sound files in it and below it (known by
        their suffix, hidden ones left out), in alphabetical order. Links to folders are not followed.

    Returns
    -------
    list of Path
        In the order of the arguments, each file once.

    Raises
    ------
    AudioError
        If a path does not exist, or no sound file is found.

    Examples
    --------
    >>> from sparsenet.speech import recordings
    >>> len(find_audio(recordings()[0].path.parent)) == len(recordings())
    True
    """
    given = [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    found = dict.fromkeys(file for path in given for file in _files_at(path))
    if not found:
        places = ", ".join(str(path) for path in given) or "an empty list of paths"
        raise AudioError(f"expected sound files ({' '.join(AUDIO_SUFFIXES)}), found none in {places}")
    return list(found)


def read_audio(path: str | os.PathLike[str], rate_hz: int = 16_000) -> NDArray[np.float32]:
    """Read a WAV, FLAC or OGG file as one channel at a given rate.

    Channels are averaged; another rate is converted with a polyphase low-pass filter.

    Parameters
    ----------
    path : path
        The file; what it holds counts, not its suffix.
    rate_hz : int
        Samples a second of the result.

    Returns
    -------
    (n,) float32
        At least one sample, between -1 and 1 unless the file holds louder floating-point samples.

    Raises
    ------
    AudioError
        If the file is missing, empty, not a sound file, damaged, longer than an hour, holds NaN or infinity, or has a
        rate outside 1 to 192 kHz.
    ModuleNotFoundError
        If the package soundfile is not installed (the extra ``speech``).

    Examples
    --------
    >>> from sparsenet.speech import recordings
    >>> read_audio(recordings()[0].path, rate_hz=8_000).shape
    (8000,)
    """
    rate_hz = _checked_rate(rate_hz)
    waveform, file_rate_hz = _decoded(Path(path))
    if len(waveform) == 0:
        raise AudioError(f"expected sound in {path}, found no samples")
    if not np.isfinite(waveform).all():
        raise AudioError(f"expected finite samples in {path}, found NaN or infinity")
    return _resampled(waveform, file_rate_hz, rate_hz)


def windows(waveform: ArrayLike, samples: int = 16_000, hop: int | None = None) -> NDArray[np.float32]:
    """Cut a recording of any length into windows of one length.

        shorter    |..waveform..|           centred in zeros: one window
        longer     |--------|               windows start every `hop` samples,
                       |--------|           the last one
                         |--------|         ends where the recording ends

    Parameters
    ----------
    waveform : (n,) float
        At least one sample.
    samples : int
        Length of a window.
    hop : int, optional
        Samples from one window to the next, at most ``samples``, so that nothing is skipped; half of ``samples`` (8000
        for the default) when left out.

    Returns
    -------
    (windows, samples) float32

    Raises
    ------
    AudioError
        If the waveform is empty or has more than one axis.
    SparsenetError
        If ``samples`` or ``hop`` are out of range, or the windows would take more than 2 GiB.

    Examples
    --------
    >>> windows([1.0, 2.0, 3.0, 4.0, 5.0], samples=3, hop=1)
    array([[1., 2., 3.],
           [2., 3., 4.],
           [3., 4., 5.]], dtype=float32)
    >>> windows([1.0, 2.0], samples=4)
    array([[0., 1., 2., 0.]], dtype=float32)
    """
    checked = np.asarray(waveform, dtype=np.float32)
    if checked.ndim != 1 or checked.size == 0:
        raise AudioError(f"expected a waveform of shape (n,) with n >= 1, got {checked.shape}")
    hop = max(1, samples // 2) if hop is None else hop
    if not 1 <= hop <= samples:
        raise SparsenetError(f"expected 1 <= hop <= samples, got hop {hop} and samples {samples}")
    missing = samples - len(checked)
    if missing >= 0:
        return np.pad(checked, (missing // 2, missing - missing // 2))[None]
    starts = np.append(np.arange(0, -missing, hop), -missing)
    if len(starts) * samples > _LARGEST_ELEMENTS:
        raise SparsenetError(f"expected windows of at most 2 GiB, got {len(starts)} of {samples}; use a larger hop")
    cut: NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(checked, samples)[starts]
    return cut


def _files_at(path: Path) -> list[Path]:
    """Return the file, or the sound files in and below the folder."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise AudioError(f"expected a sound file or a folder, found nothing at {path}")
    return sorted(
        Path(folder, name)
        for folder, _, names in os.walk(path)
        for name in names
        if name.lower().endswith(AUDIO_SUFFIXES) and not name.startswith(".")
    )


def _checked_rate(rate_hz: int) -> int:
    """Return the wanted rate, if it is a sane one."""
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | np.integer):
        raise TypeError(f"expected rate_hz to be an integer, got {rate_hz!r}")
    if not _LOWEST_RATE_HZ <= rate_hz <= _HIGHEST_RATE_HZ:
        raise SparsenetError(f"expected rate_hz from {_LOWEST_RATE_HZ} to {_HIGHEST_RATE_HZ}, got {rate_hz}")
    return int(rate_hz)


def _soundfile() -> ModuleType:
    """Import soundfile, or say how to get it."""
    try:
        import soundfile
    except (ModuleNotFoundError, OSError) as error:  # OSError: the package is there, its library libsndfile is not
        raise ModuleNotFoundError(
            f'reading sound files needs the package soundfile ({error}); pip install "sparsenet[speech]"',
            name="soundfile",
        ) from error
    module: ModuleType = soundfile
    return module


def _decoded(path: Path) -> tuple[NDArray[np.float32], int]:
    """Return the mean of the channels (n,) and the rate of the file."""
    soundfile = _soundfile()
    _check_file(path)
    try:
        # As bytes, because soundfile cannot encode the name of a file that is not valid text.
        with soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else str(path)) as sound:
            _check_header(path, sound)
            return np.concatenate([np.zeros(0, np.float32), *_mono_blocks(path, sound)]), int(sound.samplerate)
    except soundfile.SoundFileError as error:
        raise AudioError(f"expected a WAV, FLAC or OGG file at {path}; it cannot be read: {error}") from error


def _check_file(path: Path) -> None:
    """Refuse what is not a file, is empty, or says by its name that it has no header."""
    if not path.is_file():
        raise AudioError(f"expected a sound file, found {'a folder' if path.is_dir() else 'nothing'} at {path}")
    if not os.access(path, os.R_OK):
        raise AudioError(f"expected a sound file that may be read, found no permission to read {path}")
    if path.stat().st_size == 0:
        raise AudioError(f"expected a sound file, found an empty file at {path}")
    if path.suffix.lower() == ".raw":
        raise AudioError(f"expected a WAV, FLAC or OGG file; {path} holds raw samples without their rate")


def _check_header(path: Path, sound: Any) -> None:
    """Refuse formats that were not asked for, and rates that are no sound."""
    if sound.format not in _FORMATS:
        raise AudioError(f"expected a WAV, FLAC or OGG file at {path}, found {sound.format}; convert it first")
    if not _LOWEST_RATE_HZ <= sound.samplerate <= _HIGHEST_RATE_HZ:
        raise AudioError(
            f"expected a rate from {_LOWEST_RATE_HZ} to {_HIGHEST_RATE_HZ} Hz in {path}, found {sound.samplerate}"
        )


def _mono_blocks(path: Path, sound: Any) -> Iterator[NDArray[np.float32]]:
    """Yield the mean of the channels, block by block: what a header claims allocates nothing."""
    longest = _LONGEST_S * sound.samplerate
    frames = max(1, _BLOCK_ELEMENTS // sound.channels)
    read = 0
    while True:
        block = sound.read(frames, dtype="float32", always_2d=True)
        read += len(block)
        if read > longest:
            raise AudioError(f"expected at most {_LONGEST_S} s (one hour) of sound, {path} is longer; cut it first")
        if len(block) == 0:
            return
        # float64, so that loud channels do not overflow and equal channels give their own value.
        yield block.mean(axis=1, dtype=np.float64).astype(np.float32)


def _resampled(waveform: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Return the waveform at another rate."""
    if from_hz == to_hz:
        return waveform
    from scipy.signal import resample_poly

    shared = math.gcd(from_hz, to_hz)
    return np.asarray(resample_poly(waveform, to_hz // shared, from_hz // shared), dtype=np.float32)
