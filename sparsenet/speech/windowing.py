"""Cut recordings of any length into windows of the length that a network expects."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsenet.errors import AudioError, SparsenetError
from sparsenet.given import real_array

__all__ = ["windows"]

_LARGEST_ELEMENTS = 2**29  # of all windows of one recording: 2 GiB


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
    checked = np.asarray(real_array(waveform, "a waveform of real numbers"), dtype=np.float32)
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
