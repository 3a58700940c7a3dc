"""Recognize the words in sound files."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import AudioError, ModelFormatError, SparsenetError
from sparsenet.graph.network import Network
from sparsenet.layers import LogSoftmax, Softmax
from sparsenet.speech.audio import Sound, hear_file
from sparsenet.speech.features import log_mel
from sparsenet.speech.finding import Missing, Paths, search
from sparsenet.speech.front_end import FrontEnd
from sparsenet.speech.windowing import windows

__all__ = ["Heard", "confidences", "front_end_of", "listen", "recognize"]

FloatArray = npt.NDArray[np.float32]
Engine = Callable[[FloatArray], FloatArray]

SILENT = ("silence", "_silence_")
"""The labels for clips without a word."""


@dataclass(frozen=True)
class Heard:
    """The word recognized in a file, or the reason why the file could not be used.

    Attributes
    ----------
    file : str
    heard : str
        A label of the network; empty where the file could not be heard.
    confidence : float
        The network's share for that label, from 0 to 1.
    time_us : float
        The engine's time for one window, from features to scores: the mean over the file's windows. Reading the file
        and computing the features, which takes longer, is not in it.
    at_s : float
        Where in the file the window starts.
    windows : int
        How many windows the file was cut into; one, where it is no longer than the network listens.
    error : str
        Why the file could not be heard; empty where it was.
    warning : str
        What is wrong with the file though it was heard: that it ends before its header says; else empty.
    """

    file: str
    heard: str
    confidence: float
    time_us: float
    at_s: float
    windows: int = 1
    error: str = ""
    warning: str = ""


def recognize(
    paths: Paths,
    engine: Any = "spoken-digits",
    progress: Callable[[int, int], object] | None = None,
) -> list[Heard]:
    """Say which word is heard in each sound file.

    A file longer than the network listens is cut into windows that overlap by half; the answer is that of the most
    confident window in which something other than silence is heard.

    Parameters
    ----------
    paths : path or iterable of paths
        Files, and folders that are searched for sound files.
    engine : Engine, Network, or str or path
        A compiled network, a network, or what :func:`sparsenet.load` takes. Its details must hold the ``front_end`` it
        was trained with.
    progress : callable, optional
        Called after each file with how many are done and how many there are.

    Returns
    -------
    list of Heard
        One for each file. A file that cannot be heard, damaged or gone, has its reason in ``error`` and nothing in
        ``heard``; the others are not lost with it.

    Raises
    ------
    AudioError
        When not one file can be heard, or none is found.
    ModelFormatError
        When the network was not made for sound.

    Examples
    --------
    >>> from sparsenet.speech import recordings
    >>> [one.heard for one in recognize(recordings()[1].path)]
    ['one']
    """
    files = search(paths)
    heard = []
    for one in listen(files, engine):
        heard.append(one)
        if progress is not None:
            progress(len(heard), len(files))
    if all(one.error for one in heard):
        others = f" (and {len(heard) - 1} others that cannot be heard)" if len(heard) > 1 else ""
        raise AudioError(f"{heard[0].error}{others}")
    return heard


def listen(files: Sequence[Path | Missing], engine: Any) -> Iterator[Heard]:
    """Yield what is heard in each file as soon as it is heard, failures too; see :func:`recognize`.

    Parameters
    ----------
    files : sequence of Path or Missing
        As :func:`sparsenet.speech.finding.search` gives them.
    engine : Engine, Network, or str or path
    """
    run, net = _compiled(engine)
    front_end = front_end_of(net)
    for file in files:
        if isinstance(file, Missing):
            yield _failed(file.path, file.reason)
            continue
        try:
            sound = hear_file(file, front_end.sample_rate_hz)
            yield _hear(str(file), sound, run, net, front_end)
        except SparsenetError as error:
            yield _failed(file, str(error))
        except OSError as error:  # it went while others were heard, or its disk fails
            yield _failed(file, f"expected a sound file that can be read, got {file}: {error.strerror or error}")
        except MemoryError:
            yield _failed(file, f"there is not enough memory for {file}")


def _failed(path: Path, reason: str) -> Heard:
    return Heard(str(path), "", 0.0, 0.0, 0.0, windows=0, error=reason)


def front_end_of(net: Network) -> FrontEnd:
    """Read which features a network was trained on, and check that they are what it takes.

    Raises
    ------
    ModelFormatError
        When the network does not say, or says what cannot be.
    """
    said = net.details.get("front_end")
    if not isinstance(said, dict):
        raise ModelFormatError(f"expected a network for sound, whose details say its front_end, got {said!r}")
    front_end = FrontEnd.from_dict(said)
    if net.input_shape != front_end.shape or len(net.output_shape) != 1:
        raise ModelFormatError(
            f"expected a network from features of shape {front_end.shape} to one score per label, "
            f"got {net.input_shape} to {net.output_shape}"
        )
    return front_end


def confidences(net: Network, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Turn a network's scores (B, classes) into shares that sum to one, whether or not its last layer did so.

    Examples
    --------
    >>> from sparsenet.layers import ReLU
    >>> confidences(Network.sequential((2,), [ReLU()]), [[1.0, 1.0]])
    array([[0.5, 0.5]])
    """
    shares = np.asarray(scores, np.float64)
    last = net[net.output]
    if isinstance(last, Softmax):
        return shares
    if not isinstance(last, LogSoftmax):
        shares = shares - shares.max(axis=1, keepdims=True)
        shares = shares - np.log(np.exp(shares).sum(axis=1, keepdims=True))
    return np.exp(shares)


def _compiled(engine: Any) -> tuple[Engine, Network]:
    if isinstance(engine, str | os.PathLike):
        from sparsenet.models import load

        engine = load(engine)
    if isinstance(engine, Network):
        from sparsenet.engine.compiling import compile as compile_network

        front_end_of(engine)  # before the seconds that compiling may take
        engine = compile_network(engine, batch=1, threads=1)
    if not callable(engine) or not isinstance(getattr(engine, "network", None), Network):
        raise TypeError(f"expected an engine, a network or its name, got {type(engine).__name__}")
    return engine, engine.network


def _hear(file: str, sound: Sound, run: Engine, net: Network, front_end: FrontEnd) -> Heard:
    """Run the network on every window and keep the most confident answer."""
    waveform = sound.waveform
    hop = max(1, front_end.samples // 2)
    features = log_mel(windows(waveform, front_end.samples, hop), front_end)
    scores, time_us = _timed(run, features)
    shares = confidences(net, scores)
    if not np.isfinite(shares).all():
        raise SparsenetError(f"expected finite scores for {file}, got NaN or infinity from the network")
    labels = net.labels or [str(index) for index in range(shares.shape[1])]
    window, label = _most_telling(shares, labels)
    # the last window is moved back so that it ends where the recording ends
    start = max(0, min(window * hop, len(waveform) - front_end.samples))
    at_s = start / front_end.sample_rate_hz
    share = float(shares[window, label])
    return Heard(file, labels[label], share, time_us, at_s, len(shares), warning=sound.ends_early)


def _timed(run: Engine, features: FloatArray) -> tuple[FloatArray, float]:
    """Run the windows one by one; give their scores and the mean time of a window in microseconds."""
    scores, took_ns = [], 0
    for x in features[:, None]:
        start_ns = time.perf_counter_ns()
        y = run(x)
        took_ns += time.perf_counter_ns() - start_ns
        scores.append(np.array(y))  # a copy: an engine may use its output again
    return np.concatenate(scores), took_ns / len(features) / 1e3


def _most_telling(shares: npt.NDArray[np.float64], labels: Sequence[str]) -> tuple[int, int]:
    """Choose the window and its label: the most confident that is not silence, else the most confident."""
    best = shares.argmax(axis=1)
    sure = shares[np.arange(len(shares)), best]
    telling = np.array([labels[label] not in SILENT for label in best])
    window = int(np.where(telling, sure, -1.0).argmax()) if telling.any() else int(sure.argmax())
    return window, int(best[window])
