"""Complete calls that kernels alone cannot answer: with an error that names the cause, or by the reference.

Samples with inputs beyond the limit, or that tripped a watch, are computed again, layer by layer, in float64. Where a
layer's value leaves float32 the first such layer is named; where none does, sums on the way did, or the bounds were too
careful, and the answer is what the network means.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.graph.network import INPUT, Network
from sparsenet.graph.reference import evaluate_within
from sparsenet.passes import fold_batchnorm
from sparsenet_kernels.driver import FAILED

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["answer_by_reference", "as_it_came", "beyond_limit", "refuse_infinite", "settled"]

FloatArray = npt.NDArray[np.float32]
Arrays = Mapping[str, npt.NDArray[Any]]
Rows = npt.NDArray[np.intp]


def settled(engine: "Engine", answer: int, x: Arrays, y: Arrays) -> None:
    """Complete the answers ``y`` of a call that did not simply finish, or say what is wrong.

    Parameters
    ----------
    engine : Engine
    answer : int
        What its driver answered.
    x : mapping of str to array (B, *shape)
        What the call was given, by the names of the network's inputs.
    y : mapping of str to array (B, numbers)
        What it will return, by the names of the outputs.

    Raises
    ------
    RangeError
        When a value inside the network leaves float32.
    SparsenetError
        When an input is NaN or infinite.
    """
    first = next(iter(y.values()))
    if answer >= 0:
        floats = {name: given for name, given in x.items() if given.dtype == np.float32}
        for name, given in floats.items():
            refuse_infinite(given, name)
        beyond = np.logical_or.reduce([beyond_limit(given, engine.program.watches.limit) for given in floats.values()])
        zeroed = {name: np.where(_per_sample(beyond, given), np.float32(0), given) for name, given in floats.items()}
        answer = engine._run_again({**x, **zeroed}, y)
        first[beyond] = np.nan
    if answer == FAILED:
        raise RuntimeError("a kernel reached outside of its arrays; please report this network")
    answer_by_reference(engine.network, x, y, np.flatnonzero(np.isnan(first[:, 0])))


def as_it_came(engine: "Engine", answer: int, x: Arrays, y: Arrays) -> None:
    """Leave the answers as they are, for callers that only time a network and ignore NaN."""
    if answer == FAILED:
        raise RuntimeError("a kernel reached outside of its arrays; please report this network")


def refuse_infinite(x: FloatArray, name: str = INPUT) -> None:
    """Raise an error when an input is NaN or infinite."""
    finite = np.isfinite(x)
    if not finite.all():
        sample = np.argwhere(~finite)[0][0]
        what = "input" if name == INPUT else f"input {name!r}"
        raise SparsenetError(f"expected finite {what}, got NaN or infinity first in sample {sample} of {len(x)}")


def beyond_limit(x: FloatArray, limit: float) -> npt.NDArray[np.bool_]:
    """Mark the samples with an input beyond the limit."""
    return np.asarray((np.abs(x) > np.float32(limit)).any(axis=tuple(range(1, x.ndim))))


def answer_by_reference(network: Network, x: Arrays, y: Arrays, rows: Rows) -> None:
    """Write what the network means into some rows of its outputs, each (B, numbers).

    Raises
    ------
    RangeError
        When a value of one of these samples leaves float32.
    """
    folded = fold_batchnorm(network)  # which may call outputs otherwise, in the same order
    for row in rows.tolist():
        values = evaluate_within(folded, {name: given[row] for name, given in x.items()}, row)
        for out, value in zip(y.values(), values.values(), strict=True):
            out[row] = value.ravel()


def _per_sample(marked: npt.NDArray[np.bool_], x: FloatArray) -> Any:
    return marked.reshape(-1, *[1] * (x.ndim - 1))
