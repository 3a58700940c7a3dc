"""Implementations: how kernels run a layer with weights. Floats and bytes have one list, from which one is chosen."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from sparsenet.lowering.draft import Arguments
from sparsenet.lowering.predicted import Cost
from sparsenet.lowering.task import Task
from sparsenet_kernels.registry import Kernel, base_name

__all__ = ["Bound", "Candidate", "Implementation", "WeightedTask", "candidates_of"]


class WeightedTask(Protocol):
    """A layer with weights that is being lowered, with the facts that its implementations need."""

    @property
    def task(self) -> Task:
        """The layer, its inputs, and what may be computed behind it."""

    @property
    def fused(self) -> str:
        """What the kernel in question computes besides, or ""."""

    @property
    def outputs(self) -> int:
        """How many outputs the kernel computes side by side."""

    @property
    def alike(self) -> Hashable:
        """What layers that get the same kernel have in common; None where only the packed weights can tell."""


@dataclass(frozen=True, eq=False)
class Bound:
    """The arguments of a kernel, without its output, and the fill of its weight format."""

    arguments: Arguments
    fill: float


def _fits(problem: Any) -> str:
    return ""


@dataclass(frozen=True, eq=False)
class Implementation:
    """One way to run a layer with weights. Its functions take a :class:`WeightedTask`.

    Attributes
    ----------
    operation, dtype, weights, inputs : str
        As in the records of its kernels.
    uses : str
        What it makes of zeros, in words.
    cost : callable (problem) -> Cost
        For one sample; may pack the weights.
    bind : callable (problem, kernel) -> Bound
        Packs the weights, and appends the steps that prepare the inputs.
    fits : callable (problem) -> str
        Why it cannot run this layer on this machine, or "". Raises IndexRangeError where its indices are too small.
    stored_bytes : callable (problem) -> int, optional
        What the weights take in this form, where that is known before they are packed.
    fuses : tuple of str
        What it may compute besides; for each of them there is a kernel, see :class:`~sparsenet.lowering.task.Epilogue`.
    variant : str
        The one variant of its kernels that it runs; where it is "", machine and layer decide.
    alone : bool
        Whether there is a kernel that computes nothing besides.
    offered : bool
        Whether it is a candidate for everybody, or for those only who ask for it.
    split : {"rows", "outputs", ""}
        How its work may be shared out among cores, into parts that write to different places.
    """

    operation: str
    dtype: str
    weights: str
    inputs: str
    uses: str
    cost: Callable[[Any], Cost]
    bind: Callable[[Any, Kernel], Bound]
    fits: Callable[[Any], str] = _fits
    stored_bytes: Callable[[Any], int] | None = None
    fuses: tuple[str, ...] = ()
    variant: str = ""
    alone: bool = True
    offered: bool = True
    split: str = ""


@dataclass(frozen=True, eq=False)
class Candidate:
    """An implementation with what it computes besides, and the name by which it is listed.

    ``base`` is the name of its kernels without a variant; ``name`` has the variant where the implementation fixes it.
    """

    implementation: Implementation
    fused: str
    base: str
    name: str


@cache
def candidates_of(
    implementations: tuple[Implementation, ...], epilogue: str, every: bool = False
) -> tuple[Candidate, ...]:
    """List candidates for a layer with an epilogue, or with none ("").

    Those that do both come first; those that only do the operation follow where none of their form does both, or
    ``every`` one of them for somebody who asks.
    """
    both = [entry for entry in implementations if epilogue in entry.fuses]
    alone = [entry for entry in implementations if entry.alone and (every or entry not in both)]
    return (*(_candidate(entry, epilogue) for entry in both), *(_candidate(entry, "") for entry in alone))


def _candidate(entry: Implementation, fused: str) -> Candidate:
    base = base_name(entry.operation, entry.dtype, entry.weights, entry.inputs, fused)
    return Candidate(entry, fused, base, f"{base}__{entry.variant}" if entry.variant else base)
