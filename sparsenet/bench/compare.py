"""Run contenders on the same inputs in one interleaved run; put how often each is right beside how long it takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.interleave import interleave
from sparsenet.errors import SparsenetError
from sparsenet.timing import Timing

__all__ = ["Comparison", "Contender", "Row", "compare"]

FloatArray = npt.NDArray[np.float32]
Run = Callable[[FloatArray], FloatArray]

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Contender:
    """A network in an engine.

    Parameters
    ----------
    network, engine : str
        What people shall read.
    runs : mapping of int to callable
        By batch size: (B, *input_shape) float32 to (B, classes) scores.
    accuracy : str
        What is known of the network's accuracy, and on which data.
    """

    network: str
    engine: str
    runs: Mapping[int, Run]
    accuracy: str = ""


@dataclass(frozen=True)
class Row:
    """What was measured of one contender at one batch size.

    Attributes
    ----------
    network, engine : str
    batch : int
        Words in one call.
    timing : Timing
        Of one word: the time of a call divided by its words.
    words_per_s : float
        From the median.
    days_of_audio_per_s : float
        A word being one second of sound.
    times_the_first : float
        This row's minimum over the first contender's, at the same batch size.
    right, of : int
        Answers that were right, here and now, of all that were judged.
    accuracy : str
        What was known before.
    """

    network: str
    engine: str
    batch: int
    timing: Timing
    words_per_s: float
    days_of_audio_per_s: float
    times_the_first: float
    right: int
    of: int
    accuracy: str


@dataclass(frozen=True)
class Comparison:
    """Rows that were measured together, and what a fair reader must know about them.

    Attributes
    ----------
    rows : tuple of Row
    samples : int
        Different inputs that took turns.
    threads : int
        Of every engine.
    unequal : tuple of str
        What differs between the rows apart from the engine.
    """

    rows: tuple[Row, ...]
    samples: int
    threads: int
    unequal: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return asdict(self) | {"rows": [asdict(row) for row in self.rows], "unequal": list(self.unequal)}


def compare(
    contenders: Sequence[Contender],
    samples: FloatArray,
    judged: tuple[FloatArray, npt.NDArray[np.int64]],
    rounds: int = 100,
) -> tuple[Row, ...]:
    """Time contenders in turn, on inputs that change with every call, and count their right answers.

    Parameters
    ----------
    contenders : sequence of Contender
        The first is the one that the others are compared with.
    samples : array (n, *input_shape), float32
        Inputs for the timing; n is at least the largest batch.
    judged : (array (m, *input_shape), array (m,) int)
        Inputs and their classes, for counting right answers.
    rounds : int
        See :func:`sparsenet.bench.interleave`.

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
    places = [(one, batch) for batch in sorted(contenders[0].runs) for one in contenders]
    largest = max(batch for _, batch in places)
    if len(samples) < largest:
        raise SparsenetError(f"expected at least {largest} samples for a batch of {largest}, got {len(samples)}")
    calls = {str(i): partial(_call, one.runs[batch], _batches(samples, batch)) for i, (one, batch) in enumerate(places)}
    measured = list(interleave(calls, rounds).values())
    first = {batch: t.minimum_us for (one, batch), t in zip(places, measured, strict=True) if one is contenders[0]}
    return tuple(
        _row(one, batch, timing, timing.minimum_us / first[batch], judged)
        for (one, batch), timing in zip(places, measured, strict=True)
    )


def _call(run: Run, batches: Sequence[FloatArray], index: int) -> FloatArray:
    return run(batches[index % len(batches)])


def _batches(samples: FloatArray, batch: int) -> list[FloatArray]:
    """Cut the samples into whole batches: each its own array, as a caller would have it."""
    return [samples[start : start + batch].copy() for start in range(0, len(samples) - batch + 1, batch)]


def _row(
    one: Contender, batch: int, timing: Timing, times: float, judged: tuple[FloatArray, npt.NDArray[np.int64]]
) -> Row:
    x, wanted = judged
    word = timing.divided_by(batch)
    words_per_s = 1e6 / word.median_us
    return Row(
        network=one.network,
        engine=one.engine,
        batch=batch,
        timing=word,
        words_per_s=words_per_s,
        days_of_audio_per_s=words_per_s / SECONDS_PER_DAY,
        times_the_first=times,
        right=int((_answers(one.runs[batch], batch, x) == wanted).sum()),
        of=len(wanted),
        accuracy=one.accuracy,
    )


def _answers(run: Run, batch: int, x: FloatArray) -> npt.NDArray[np.int64]:
    """Ask for every class in batches of the size that was timed; the last is filled up by repeating."""
    filled = np.resize(x, (-(-len(x) // batch) * batch, *x.shape[1:]))
    scores = np.concatenate([run(filled[start : start + batch]) for start in range(0, len(filled), batch)])
    answers: npt.NDArray[np.int64] = scores[: len(x)].argmax(axis=1)
    return answers
