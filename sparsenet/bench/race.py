"""One network and its dense twin, in this engine and in its peers, timed in turn."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.contenders import HERE, ORIGINAL, Entrant, LeftOut, Run, entrants, missing_peers
from sparsenet.bench.inputs import Inputs, inputs_for
from sparsenet.bench.interleave import interleave
from sparsenet.bench.peers.peer import PEERS
from sparsenet.bench.surroundings import Surroundings, surroundings
from sparsenet.bench.twin import is_float, original_of, twin_of
from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network
from sparsenet.timing import Timing, repeat_until

__all__ = ["Race", "RaceRow", "race"]

FloatArray = npt.NDArray[np.float32]
Tell = Callable[[str], object]

JUDGED = 32
"""Inputs whose answers are compared with the reference, which is slow."""

BUSY_S = 0.05
REST_S = 0.002
"""Threads of some peers go on spinning for a while after a call."""


@dataclass(frozen=True)
class RaceRow:
    """What was measured of one entrant at one size of batch and number of threads.

    Attributes
    ----------
    role, engine, dtype : str
    batch, threads : int
    timing : Timing
        Of one call with the whole batch.
    samples_per_s : float
        From the median.
    times_the_first : float
        This row's minimum over that of the first row with the same batch and threads.
    cores_busy : float
        Processor time over time: how many cores it kept busy, whatever it was told.
    same_answer, of : int
        Inputs on which the largest output is where the network's float64 reference has it.
    largest_error : float
        The largest difference of an output from the reference, over the reference's largest size.
    """

    role: str
    engine: str
    dtype: str
    batch: int
    threads: int
    timing: Timing
    samples_per_s: float
    times_the_first: float
    cores_busy: float
    same_answer: int
    of: int
    largest_error: float


@dataclass(frozen=True)
class Race:
    """Rows that were measured together, and what a fair reader must know about them.

    Attributes
    ----------
    model : str
    rows : tuple of RaceRow
        By batch, threads, then in the order of the entrants.
    inputs : str
        What the networks were fed with.
    samples : int
        Different inputs that took turns.
    unequal : tuple of str
        What differs between rows apart from the engine.
    left_out : tuple of LeftOut
        Who did not take part, and why.
    info : Surroundings
        Machine and versions.
    """

    model: str
    rows: tuple[RaceRow, ...]
    inputs: str
    samples: int
    unequal: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    info: Surroundings

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        plain = {name: list(value) for name, value in asdict(self).items() if isinstance(value, tuple)}
        return asdict(self) | plain | {"info": self.info.to_dict()}


@dataclass(frozen=True)
class _Place:
    """An entrant, loaded."""

    entrant: Entrant
    run: Run
    batch: int
    threads: int


def race(
    model: str,
    net: Network,
    batches: Sequence[int] = (1, 8, 64, 256),
    threads: Sequence[int] = (1,),
    rounds: int = 50,
    longest_s: float = 20.0,
    tell: Tell = lambda step: None,
) -> Race:
    """Time a network and its dense twin in this engine and in every peer that is installed.

    Rows of one batch size and number of threads are timed in turn, in one process, on inputs that change with every
    call.

    Parameters
    ----------
    model : str
        The name or path that the network was loaded by.
    net : Network
    batches, threads : sequence of int
        Every one of both is combined.
    rounds : int
        See :func:`sparsenet.bench.interleave`.
    longest_s : float
        For the timing of one combination; fewer rounds are made where they would take longer.
    tell : callable
        Is told in a few words what is done next.

    Returns
    -------
    Race

    Raises
    ------
    SparsenetError
        When there is nothing to combine.
    """
    if not batches or not threads or min(*batches, *threads) < 1:
        raise SparsenetError(f"expected batches and threads of at least 1, got {list(batches)} and {list(threads)}")
    tell("preparing inputs")
    inputs = inputs_for(net, max(batches))
    original, twin = original_of(model, net), twin_of(model, net)
    nets = {"as given": net}
    nets |= {ORIGINAL: original} if original else {}
    nets |= {"dense twin": twin[0]} if twin else {}
    everybody = entrants(nets, inputs.calibration)
    judged = {role: (inputs.timed[:JUDGED], one.reference(inputs.timed[:JUDGED])) for role, one in nets.items()}
    rows: list[RaceRow] = []
    left_out: dict[str, LeftOut] = {one.who: one for one in missing_peers()}
    if not any(map(is_float, nets.values())):
        left_out["peers"] = LeftOut("all peers", "the network is quantised; give the float32 network it was made from")
    for batch in sorted(set(batches)):
        for count in sorted(set(threads)):
            places = _loaded(everybody, batch, count, left_out, tell)
            tell(f"timing {len(places)} contenders in turn: batch {batch}, threads {count}")
            rows += _timed(places, inputs.timed, judged, rounds, longest_s)
    unequal = _unequal(inputs, None if twin is None else twin[1], rows)
    return Race(model, tuple(rows), inputs.text, len(inputs.timed), unequal, tuple(left_out.values()), surroundings())


def _loaded(
    everybody: Sequence[Entrant], batch: int, threads: int, left_out: dict[str, LeftOut], tell: Tell
) -> list[_Place]:
    places = []
    for entrant in everybody:
        tell(f"loading {entrant.title}: batch {batch}, threads {threads}")
        run = entrant.loaded(batch, threads)
        if isinstance(run, LeftOut):
            left_out.setdefault(run.who, run)
        else:
            places.append(_Place(entrant, run, batch, threads))
    return places


def _timed(
    places: Sequence[_Place],
    x: FloatArray,
    judged: Mapping[str, tuple[FloatArray, npt.NDArray[np.float64]]],
    rounds: int,
    longest_s: float,
) -> list[RaceRow]:
    batch = places[0].batch
    batches = [x[start : start + batch].copy() for start in range(0, len(x) - batch + 1, batch)]
    calls = {place.entrant.title: partial(_call, place.run, batches) for place in places}
    busy = {title: _cores_busy(call) for title, call in calls.items()}
    rest_s = REST_S if places[0].threads > 1 else 0.0
    timings = interleave(calls, rounds, longest_s=longest_s, rest_s=rest_s)
    first_us = timings[places[0].entrant.title].minimum_us
    return [
        _row(place, timings[place.entrant.title], first_us, busy[place.entrant.title], judged[place.entrant.role])
        for place in places
    ]


def _call(run: Run, batches: Sequence[FloatArray], index: int) -> FloatArray:
    return run(batches[index % len(batches)])


def _cores_busy(call: Callable[[int], object]) -> float:
    """Compare the processor time of a few calls with the time they took."""
    call(0)
    began_busy = time.process_time()
    _, lasted_s = repeat_until(lambda index: call(index + 1), lambda calls, passed_s: passed_s >= BUSY_S)
    return (time.process_time() - began_busy) / lasted_s


def _row(
    place: _Place,
    timing: Timing,
    first_us: float,
    cores_busy: float,
    judged: tuple[FloatArray, npt.NDArray[np.float64]],
) -> RaceRow:
    x, wanted = judged
    # the last batch is filled up by repeating
    filled = np.resize(x, (-(-len(x) // place.batch) * place.batch, *x.shape[1:]))
    given = np.concatenate([place.run(part) for part in np.split(filled, len(filled) // place.batch)])[: len(x)]
    flat, reference = given.reshape(len(x), -1), wanted.reshape(len(x), -1)
    entrant = place.entrant
    return RaceRow(
        role=entrant.role,
        engine=entrant.engine,
        dtype=entrant.dtype,
        batch=place.batch,
        threads=place.threads,
        timing=timing,
        samples_per_s=place.batch / timing.median_us * 1e6,
        times_the_first=timing.minimum_us / first_us,
        cores_busy=cores_busy,
        same_answer=int((flat.argmax(1) == reference.argmax(1)).sum()),
        of=len(x),
        largest_error=float(np.abs(flat - reference).max() / max(float(np.abs(reference).max()), 1e-30)),
    )


def _unequal(inputs: Inputs, twin: str | None, rows: Sequence[RaceRow]) -> tuple[str, ...]:
    """Say what differs between the rows apart from the engine."""
    took_part = {(row.engine, row.dtype) for row in rows}
    said = [f"the dense twin is another function, {twin}"] if twin else []
    if (HERE, "int8") in took_part:
        said.append(
            "int8 in sparsenet: sparsenet.quantize on the calibration inputs; scores and last layers in float32"
        )
    said += [f"{peer.title}: {peer.remark}" for peer in PEERS if (peer.name, peer.dtype) in took_part]
    said.append(f"everybody was fed with float32: {inputs.text}; calibration had {len(inputs.calibration)} others")
    said += [
        f"{row.engine} {row.dtype} was told to use {row.threads} thread(s) but kept {row.cores_busy:.1f} cores busy"
        for row in rows
        if row.cores_busy > row.threads * 1.25 + 0.1
    ]
    if any(row.threads == 1 and row.cores_busy < 0.9 for row in rows):
        said.append(
            "the machine was busy with something else: some rows had less than a core, see their column of cores"
        )
    return tuple(dict.fromkeys(said))
