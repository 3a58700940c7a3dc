"""Find complementary sets for a mask that was not built for them: outputs that can be overlaid.

Two outputs conflict when they share an input; a set holds no two outputs that conflict. The smallest number of sets is
the chromatic number of the conflict graph. No fast algorithm for it is known, so these functions are heuristics.
"""

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet_kernels.formats.entries import linear_entries
from sparsenet_kernels.formats.first_fit import fit_sets

__all__ = ["LARGEST_GRAPH", "best_fit", "clique_size", "colouring", "conflicts", "first_fit", "lower_bound"]

LARGEST_GRAPH = 4096
"""Outputs of the largest graph of conflicts that is built: its colouring takes some seconds."""

BoolArray = npt.NDArray[np.bool_]
Sets = npt.NDArray[np.int32]


def first_fit(keep: BoolArray) -> Sets:
    """Put each output into the first set without a conflict: in order or largest first, whichever needs fewer sets.

    keep     (N, D)  bool
    returns  (N,)    int32, the set of each output

    A mask that was built set by set is packed into no more sets than it was built with.
    """
    return fit_sets(linear_entries(keep, None, by="row"))


def best_fit(keep: BoolArray) -> Sets:
    """Put each output into the fullest set without a conflict; outputs with the most wanted inputs come first.

    keep     (N, D)  bool
    returns  (N,)    int32, the set of each output

    Work: at most N * S * D / 64 word operations.
    """
    demand = keep @ keep.sum(axis=0, dtype=np.int64)
    words = _words(keep)
    taken, sizes = np.zeros_like(words), np.zeros(len(keep), np.int64)
    kept = keep.sum(axis=1)
    sets, opened = np.zeros(len(keep), np.int32), 0
    for output in np.argsort(-demand, kind="stable").tolist():
        clashes = (taken[: opened + 1] & words[output]).any(axis=1)  # the set after the last is free: one fits
        best = int(np.where(clashes, -1, sizes[: opened + 1]).argmax())
        taken[best] |= words[output]
        sizes[best] += kept[output]
        sets[output] = best
        opened = max(opened, best + 1)
    return sets


def _words(keep: BoolArray) -> npt.NDArray[np.uint64]:
    """Return the inputs of each output as bits: (N, ceil(D / 64)) uint64."""
    padded = np.pad(keep, ((0, 0), (0, -keep.shape[1] % 64)))
    return np.packbits(padded, axis=1).view(np.uint64)


def colouring(keep: BoolArray) -> Sets:
    """Make one set after the other, each as large as possible: recursive largest first.

    keep     (N, D)  bool
    returns  (N,)    int32, the set of each output

    A set begins with the output that has most conflicts; then, among those without conflict, always the one that
    conflicts most with what the set already excludes joins, so that least is lost for the sets to come.
    Of the reference network's linear layer under a random mask this makes 465 sets, first fit 520, and colouring by
    saturation (DSATUR), which was tried and dropped, 494.

    Source: Leighton, A graph coloring algorithm for large scheduling problems, J. Res. Nat. Bur. Standards 84(6), 1979.
    """
    graph = conflicts(keep)
    degree = graph.sum(axis=1, dtype=np.int64)  # conflicts with outputs that have no set yet
    sets, left, count = np.zeros(len(keep), np.int32), np.ones(len(keep), bool), 0
    while left.any():
        members = _largest_set(graph, degree, left)
        sets[members] = count
        left[members] = False
        degree -= graph[members].sum(axis=0, dtype=np.int64)
        count += 1
    return sets


def _largest_set(graph: BoolArray, degree: npt.NDArray[np.int64], left: BoolArray) -> list[int]:
    """Return the outputs of the next set."""
    candidates, excluded = left.copy(), np.zeros(len(left), np.int64)
    members = [int(np.where(left, degree, -1).argmax())]
    while True:
        newest = members[-1]
        candidates[newest] = False
        lost = candidates & graph[newest]
        candidates &= ~lost
        if not candidates.any():
            return members
        excluded += graph[lost].sum(axis=0, dtype=np.int64)
        wanted = np.where(candidates, excluded * len(left) - degree, np.iinfo(np.int64).min)
        members.append(int(wanted.argmax()))


def conflicts(keep: BoolArray) -> BoolArray:
    """Return which outputs share an input with which others: (N, N) bool, False on the diagonal.

    Raises
    ------
    SparsenetError
        If there are more than :data:`LARGEST_GRAPH` outputs.
    """
    if len(keep) > LARGEST_GRAPH:
        raise SparsenetError(
            f"expected at most {LARGEST_GRAPH} outputs to colour, got {len(keep)}; use the method best-fit"
        )
    ones = keep.astype(np.float32)
    graph: BoolArray = ones @ ones.T > 0
    np.fill_diagonal(graph, False)
    return graph


def lower_bound(keep: BoolArray) -> int:
    """Return a lower bound on the number of sets of any packing: the largest of three bounds.

    keep     (N, D)  bool

    * the outputs of the input that has most of them, each in a set of its own;
    * the sets that the outputs would need if their inputs were free to choose, by their number;
    * the size of a group of outputs that all conflict with each other, where the graph is not too large.
    """
    by_input = int(keep.sum(axis=0).max())
    sizes = np.sort(keep.sum(axis=1))
    sizes = sizes[sizes > 0]
    if not sizes.size:
        return 1
    fit = max(1, int(np.searchsorted(np.cumsum(sizes), keep.shape[1], side="right")))  # of the smallest, in one set
    by_number = -(-sizes.size // fit)
    by_clique = clique_size(conflicts(keep)) if len(keep) <= LARGEST_GRAPH else 1
    return max(by_input, by_number, by_clique)


def clique_size(graph: BoolArray) -> int:
    """Count the outputs of a group in which all conflict with each other, grown greedily from the most conflicting."""
    degree = graph.sum(axis=1)
    candidates, size = np.ones(len(graph), bool), 0
    while candidates.any():
        newest = int(np.where(candidates, degree, -1).argmax())
        candidates &= graph[newest]
        size += 1
    return size
