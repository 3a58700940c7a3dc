"""Two scenarios of MLPerf Inference, by their rules for how much and how long.

* Single stream: one sample after the other, at least 1,024 queries and at least 60 seconds; the 90th percentile counts.
* Offline: all samples at once, at least 24,576 of them and at least 60 seconds; samples a second count.

These are the rules of timing only: data, accuracy targets and audits of a submission are not part of it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError

__all__ = ["LEAST_S", "OFFLINE_SAMPLES", "STREAM_QUERIES", "Offline", "SingleStream", "offline", "single_stream"]

FloatArray = npt.NDArray[np.float32]
Run = Callable[[FloatArray], object]
Clock = Callable[[], float]
Tell = Callable[[float], object]

STREAM_QUERIES = 1_024
OFFLINE_SAMPLES = 24_576
LEAST_S = 60.0


@dataclass(frozen=True)
class SingleStream:
    """Queries of one sample each, one after the other.

    Attributes
    ----------
    queries : int
    duration_s : float
        From the first query to the last answer.
    p90_us : float
        What counts.
    median_us, minimum_us, p99_us : float
    by_the_rules : bool
        Whether there were enough queries for long enough.
    """

    queries: int
    duration_s: float
    p90_us: float
    median_us: float
    minimum_us: float
    p99_us: float
    by_the_rules: bool

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Offline:
    """Samples in batches, as fast as they go.

    Attributes
    ----------
    samples, batch : int
    duration_s : float
    samples_per_s : float
        What counts.
    by_the_rules : bool
        Whether there were enough samples for long enough.
    """

    samples: int
    batch: int
    duration_s: float
    samples_per_s: float
    by_the_rules: bool

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return asdict(self)


def single_stream(
    run: Run,
    samples: Sequence[FloatArray],
    queries: int = STREAM_QUERIES,
    least_s: float = LEAST_S,
    clock: Clock = time.perf_counter,
    tell: Tell = lambda share: None,
) -> SingleStream:
    """Ask for one sample after the other, until there were enough queries for long enough.

    Parameters
    ----------
    run : callable
        Takes one of ``samples``.
    samples : sequence of array (1, *input_shape)
        They take turns.
    queries : int
    least_s : float
    clock : callable
        Gives seconds.
    tell : callable
        Is told now and then which share is done.
    """
    _check(samples, queries, least_s)
    run(samples[0])  # the first call may compile
    took_s: list[float] = []
    began = now = clock()
    while len(took_s) < queries or now - began < least_s:
        sample = samples[len(took_s) % len(samples)]
        asked = clock()
        run(sample)
        now = clock()
        took_s.append(now - asked)
        if len(took_s) % 256 == 0:
            tell(_share(len(took_s) / queries, now - began, least_s))
    times_us = np.array(took_s) * 1e6
    median, p90, p99 = (float(value) for value in np.percentile(times_us, (50, 90, 99)))
    enough = len(took_s) >= STREAM_QUERIES and now - began >= LEAST_S
    return SingleStream(len(took_s), now - began, p90, median, float(times_us.min()), p99, enough)


def offline(
    run: Run,
    batches: Sequence[FloatArray],
    samples: int = OFFLINE_SAMPLES,
    least_s: float = LEAST_S,
    clock: Clock = time.perf_counter,
    tell: Tell = lambda share: None,
) -> Offline:
    """Hand in batches, until there were enough samples for long enough.

    Parameters
    ----------
    run : callable
        Takes one of ``batches``.
    batches : sequence of array (B, *input_shape)
        They take turns.
    samples : int
    least_s : float
    clock : callable
        Gives seconds.
    tell : callable
        Is told after every batch which share is done.
    """
    _check(batches, samples, least_s)
    run(batches[0])
    done = calls = 0
    began = now = clock()
    while done < samples or now - began < least_s:
        batch = batches[calls % len(batches)]
        run(batch)
        now = clock()
        calls, done = calls + 1, done + len(batch)
        tell(_share(done / samples, now - began, least_s))
    lasted_s = now - began
    enough = done >= OFFLINE_SAMPLES and lasted_s >= LEAST_S
    return Offline(done, len(batches[0]), lasted_s, done / max(lasted_s, 1e-9), enough)


def _check(inputs: Sequence[FloatArray], count: int, least_s: float) -> None:
    if not inputs or count < 1 or not least_s >= 0:
        raise SparsenetError(
            f"expected inputs, a count of at least 1 and a time of at least 0 s, got {len(inputs)}, {count}, {least_s}"
        )


def _share(counted: float, passed_s: float, least_s: float) -> float:
    """Say which share is done: of the count or of the time, whichever is further behind."""
    return min(1.0, counted, passed_s / least_s if least_s else 1.0)
