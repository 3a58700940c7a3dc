"""Is it only cache? Networks and ever larger layers, with caches hot and with caches displaced before each word.

one core, all cores    x    hot, L2 displaced, L3 displaced, flushed    x    networks, linear layers n x n
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.studies.cache_timing import (
    Condition,
    FloatArray,
    SampleTimer,
    displacer,
    here_conditions,
    ticks_per_s,
)
from sparsenet.bench.studies.residency_layers import Subject, check_sizes, layers_of
from sparsenet.bench.studies.residency_table import residency_parts
from sparsenet.errors import SparsenetError
from sparsenet.graph.parts import expect_one_to_one
from sparsenet.machine.cores import usable_cores
from sparsenet.machine.facts import Machine, machine
from sparsenet.machine.memory import Memory, memory
from sparsenet.packing.arguments import whole
from sparsenet.progress import telling
from sparsenet.renderer import as_record, printing
from sparsenet.timing import Clock

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["Residency", "ResidencyRow", "residency"]

FEW_WORDS, MANY_WORDS = 4, 64
"""Words in a row: with caches displaced; hot, at most, after as many before them that are not counted.

A last cache that was filled with other memory keeps some of it for a while: after four words, dense weights of 64 MiB
were not back yet, and took longer "hot" than displaced from the second-level cache.
"""


@dataclass(frozen=True)
class ResidencyRow:
    """One network, or one layer, under one condition.

    Attributes
    ----------
    what : str
        The network's name, or the layer.
    kind : str
        "network", or how the layer is computed: "sparse twice", "dense".
    weight_bytes : int
        As the kernels read them.
    cores : int
        That ran words of their own at the same time.
    condition : str
    words : int
        That were timed, on all cores.
    median_us, minimum_us : float
        Of one word on one core.
    times_hot : float
        Its median over that of the hot row.
    """

    what: str
    kind: str
    weight_bytes: int
    cores: int
    condition: str
    words: int
    median_us: float
    minimum_us: float
    times_hot: float


@dataclass(frozen=True)
class Residency:
    """How much of the speed is cache.

    Attributes
    ----------
    rows : tuple of ResidencyRow
    conditions : tuple of Condition
        What they mean on this machine.
    machine : Machine
    usable_cores : int
    memory : Memory
    """

    rows: tuple[ResidencyRow, ...]
    conditions: tuple[Condition, ...]
    machine: Machine
    usable_cores: int
    memory: Memory

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return as_record(self)

    def __repr__(self) -> str:
        what = dict.fromkeys(f"{row.what} ({row.kind})" for row in self.rows)
        return f"<Residency of {', '.join(what)}: {len(self.conditions)} conditions>"

    __rich_console__, _repr_html_ = printing(residency_parts)


def residency(
    engines: "Mapping[str, tuple[Engine, FloatArray]]",
    *,
    sizes: Sequence[int] = (),
    cores: Sequence[int] | None = None,
    seconds: float = 1.0,
    conditions: Sequence[Condition] | None = None,
    progress: bool | None = None,
    clock: Clock = time.perf_counter_ns,
) -> Residency:
    """Time words with the caches hot, and with caches displaced before each of them.

    Parameters
    ----------
    engines : mapping of str to (Engine, array (n, *input_shape) of float32)
        Networks by name, and inputs that take turns. One word goes through at a time, whatever the engine's batch.
    sizes : sequence of int
        Linear layers of n x n to time too, float32, 5 % of the weights and 10 % of the inputs: sparse twice, and dense.
        One whose dense weights, 4 n² bytes, exceed the last cache shows what happens past it.
    cores : sequence of int, optional
        Cores that run words at the same time; one, and all usable ones, when left out.
    seconds : float
        For all conditions of one network on so many cores, about, times their number; each is run at least once.
    conditions : sequence of Condition, optional
        The first is what the others are compared with. What this machine allows when left out.
    progress : bool, optional
        Whether to show how far it is; in terminals and notebooks when left out.
    clock : callable
        Gives nanoseconds, for ``seconds``; words are timed by a counter in native code.

    Returns
    -------
    Residency
        Prints as a table in a terminal and in a notebook.

    Raises
    ------
    SparsenetError
        When there is nothing to time, a network has not one input, float32, and one output, an input does not fit, or a
        size is out of range or too large for the memory.
    TypeError
        When inputs are no numbers, or a size or a number of cores is no integer.

    Examples
    --------
    >>> import sparsenet as sn
    >>> engine = sn.compile(sn.Network.sequential((64,), [sn.Linear(np.eye(64))]), threads=1)
    >>> x = np.ones((4, 64), np.float32)
    >>> found = residency({"one layer": (engine, x)}, cores=(1,), seconds=0.01, conditions=here_conditions()[:2])
    >>> [row.condition for row in found.rows]
    ['hot', 'L2 displaced']
    """
    if not engines and not sizes:
        raise SparsenetError("expected a network or a size of a linear layer, got neither")
    for engine, _ in engines.values():
        expect_one_to_one(engine.network, "residency")
    check_sizes(sizes)
    if not 0 < seconds < inf:
        raise SparsenetError(f"expected seconds above 0, got {seconds}")
    chosen = tuple(here_conditions() if conditions is None else conditions)
    counts = tuple(whole("cores", count) for count in dict.fromkeys((1, usable_cores()) if cores is None else cores))
    if not chosen or not counts:
        raise SparsenetError("expected at least one condition and one number of cores, got none")
    rows: list[ResidencyRow] = []
    subjects = _subjects(engines, sizes)
    with telling(progress, len(subjects)) as tell:
        tell(0, "filling the memory that displaces others")
        numbers = displacer(max(condition.read_bytes for condition in chosen))
        rate = ticks_per_s()
        for done, (what, kind, make) in enumerate(subjects):
            tell(done, f"timing {what}, {kind}")
            engine, x = make()
            for count in counts:
                timer = SampleTimer(engine, x, count)
                own = _allowed(chosen, count)
                ticks = _timed(timer, own, numbers, seconds * len(own), clock)
                rows += _rows(what, kind, timer, ticks, rate)
    return Residency(tuple(rows), chosen, machine(), usable_cores(), memory())


def _subjects(engines: "Mapping[str, tuple[Engine, FloatArray]]", sizes: Sequence[int]) -> "list[Subject]":
    """List what is timed; layers are made when their turn comes, so that only one large one is in memory."""
    networks: list[Subject] = [(name, "network", partial(_given, *pair)) for name, pair in engines.items()]
    return networks + layers_of(sizes)


def _given(engine: "Engine", x: FloatArray) -> "tuple[Engine, FloatArray]":
    return engine, x


def _allowed(chosen: tuple[Condition, ...], cores: int) -> tuple[Condition, ...]:
    """Leave flushing out on several cores: it takes the weights away from all of them while others run."""
    return tuple(condition for condition in chosen if cores == 1 or not condition.flushes)


def _timed(
    timer: SampleTimer, chosen: Sequence[Condition], numbers: FloatArray, seconds: float, clock: Clock
) -> dict[str, npt.NDArray[np.int64]]:
    """Time the conditions in turn until the time is over: ticks of single words, by condition."""
    found: dict[str, list[npt.NDArray[np.int64]]] = {condition.name: [] for condition in chosen}
    for condition in chosen:
        timer.time(condition, numbers, 1)  # the first touches new memory
    began_ns = clock()
    timer.time(chosen[0], numbers, 1)
    many = max(FEW_WORDS, min(MANY_WORDS, int(seconds * 1e9 / 2 / max(clock() - began_ns, 1))))
    while True:
        for condition in chosen:
            hot = not (condition.read_bytes or condition.flushes)
            ticks = timer.time(condition, numbers, 2 * many if hot else FEW_WORDS)
            found[condition.name].append(ticks[:, many:].ravel() if hot else ticks.ravel())
        if clock() - began_ns > seconds * 1e9:
            return {name: np.concatenate(parts) for name, parts in found.items()}


def _rows(
    what: str, kind: str, timer: SampleTimer, ticks: Mapping[str, npt.NDArray[np.int64]], rate: float
) -> Iterator[ResidencyRow]:
    first = float(np.median(next(iter(ticks.values()))))
    for name, readings in ticks.items():
        median = float(np.median(readings))
        yield ResidencyRow(
            what=what,
            kind=kind,
            weight_bytes=timer.weight_bytes,
            cores=timer.cores,
            condition=name,
            words=readings.size,
            median_us=median / rate * 1e6,
            minimum_us=float(readings.min()) / rate * 1e6,
            times_hot=median / max(first, 1.0),
        )
