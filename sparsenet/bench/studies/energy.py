"""What a word costs: joules by the machine's counters, or an estimate that says so; days of sound a second."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.studies.energy_table import energy_parts
from sparsenet.bench.studies.published import COUNTED, DAY_S, ESTIMATED, LIFETIME_S, UNKNOWN
from sparsenet.bench.studies.rapl import POWERCAP, Counters, find_counters
from sparsenet.errors import SparsenetError
from sparsenet.graph.parts import expect_one_to_one
from sparsenet.renderer import as_record, printing
from sparsenet.timing import Clock, repeat_until

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["Energy", "energy"]

FloatArray = npt.NDArray[np.float32]
Sleep = Callable[[float], object]

CHECKED_EVERY_S = 0.002
"""About how often the clock is asked whether the run is over."""

SLICE_S = 60.0
"""Counters are read at least this often: at 500 W one of 262 kJ begins again after nine minutes, at first unnoticed."""


@dataclass(frozen=True)
class Energy:
    """What running a network for a while took.

    Attributes
    ----------
    name : str
        Of the network; "" where nobody gave it one.
    words, batch, threads : int
        Samples that were run; of one call; cores that a call may use.
    word_s : float
        Seconds of sound that a sample stands for.
    wall_s, cpu_s : float
        How long that took, and the processor time that it took on all cores.
    standing : {"counted", "estimated", "unknown"}
        Where ``joules`` come from: the machine's counters, processor time multiplied by the watts that the user stated,
        or nowhere.
    joules : float or None
        Of the whole run. Counted: everything that the counters' packages and memory used, other programs included.
    idle_watts : float or None
        What the counters counted just before, doing nothing; None where nothing is counted.
    zones : tuple of str
        The counters.
    stated_watts : float or None
        What one busy core draws, as the user says.
    reason : str
        Why nothing was counted; "" where it was.
    """

    name: str
    words: int
    batch: int
    threads: int
    word_s: float
    wall_s: float
    cpu_s: float
    standing: str
    joules: float | None
    idle_watts: float | None
    zones: tuple[str, ...]
    stated_watts: float | None
    reason: str

    @property
    def words_per_s(self) -> float:
        """Samples a second."""
        return self.words / max(self.wall_s, 1e-9)

    @property
    def days_per_s(self) -> float:
        """Days of sound that a second hears."""
        return self.words_per_s * self.word_s / DAY_S

    @property
    def joules_per_word(self) -> float | None:
        """Joules of one sample; None where nothing is known."""
        return None if self.joules is None else self.joules / max(self.words, 1)

    @property
    def joules_per_word_above_idle(self) -> float | None:
        """The same without what the machine takes doing nothing; None where nothing is counted."""
        if self.joules is None or self.idle_watts is None:
            return None
        return max(0.0, self.joules - self.idle_watts * self.wall_s) / max(self.words, 1)

    @property
    def lifetime_s(self) -> float:
        """Seconds in which a lifetime of sound is heard: 80 years of 12 hours a day."""
        return LIFETIME_S / max(self.words_per_s * self.word_s, 1e-9)

    @property
    def lifetime_wh(self) -> float | None:
        """Watt-hours for that; None where joules are unknown."""
        each = self.joules_per_word
        return None if each is None else each * LIFETIME_S / self.word_s / 3_600

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        derived = (
            *("words_per_s", "days_per_s", "joules_per_word", "joules_per_word_above_idle"),
            *("lifetime_s", "lifetime_wh"),
        )
        return as_record(self, *derived)

    def __repr__(self) -> str:
        each = self.joules_per_word
        joules = "joules unknown" if each is None else f"{each * 1e6:,.1f} µJ a word"
        return f"<Energy: {self.words_per_s:,.0f} words a second, {joules}>"

    __rich_console__, _repr_html_ = printing(energy_parts)


def energy(
    engine: "Engine",
    x: FloatArray,
    *,
    watts: float | None = None,
    seconds: float = 3.0,
    idle_s: float = 1.0,
    word_s: float = 1.0,
    name: str = "",
    folder: Path = POWERCAP,
    clock: Clock = time.perf_counter_ns,
    cpu_clock: Clock = time.process_time_ns,
    sleep: Sleep = time.sleep,
) -> Energy:
    """Run an engine for a while and say what that took.

    Parameters
    ----------
    engine : Engine
        Called with as many samples as its batch.
    x : array (n, *input_shape), float32
        Inputs that take turns; at least one batch.
    watts : float, optional
        What one busy core draws, as you know it: used where the machine has no counter that may be read. There is no
        default, because nobody can know it for you.
    seconds, idle_s : float
        How long to run; how long to do nothing before, where there are counters.
    word_s : float
        Seconds of sound that a sample stands for.
    name : str
        What to call the network in tables.
    folder : Path
        Where Linux lists the machine's energy counters.
    clock, cpu_clock : callable
        Give nanoseconds: of the day, and of this process's work on all cores.
    sleep : callable
        Does nothing for so many seconds.

    Returns
    -------
    Energy
        Prints as a table in a terminal and in a notebook.

    Raises
    ------
    SparsenetError
        When there are fewer inputs than one batch, a setting is not positive, or the network has not one input,
        float32, and one output.

    Examples
    --------
    >>> import sparsenet as sn
    >>> net = sn.Network.sequential((64,), [sn.Linear(np.eye(64))])
    >>> found = energy(sn.compile(net, threads=1), np.ones((4, 64), np.float32), watts=10.0, seconds=0.01)
    >>> found.standing in ("counted", "estimated")
    True
    """
    expect_one_to_one(engine.network, "energy")
    _check(engine, x, watts, seconds, word_s)
    counters = find_counters(folder)
    chunks = [x[at : at + engine.batch] for at in range(0, len(x) - engine.batch + 1, engine.batch)]
    engine(chunks[0])  # fills caches and makes its scratch memory
    idle_watts = _idle_watts(counters, idle_s, clock, sleep) if counters.zones else None
    began_ns, began_cpu_ns = clock(), cpu_clock()
    calls, counted = _run_counted(engine, chunks, int(seconds * 1e9), counters, clock)
    wall_s, cpu_s = (clock() - began_ns) / 1e9, (cpu_clock() - began_cpu_ns) / 1e9
    standing, joules = (COUNTED, counted) if counters.zones else _stated(watts, cpu_s)
    return Energy(
        name=name,
        words=calls * engine.batch,
        batch=engine.batch,
        threads=engine.threads,
        word_s=word_s,
        wall_s=wall_s,
        cpu_s=cpu_s,
        standing=standing,
        joules=joules,
        idle_watts=idle_watts,
        zones=tuple(zone.name for zone in counters.zones),
        stated_watts=watts,
        reason=counters.reason,
    )


def _check(engine: "Engine", x: FloatArray, watts: float | None, seconds: float, word_s: float) -> None:
    if len(x) < engine.batch:
        raise SparsenetError(f"expected at least {engine.batch} inputs, one batch of the engine's, got {len(x)}")
    for name, value in (("watts", watts), ("seconds", seconds), ("word_s", word_s)):
        if value is not None and not (isfinite(value) and value > 0):
            raise SparsenetError(f"expected {name} above 0, got {value}")


def _idle_watts(counters: Counters, idle_s: float, clock: Clock, sleep: Sleep) -> float:
    before, began_ns = counters.read_uj(), clock()
    sleep(idle_s)
    return counters.joules(before, counters.read_uj()) / max((clock() - began_ns) / 1e9, 1e-9)


def _run_counted(
    engine: "Engine", chunks: list[FloatArray], lasts_ns: int, counters: Counters, clock: Clock
) -> tuple[int, float]:
    """Call the engine until the time is over; return how often, and the joules that were counted meanwhile."""
    calls, joules, before, ends_ns = 0, 0.0, counters.read_uj(), clock() + lasts_ns
    while (left_ns := ends_ns - clock()) > 0:
        calls += _run(engine, chunks, min(left_ns, int(SLICE_S * 1e9)), clock)
        after = counters.read_uj()
        joules, before = joules + counters.joules(before, after), after
    return calls, joules


def _run(engine: "Engine", chunks: list[FloatArray], lasts_ns: int, clock: Clock) -> int:
    """Call the engine until the time is over; return how often."""
    calls, _ = repeat_until(
        lambda index: engine(chunks[index % len(chunks)]),
        lambda _, passed_s: passed_s * 1e9 >= lasts_ns,
        clock,
        CHECKED_EVERY_S,
    )
    return calls


def _stated(watts: float | None, cpu_s: float) -> tuple[str, float | None]:
    return (UNKNOWN, None) if watts is None else (ESTIMATED, watts * cpu_s)
