"""The clock, and the loops of calls that are timed: everything in this package that takes times is built on them.

:func:`sparsenet.bench.interleave` times calls in turn for comparisons, :func:`least_us` finds the fastest of a few.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from sparsenet.progress import tracked

__all__ = ["LEAST_TURNS", "Call", "Clock", "Timing", "least_us", "reading_us", "repeat_until", "timing_of", "turns"]

Call = Callable[[int], object]
Clock = Callable[[], int]
"""Gives nanoseconds."""

ROUNDS = 25
IN_A_ROW = 4
"""Calls of one network before the next has its turn: the first finds the caches and the clock as another left them."""

LONGEST_ROW_S = 0.1
"""Fewer calls, though, where they take this long: what others left in the caches is no more than noise to them."""

LEAST_TURNS, SLOW_S = 2, 2.0
"""Where even that takes so long, each call has two turns: the first, that warms up, and one that counts."""


@dataclass(frozen=True)
class Timing:
    """How long one call took, in microseconds, over many calls.

    Attributes
    ----------
    median_us, minimum_us, p90_us, p99_us : float
        Of all readings.
    samples : int
        Number of readings.
    """

    median_us: float
    minimum_us: float
    p90_us: float
    p99_us: float
    samples: int

    def divided_by(self, batch: int) -> "Timing":
        """Give the times of one sample, where a call has a batch of them."""
        median_us, minimum_us, p90_us, p99_us = self.median_us, self.minimum_us, self.p90_us, self.p99_us
        return Timing(median_us / batch, minimum_us / batch, p90_us / batch, p99_us / batch, self.samples)


def timing_of(readings_us: Sequence[float] | npt.NDArray[np.float64]) -> Timing:
    """Sum readings up.

    Examples
    --------
    >>> timing_of([1.0, 2.0, 6.0]).median_us
    2.0
    """
    values = np.asarray(readings_us)
    median, p90, p99 = np.percentile(values, (50, 90, 99))
    return Timing(float(median), float(values.min()), float(p90), float(p99), len(values))


def reading_us(call: Callable[..., object], *given: object, clock: Clock = time.perf_counter_ns) -> float:
    """Time one call with what it is given: microseconds.

    Examples
    --------
    >>> reading_us(sum, [1, 2]) >= 0
    True
    """
    start = clock()
    call(*given)
    return (clock() - start) / 1e3


def turns(most: int, clock: Clock, over: Callable[[int, float], bool]) -> Iterator[int]:
    """Count turns from 0, as many as there may be, until it is said that they are over.

    Parameters
    ----------
    most : int
    clock : callable
    over : callable
        Is told, before every turn but the first, how many are done and how many seconds have passed.

    Examples
    --------
    >>> list(turns(5, time.perf_counter_ns, lambda done, passed_s: done == 3))
    [0, 1, 2]
    """
    began = clock()
    for turn in range(most):
        if turn and over(turn, (clock() - began) / 1e9):
            return
        yield turn


def repeat_until(
    call: Call, enough: Callable[[int, float], bool], clock: Clock = time.perf_counter_ns, check_s: float = 0.0
) -> tuple[int, float]:
    """Call with 0, 1, 2 and so on until it is enough; return how many calls were made and the seconds they took.

    Parameters
    ----------
    call : callable
    enough : callable
        Is told how many calls were made and how many seconds have passed.
    clock : callable
    check_s : float
        About how often it is asked whether that is enough: asking takes as long as a small layer.

    Examples
    --------
    >>> repeat_until(lambda index: None, lambda calls, passed_s: calls == 3)[0]
    3
    """
    calls, together, began, passed_s = 0, 1, clock(), 0.0
    while not enough(calls, passed_s):
        if calls and check_s:
            together = int(max(1, min(4 * together, check_s * calls / max(passed_s, 1e-9))))
        for index in range(calls, calls + together):
            call(index)
        calls, passed_s = calls + together, (clock() - began) / 1e9
    return calls, passed_s


def least_us(
    calls: Sequence[Callable[[], object]],
    doing: str = "",
    progress: bool | None = False,
    longest_s: float = 0.12,
    row_s: float = 0.0,
) -> list[float]:
    """Time calls in turn, each several times in a row: the shortest time of each, in microseconds.

    Parameters
    ----------
    calls : sequence of callable
        Each chooses its next input by itself.
    doing : str
        What progress is shown of.
    progress : bool or None
        As for :func:`sparsenet.progress.tracked`.
    longest_s : float
        No further turn begins after so long, when each has had three besides the first, which only warms up.
    row_s : float
        Each call is repeated for at least so long before the next one has its turn.
    """

    def over(done: int, passed_s: float) -> bool:
        return (done > 3 and passed_s > longest_s) or (done >= LEAST_TURNS and passed_s > max(longest_s, SLOW_S))

    least = [inf] * len(calls)
    for turn in tracked(turns(ROUNDS, time.perf_counter_ns, over), doing, progress, ROUNDS):
        for i, call in enumerate(calls):
            times_us = list(_row_us(call, row_s))
            if turn > 0:  # the first turn warms up
                least[i] = min(least[i], *times_us)
    return least


def _row_us(call: Callable[[], object], row_s: float) -> Iterator[float]:
    """Time a call several times in a row, as long as was asked for."""
    began, calls, passed_s = time.perf_counter(), 0, 0.0
    while calls < 1 or (calls < IN_A_ROW and passed_s < LONGEST_ROW_S) or passed_s < row_s:
        yield reading_us(call)
        calls, passed_s = calls + 1, time.perf_counter() - began
