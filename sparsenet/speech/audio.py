"""Read sound files as one channel at one rate."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsenet.errors import AudioError, SparsenetError

__all__ = ["Sound", "hear_file", "read_audio"]

_FORMATS = {"FLAC", "OGG", "RF64", "WAV", "WAVEX"}
_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 1_000, 192_000
_LONGEST_S = 3_600
_SIZE_UNKNOWN = 2**31 - 2**12  # who writes to a pipe cannot know how much will come, and claims about as much as it can
_BLOCK_ELEMENTS = 2**20  # decoded at a time: 4 MiB, whatever length a header claims


@dataclass(frozen=True, eq=False)
class Sound:
    """The content of a sound file.

    Attributes
    ----------
    waveform : (n,) float32
        One channel, at the rate that was asked for.
    ends_early : str
        Empty, or a sentence that says how much is missing compared with the header, as after an interrupted copy.
    """

    waveform: NDArray[np.float32]
    ends_early: str


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

    Warns
    -----
    UserWarning
        When a WAV file ends before its header says: it is read as far as it goes.

    Examples
    --------
    >>> from sparsenet.speech import recordings
    >>> read_audio(recordings()[0].path, rate_hz=8_000).shape
    (8000,)
    """
    sound = hear_file(path, rate_hz)
    if sound.ends_early:
        warnings.warn(f"{path}: {sound.ends_early}", stacklevel=2)
    return sound.waveform


def hear_file(path: str | os.PathLike[str], rate_hz: int) -> Sound:
    """Read a sound file as :func:`read_audio` does, and say whether it ends early."""
    rate_hz = _checked_rate(rate_hz)
    waveform, file_rate_hz, ends_early = _decoded(Path(path))
    if len(waveform) == 0:
        raise AudioError(f"expected sound in {path}, found no samples")
    if not np.isfinite(waveform).all():
        raise AudioError(f"expected finite samples in {path}, found NaN or infinity")
    return Sound(_resampled(waveform, file_rate_hz, rate_hz), ends_early)


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


def _decoded(path: Path) -> tuple[NDArray[np.float32], int, str]:
    """Return the mean of the channels (n,), the rate of the file, and how it ends early."""
    soundfile = _soundfile()
    _check_file(path)
    try:
        # As bytes, because soundfile cannot encode the name of a file that is not valid text.
        with soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else str(path)) as sound:
            _check_header(path, sound)
            waveform = np.concatenate([np.zeros(0, np.float32), *_mono_blocks(path, sound)])
            return waveform, int(sound.samplerate), _ends_early(sound)
    except soundfile.SoundFileError as error:
        raise AudioError(f"expected a WAV, FLAC or OGG file at {path}; it cannot be read: {error}") from error


def _ends_early(sound: Any) -> str:
    """Say how much less sound there is than the header of a WAV file claims; programs that stream claim anything."""
    claims = re.search(r"^data : (\d+) \(should be (\d+)\)", sound.extra_info, re.MULTILINE)
    if claims is None:
        return ""
    claimed, there = map(int, claims.groups())
    if not there < claimed < _SIZE_UNKNOWN:
        return ""
    return f"the file ends early: of {claimed:,} bytes of sound {there:,} are there, and are read"


def _check_file(path: Path) -> None:
    """Refuse what is not a file, is empty, or says by its name that it has no header."""
    if not path.is_file():
        raise AudioError(f"expected a sound file, found {_kind_of(path)} at {path}")
    if not os.access(path, os.R_OK):
        raise AudioError(f"expected a sound file that may be read, found no permission to read {path}")
    if path.stat().st_size == 0:
        raise AudioError(f"expected a sound file, found an empty file at {path}")
    if path.suffix.lower() == ".raw":
        raise AudioError(f"expected a WAV, FLAC or OGG file; {path} holds raw samples without their rate")


def _kind_of(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    if path.is_symlink():
        return "a link that leads nowhere"
    return "a device or a pipe" if path.exists() else "nothing"


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
