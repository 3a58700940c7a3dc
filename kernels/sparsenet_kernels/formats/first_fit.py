"""Find sets of outputs that share no input, so that the kernels of one set can be laid over each other."""

import numpy as np
from numpy.typing import NDArray

from .entries import Entries


def fit_sets(entries: Entries) -> NDArray[np.int32]:
    """Assign each output to a set in which no other output uses one of its inputs; few sets, not always the fewest.

    Two orders are tried, and the one with fewer sets is kept:

    * as the outputs come: a mask that was built set by set is packed into no more sets than it was built with;
    * fullest first, which packs better a mask that was not built for packing.

    The second is spared when the first already meets the bound that no packing beats: the inputs' largest number of
    outputs. Work: at most 2 * N * S * D / 64 word operations.

    Returns
    -------
    (N,) int32
        The set of each output, 0 to S - 1, none empty. Outputs without weights go to set 0.
    """
    N, D = entries.shape
    occupied = _input_bits(entries)
    as_given = _first_fit(occupied, np.arange(N))
    if as_given.max() + 1 <= np.bincount(entries.columns, minlength=D).max():
        return as_given
    sizes = np.bincount(entries.rows, minlength=N)
    fullest_first = _first_fit(occupied, np.argsort(-sizes, kind="stable"))
    return fullest_first if fullest_first.max() < as_given.max() else as_given


def overlapping_inputs(
    rows: NDArray[np.integer], columns: NDArray[np.integer], sets: NDArray[np.integer], D: int
) -> int:
    """Count the (set, input) pairs that more than one output uses, in O(nnz log nnz)."""
    pairs = sets[rows].astype(np.int64) * D + columns
    _, uses = np.unique(pairs, return_counts=True)
    return int(np.count_nonzero(uses > 1))


def _input_bits(entries: Entries) -> NDArray[np.uint64]:
    """Return the inputs of each output as bits: (N, words of 64 inputs)."""
    N, D = entries.shape
    uses = np.zeros((N, -(-D // 64) * 64), dtype=bool)
    uses[entries.rows, entries.columns] = True
    return np.packbits(uses, axis=1).view(np.uint64)


def _first_fit(inputs: NDArray[np.uint64], order: NDArray[np.int64]) -> NDArray[np.int32]:
    """Put each output, in this order, into the first set that has all its inputs free."""
    occupied = np.zeros_like(inputs)
    sets = np.empty(len(inputs), dtype=np.int32)
    opened = 0
    for output in order:
        clashes = (occupied[: opened + 1] & inputs[output]).any(axis=1)  # the set after the last is free: one fits
        first = int(clashes.argmin())
        occupied[first] |= inputs[output]
        sets[output] = first
        opened = max(opened, first + 1)
    return sets
