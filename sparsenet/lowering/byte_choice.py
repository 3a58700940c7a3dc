"""Choosing among the kernels that can run a layer of bytes: each format is packed, and its size decides."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sparsenet.errors import CompileError, did_you_mean
from sparsenet.lowering.choose import Choice
from sparsenet.lowering.own_kernels import own_kernels_registered, stand_ins
from sparsenet.lowering.predicted import Cost
from sparsenet.lowering.values import Arguments, Draft
from sparsenet.lowering.weighted import Plan
from sparsenet_kernels.registry import kernels

__all__ = ["Candidate", "choose_candidate"]


USES = {
    "dense": "no zeros worth skipping",
    "tiles": "leaves out tiles without a weight",
    "octets": "takes only the channels that 16 outputs share",
    "lookup": "skips zero weights, each output its own",
    "blocks": "skips zero weights and inactive inputs",
}
"""What each format of byte weights makes of zeros."""


@dataclass(frozen=True)
class Candidate:
    """A kernel that can run a layer: its format's fill, its predicted cost, and a function that gives its arguments."""

    kernel: str
    fill: float
    cost: Cost
    bind: Callable[[], Arguments]


def choose_candidate(draft: Draft, plan: Plan, candidates: list[Candidate]) -> Candidate:
    """Choose by predicted time, or as asked for, and note the choice."""
    own = [
        replace(candidate, kernel=name)
        for candidate in (candidates if own_kernels_registered() else ())
        for name in stand_ins(candidate.kernel, plan.machine.features)
    ]
    by_name = {candidate.kernel: candidate for candidate in [*candidates, *own]}
    predicted = {name: candidate.cost.us for name, candidate in by_name.items()}
    best = min(predicted, key=predicted.__getitem__)
    what = USES[kernels()[best].weights]
    reason = f"{what}: fastest of {len(candidates)} byte kernels, predicted"
    forced = plan.forced.get(draft.layer)
    if forced is not None:
        if forced not in by_name:
            close = did_you_mean(forced, by_name)
            raise CompileError(f"layer {draft.layer!r}: expected one of {', '.join(by_name)}, got {forced!r}{close}")
        best, reason = forced, "asked for"
    chosen = by_name[best]
    form = kernels()[chosen.kernel].weights
    plan.choices.append(Choice(draft.layer, chosen.kernel, form, reason, chosen.fill, predicted, {}, chosen.cost))
    return chosen
