"""Run contenders on the same inputs in one interleaved run; put how often each is right beside how long it takes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.interleave import interleave
from sparsenet.bench.surroundings import Surroundings
from sparsenet.errors import SparsenetError
from sparsenet.renderer import as_record
from sparsenet.timing import Timing, repeat_until

__all__ = ["Comparison", "Contender", "Judged", "LeftOut", "Row", "Run", "compare"]

FloatArray = npt.NDArray[np.float32]
Run = Callable[[FloatArray], FloatArray]
Judged = tuple[FloatArray, npt.NDArray[Any]]
"""Inputs, and what their answers are held against: classes (m,), or the outputs of a reference (m, *output_shape)."""

BUSY_S = 0.05
REST_S = 0.002
"""Threads of some peers go on spinning for a while after a call."""


@dataclass(frozen=True)
class LeftOut:
    """Somebody who does not take part, and why."""

    who: str
    why: str


@dataclass(frozen=True)
class Contender:
    """A network in an engine.

    Parameters
    ----------
    network, engine : str
        What people shall read.
    runs : mapping of int to callable
        By batch size: (B, *input_shape) float32 to (B, *output_shape).
    accuracy : str
        What is known of the network's accuracy, and on which data.
    dtype : str
    threads : int
        That it was told to use.
    """

    network: str
    engine: str
    runs: Mapping[int, Run]
    accuracy: str = ""
    dtype: str = ""
    threads: int = 1


@dataclass(frozen=True)
class Row:
    """What was measured of one contender at one batch size.

    Attributes
    ----------
    network, engine, dtype : str
    batch, threads : int
        Samples in one call; threads that the contender was told to use.
    timing : Timing
        Of one call with the whole batch.
    samples_per_s : float
        From the median.
    times_the_first : float
        This row's minimum over the first contender's, at the same batch size.
    cores_busy : float
        Processor time over time: how many cores it kept busy, whatever it was told.
    right, of : int
        Answers that were right, here and now, of all that were judged: the largest output is that of the class, or
        where the reference has it.
    largest_error : float or None
        The largest difference of an output from the reference, over the reference's largest size; None without one.
    accuracy : str
        What was known before.
    """

    network: str
    engine: str
    dtype: str
    batch: int
    threads: int
    timing: Timing
    samples_per_s: float
    times_the_first: float
    cores_busy: float
    right: int
    of: int
    largest_error: float | None
    accuracy: str

    @property
    def sample_timing(self) -> Timing:
        """Of one sample: the time of a call divided by its samples."""
        return self.timing.divided_by(self.batch)


@dataclass(frozen=True)
class Comparison:
    """Rows that were measured together, and what a fair reader must know about them.

    Attributes
    ----------
    model : str
    rows : tuple of Row
    inputs : str
        What the networks were fed with.
    samples : int
        Different inputs that took turns.
    unequal : tuple of str
        What differs between the rows apart from the engine.
    left_out : tuple of LeftOut
        Who did not take part, and why.
    info : Surroundings or None
        Machine and versions; None where whoever prints it says so.
    """

    model: str
    rows: tuple[Row, ...]
    inputs: str
    samples: int
    unequal: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    info: Surroundings | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        rows = [as_record(row) | {"role": row.network, "same_answer": row.right} for row in self.rows]
        return as_record(self) | {"rows": rows}


def compare(
    contenders: Sequence[Contender],
    samples: FloatArray,
    judged: Judged | Mapping[str, Judged],
    rounds: int = 100,
    longest_s: float = float("inf"),
) -> tuple[Row, ...]:
    """Time contenders in turn, on inputs that change with every call, and count their right answers.

    Parameters
    ----------
    contenders : sequence of Contender
        The first is the one that the others are compared with.
    samples : array (n, *input_shape), float32
        Inputs for the timing; n is at least the largest batch.
    judged : (array (m, *input_shape), array (m,) int or (m, *output_shape)), or mapping of str to such pairs
        Inputs and their classes, or the outputs of a reference; a mapping has them by network.
    rounds : int
        See :func:`sparsenet.bench.interleave`.
    longest_s : float
        After so long no further round is begun.

    Returns
    -------
    tuple of Row
        By batch size, then in the order of the contenders.

    Raises
    ------
    SparsenetError
        When there are fewer samples than one call takes, or nobody to compare.
    """
    if not contenders:
        raise SparsenetError("expected at least one contender, got none")
    pairs = [(one, batch) for batch in sorted(contenders[0].runs) for one in contenders]
    largest = max(batch for _, batch in pairs)
    if len(samples) < largest:
        raise SparsenetError(f"expected at least {largest} samples for a batch of {largest}, got {len(samples)}")
    calls = {str(i): partial(_call, one.runs[batch], _batches(samples, batch)) for i, (one, batch) in enumerate(pairs)}
    busy = [_cores_busy(call) for call in calls.values()]
    rest_s = REST_S if any(one.threads > 1 for one in contenders) else 0.0
    timings = list(interleave(calls, rounds, longest_s=longest_s, rest_s=rest_s).values())
    by_network = judged if isinstance(judged, Mapping) else {one.network: judged for one in contenders}
    rows, first_us = [], 0.0
    for (one, batch), timing, cores_busy in zip(pairs, timings, busy, strict=True):
        first_us = timing.minimum_us if one is contenders[0] else first_us
        rows.append(_row(one, batch, timing, first_us, cores_busy, by_network[one.network]))
    return tuple(rows)


def _call(run: Run, batches: Sequence[FloatArray], index: int) -> FloatArray:
    return run(batches[index % len(batches)])


def _batches(samples: FloatArray, batch: int) -> list[FloatArray]:
    """Cut the samples into whole batches: each its own array, as a caller would have it."""
    return [samples[start : start + batch].copy() for start in range(0, len(samples) - batch + 1, batch)]


def _cores_busy(call: Callable[[int], object]) -> float:
    """Compare the processor time of a few calls with the time they took."""
    call(0)
    began_busy = time.process_time()
    _, lasted_s = repeat_until(lambda index: call(index + 1), lambda calls, passed_s: passed_s >= BUSY_S)
    return (time.process_time() - began_busy) / lasted_s


def _row(one: Contender, batch: int, timing: Timing, first_us: float, cores_busy: float, judged: Judged) -> Row:
    x, wanted = judged
    given = _outputs(one.runs[batch], batch, x).reshape(len(x), -1)
    reference = None if wanted.ndim == 1 else wanted.reshape(len(x), -1)
    classes = wanted if reference is None else reference.argmax(1)
    return Row(
        network=one.network,
        engine=one.engine,
        dtype=one.dtype,
        batch=batch,
        threads=one.threads,
        timing=timing,
        samples_per_s=batch / timing.median_us * 1e6,
        times_the_first=timing.minimum_us / first_us,
        cores_busy=cores_busy,
        right=int((given.argmax(1) == classes).sum()),
        of=len(x),
        largest_error=None if reference is None else _largest_error(given, reference),
        accuracy=one.accuracy,
    )


def _largest_error(given: FloatArray, reference: npt.NDArray[np.float64]) -> float:
    return float(np.abs(given - reference).max() / max(float(np.abs(reference).max()), 1e-30))


def _outputs(run: Run, batch: int, x: FloatArray) -> FloatArray:
    """Compute outputs in batches of the size that was timed; the last is filled up by repeating."""
    filled = np.resize(x, (-(-len(x) // batch) * batch, *x.shape[1:]))
    return np.concatenate([run(part) for part in np.split(filled, len(filled) // batch)])[: len(x)]
