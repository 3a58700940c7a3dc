"""Pack dense, trained weights: drop weights until the rest packs, and keep as much energy as possible.

The energy of a layer is the sum of its squared weights. There are two steps: outputs whose large weights have different
inputs are put together in sets; then each input of a set is given to one of the set's outputs.
"""

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError

__all__ = ["deal", "free_energy", "group"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def free_energy(energy: Floats, kept: int) -> float:
    """Return the share of energy in the largest weights of each output, without the restriction of sets.

    energy  (N, D)  f32  squares of the weights
    kept            weights that each output keeps
    """
    largest = np.partition(energy, -kept, axis=1)[:, -kept:]
    return _share(largest, energy)


def _share(part: Floats, energy: Floats) -> float:
    """Return the share of a part in the whole; 1 where the whole is zero."""
    total = float(energy.sum(dtype=np.float64))
    return float(part.sum(dtype=np.float64)) / total if total else 1.0


def group(energy: Floats, kept: int) -> npt.NDArray[np.int32]:
    """Group outputs whose large weights have different inputs.

    energy   (N, D)  f32    squares of the weights
    kept                    weights that each output keeps
    returns  (N,)    int32  the set of each output, with at most D // kept outputs in each

    The largest first, each goes to the set with room where the least energy collides: of an input that two outputs
    want, the set will lose the smaller weight. With Gaussian weights this keeps 21.7 % of the energy instead of 21.0 %
    for sets of neighbours, at a density of 4 % (25 outputs in a set).

    Work: N * S * D.
    """
    N, D = energy.shape
    per_set = D // kept
    threshold = np.partition(energy, -kept, axis=1)[:, -kept, None]
    wanted = np.where(energy >= threshold, energy, np.float32(0))
    count = -(-N // per_set)
    held, room = np.zeros((count, D), np.float32), np.full(count, per_set)
    sets = np.zeros(N, np.int32)
    for output in np.argsort(-wanted.sum(axis=1), kind="stable").tolist():
        collides = np.minimum(held, wanted[output]).sum(axis=1)
        best = int(np.where(room > 0, collides, np.inf).argmin())
        np.maximum(held[best], wanted[output], out=held[best])
        room[best] -= 1
        sets[output] = best
    return sets


def deal(energy: Floats, sets: npt.NDArray[np.int32], kept: int) -> npt.NDArray[np.bool_]:
    """Give each input of a set to at most one of its outputs, so that each output gets as many, of large energy.

    energy   (N, D)  f32    squares of the weights
    sets     (N,)    int32  the set of each output
    kept                    inputs that each output gets
    returns  (N, D)  bool

    The outcome is that of going through all weights of a set from the largest down and keeping each whose input is
    free and whose output has room; it is found as stable marriages are, all sets at a time: every input proposes to the
    output where it is worth most, outputs with too many refuse the least, and the refused go on to their next.

    Source: Gale and Shapley, College admissions and the stability of marriage, Amer. Math. Monthly 69(1), 1962.

    Raises
    ------
    SparsenetError
        If a set has more outputs than its inputs can be dealt to.
    """
    members = _members(sets)
    _check_room(members, energy.shape[1], kept)
    offers = np.where(members[:, :, None] >= 0, energy[members], np.float32(-1))  # (S, P, D); -1 is no offer
    owner = offers.argmax(axis=1)
    while True:
        worth = np.take_along_axis(offers, owner[:, None], axis=1)[:, 0]
        s, d = _refused(owner, worth, offers.shape[1], kept)
        if not s.size:
            break
        offers[s, owner[s, d], d] = -1
        owner[s, d] = offers[s, :, d].argmax(axis=1)
    s, d = np.nonzero(worth >= 0)
    keep = np.zeros(energy.shape, bool)
    keep[members[s, owner[s, d]], d] = True
    return keep


def _members(sets: npt.NDArray[np.int32]) -> Ints:
    """List the outputs of each set: (S, P), filled up with -1."""
    order = np.argsort(sets, kind="stable")
    sizes = np.bincount(sets)
    members = np.full((sizes.size, int(sizes.max())), -1, np.int64)
    members[sets[order], np.arange(sets.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)] = order
    return members


def _check_room(members: Ints, D: int, kept: int) -> None:
    if members.shape[1] * kept > D:
        largest = int((members >= 0).sum(axis=1).argmax())
        raise SparsenetError(
            f"expected sets of at most {D // kept} outputs that keep {kept} of {D} inputs each, got one of "
            f"{members.shape[1]} (set {largest}); make more sets or ask for a lower density"
        )


def _refused(owner: Ints, worth: Floats, outputs: int, kept: int) -> tuple[Ints, Ints]:
    """Return the (set, input) pairs beyond the largest ``kept`` of their owner."""
    number = np.arange(len(owner))[:, None] * outputs + owner
    offered = worth >= 0
    counts = np.bincount(number[offered], minlength=len(owner) * outputs)
    s, d = np.nonzero(offered & (counts[number] > kept))
    ranked = np.lexsort((-worth[s, d], number[s, d]))
    s, d = s[ranked], d[ranked]
    begins = np.diff(number[s, d], prepend=-1) != 0
    first = np.flatnonzero(begins)
    rank = np.arange(s.size) - first[np.cumsum(begins) - 1] if s.size else s
    return s[rank >= kept], d[rank >= kept]
