"""Time several calls in turn, so that whatever else the machine does hits all of them alike.

    round 1    b b b b b b b   c   a a a a        each gets a block of about the same length,
    round 2    a a a a   b b b b b b b   c        in another random order every round,
    ...                                           and every call sees the next input

Calls that are timed one after the other in separate runs differ by what the machine did meanwhile; calls on one
repeated input flatter code with branches, which learn it.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from math import inf

from sparsenet.errors import SparsenetError
from sparsenet.timing import Call, Clock, Timing, reading_us, timing_of, turns

__all__ = ["Prepared", "interleave"]

SHORTEST_READING_US = 2.0
"""A reading of the clock costs about 0.05 us twice; calls shorter than this are read several at a time."""

MOST_READINGS, MOST_REPEATS = 1_000, 1_024


@dataclass(frozen=True)
class Prepared:
    """A call that needs something done before it every time, with the same index; only the call is timed."""

    prepare: Call
    call: Call


@dataclass(frozen=True)
class _Block:
    """How one call is timed in each round: so many readings of the clock, so many calls in each."""

    readings: int
    repeats: int


def interleave(
    calls: Mapping[str, Call | Prepared],
    rounds: int = 100,
    block_us: float = 2_000.0,
    seed: int = 0,
    clock: Clock = time.perf_counter_ns,
    *,
    longest_s: float = inf,
    rest_s: float = 0.0,
    after_round: Callable[[int], object] = lambda done: None,
) -> dict[str, Timing]:
    """Time several calls in turn.

    Parameters
    ----------
    calls : mapping of str to (callable or Prepared)
        Each takes an index that counts up from zero, by which it should choose its input.
    rounds : int
        In each, every call gets one block, in random order.
    block_us : float
        About how long a block lasts; a call that takes longer is made once.
    seed : int
        Of the order.
    clock : callable
        Gives nanoseconds.
    longest_s : float
        After so long no further round is begun; the first always is.
    rest_s : float
        A pause before every block, and then a call that is not timed: for calls with threads, which may go on spinning
        for a while and take the core from whoever comes next.
    after_round : callable
        Is told how many rounds are done.

    Returns
    -------
    dict of str to Timing
        In the order of ``calls``.

    Raises
    ------
    SparsenetError
        When there is nothing to time.

    Examples
    --------
    >>> timings = interleave({"sum": lambda index: sum(range(index % 7))}, rounds=3)
    >>> timings["sum"].minimum_us <= timings["sum"].median_us
    True
    """
    if not calls or rounds < 1:
        raise SparsenetError(f"expected at least one call and one round, got {len(calls)} and {rounds}")
    indices = {name: count() for name in calls}
    blocks = {name: _calibrated(call, indices[name], block_us, clock) for name, call in calls.items()}
    readings_us: dict[str, list[float]] = {name: [] for name in calls}
    order, shuffled = list(calls), random.Random(seed)
    for done in turns(rounds, clock, lambda _, passed_s: passed_s > longest_s):
        shuffled.shuffle(order)
        for name in order:
            if rest_s:
                time.sleep(rest_s)
                _once(calls[name], next(indices[name]))
            readings_us[name] += _run(calls[name], indices[name], blocks[name], clock)
        after_round(done + 1)
    return {name: timing_of(readings_us[name]) for name in calls}


def _calibrated(call: Call | Prepared, indices: Iterator[int], block_us: float, clock: Clock) -> _Block:
    """Warm a call up and find out how often it fits into a block."""
    _once(call, next(indices))  # the first call may compile, and fills caches
    repeats = 1
    while True:
        took_us = min(_run(call, indices, _Block(3, repeats), clock)) * repeats
        if took_us >= SHORTEST_READING_US or repeats >= MOST_REPEATS or isinstance(call, Prepared):
            break
        repeats *= 2
    readings = int(block_us / max(took_us, SHORTEST_READING_US))
    return _Block(min(max(readings, 1), MOST_READINGS), repeats)


def _once(call: Call | Prepared, index: int) -> None:
    if isinstance(call, Prepared):
        call.prepare(index)
        call = call.call
    call(index)


def _run(call: Call | Prepared, indices: Iterator[int], block: _Block, clock: Clock) -> list[float]:
    """Make one block of calls; give the time of a call for each reading, in microseconds."""
    if isinstance(call, Prepared):
        return [_prepared_us(call, next(indices), clock) for _ in range(block.readings)]
    readings_us = []
    for _ in range(block.readings):
        start = clock()
        for _ in range(block.repeats):
            call(next(indices))
        readings_us.append((clock() - start) / block.repeats / 1e3)
    return readings_us


def _prepared_us(call: Prepared, index: int, clock: Clock) -> float:
    call.prepare(index)
    return reading_us(call.call, index, clock=clock)
