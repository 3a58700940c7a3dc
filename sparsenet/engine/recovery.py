"""What a call answers where kernels alone cannot: an error that names what is wrong, or what the reference says.

Samples with inputs beyond the limit, or that tripped a watch, are computed again, layer by layer, in float64. Where a
layer's value leaves float32 the first such layer is named; where none does, sums on the way did, or the bounds were too
careful, and the answer is what the network means.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network
from sparsenet.graph.reference import evaluate_within
from sparsenet.passes import fold_batchnorm
from sparsenet_kernels.driver import FAILED

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["answer_by_reference", "as_it_came", "beyond_limit", "refuse_infinite", "settled"]

FloatArray = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]


def settled(engine: "Engine", answer: int, x: FloatArray, y: FloatArray) -> None:
    """Complete the answers ``y`` of a call that did not simply finish, or say what is wrong.

    Raises
    ------
    RangeError
        When a value inside the network leaves float32.
    SparsenetError
        When an input is NaN or infinite.
    """
    if answer >= 0:
        refuse_infinite(x)
        beyond = beyond_limit(x, engine.program.watches.limit)
        answer = engine._run_again(np.where(_per_sample(beyond, x), np.float32(0), x), y)
        y[beyond] = np.nan
    if answer == FAILED:
        raise RuntimeError("a kernel reached outside of its arrays; please report this network")
    answer_by_reference(engine.network, x, y, np.flatnonzero(np.isnan(y[:, 0])))


def as_it_came(engine: "Engine", answer: int, x: FloatArray, y: FloatArray) -> None:
    """Leave the answers as they are: whoever only times a network minds neither NaN nor what made it."""
    if answer == FAILED:
        raise RuntimeError("a kernel reached outside of its arrays; please report this network")


def refuse_infinite(x: FloatArray) -> None:
    """Raise an error when an input is NaN or infinite."""
    finite = np.isfinite(x)
    if not finite.all():
        sample = np.argwhere(~finite)[0][0]
        raise SparsenetError(f"expected finite input, got NaN or infinity first in sample {sample} of {len(x)}")


def beyond_limit(x: FloatArray, limit: float) -> npt.NDArray[np.bool_]:
    """Mark the samples with an input beyond the limit."""
    return np.asarray((np.abs(x) > np.float32(limit)).any(axis=tuple(range(1, x.ndim))))


def answer_by_reference(network: Network, x: FloatArray, y: FloatArray, rows: Rows) -> None:
    """Write what the network means into some rows of ``y``, (B, outputs).

    Raises
    ------
    RangeError
        When a value of one of these samples leaves float32.
    """
    folded = fold_batchnorm(network)
    for row in rows.tolist():
        y[row] = evaluate_within(folded, {folded.input: x[row]}, row)[folded.output].ravel()


def _per_sample(marked: npt.NDArray[np.bool_], x: FloatArray) -> Any:
    return marked.reshape(-1, *[1] * (x.ndim - 1))
