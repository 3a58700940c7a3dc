"""Two scenarios of MLPerf Inference, by their rules for how much and how long.

* Single stream: one sample after the other, at least 1,024 queries and at least 60 seconds; the 90th percentile counts.
* Offline: all samples at once, at least 24,576 of them and at least 60 seconds; samples a second count.

These are the rules of timing only: data, accuracy targets and audits of a submission are not part of it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.renderer import as_record
from sparsenet.timing import Clock, reading_us, repeat_until, timing_of

__all__ = ["LEAST_S", "OFFLINE_SAMPLES", "STREAM_QUERIES", "Offline", "SingleStream", "offline", "single_stream"]

FloatArray = npt.NDArray[np.float32]
Run = Callable[[FloatArray], object]
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
        return as_record(self)


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
        return as_record(self)


def single_stream(
    run: Run,
    samples: Sequence[FloatArray],
    queries: int = STREAM_QUERIES,
    least_s: float = LEAST_S,
    clock: Clock = time.perf_counter_ns,
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
        Gives nanoseconds.
    tell : callable
        Is told now and then which share is done.
    """
    _check(samples, queries, least_s)
    run(samples[0])  # the first call may compile
    took_us: list[float] = []

    def enough(done: int, passed_s: float) -> bool:
        if done % 256 == 0:
            tell(_share(done / queries, passed_s, least_s))
        return done >= queries and passed_s >= least_s

    def ask(index: int) -> None:
        took_us.append(reading_us(run, samples[index % len(samples)], clock=clock))

    count, lasted_s = repeat_until(ask, enough, clock)
    timing = timing_of(took_us)
    by_the_rules = count >= STREAM_QUERIES and lasted_s >= LEAST_S
    return SingleStream(
        queries=count,
        duration_s=lasted_s,
        p90_us=timing.p90_us,
        median_us=timing.median_us,
        minimum_us=timing.minimum_us,
        p99_us=timing.p99_us,
        by_the_rules=by_the_rules,
    )


def offline(
    run: Run,
    batches: Sequence[FloatArray],
    samples: int = OFFLINE_SAMPLES,
    least_s: float = LEAST_S,
    clock: Clock = time.perf_counter_ns,
    tell: Tell = lambda share: None,
) -> Offline:
    """Run batches until there were enough samples for long enough.

    Parameters
    ----------
    run : callable
        Takes one of ``batches``.
    batches : sequence of array (B, *input_shape)
        They take turns; all have the same size.
    samples : int
    least_s : float
    clock : callable
        Gives nanoseconds.
    tell : callable
        Is told after every batch which share is done.
    """
    _check(batches, samples, least_s)
    run(batches[0])
    size = len(batches[0])

    def enough(calls: int, passed_s: float) -> bool:
        tell(_share(calls * size / samples, passed_s, least_s))
        return calls * size >= samples and passed_s >= least_s

    calls, lasted_s = repeat_until(lambda index: run(batches[index % len(batches)]), enough, clock)
    done = calls * size
    by_the_rules = done >= OFFLINE_SAMPLES and lasted_s >= LEAST_S
    return Offline(done, size, lasted_s, done / max(lasted_s, 1e-9), by_the_rules)


def _check(inputs: Sequence[FloatArray], count: int, least_s: float) -> None:
    if not inputs or count < 1 or not least_s >= 0:
        raise SparsenetError(
            f"expected inputs, a count of at least 1 and a time of at least 0 s, got {len(inputs)}, {count}, {least_s}"
        )


def _share(counted: float, passed_s: float, least_s: float) -> float:
    """Say which share is done: of the count or of the time, whichever is further behind."""
    return min(1.0, counted, passed_s / least_s if least_s else 1.0)
