"""Choose a kernel and a format for each layer with weights, and say why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sparsenet.errors import CompileError, did_you_mean
from sparsenet.lowering.choice import Choice
from sparsenet.lowering.footprint import allowed_bytes
from sparsenet.lowering.implementation import Candidate, Implementation, WeightedTask, candidates_of
from sparsenet.lowering.own_kernels import check_stands_in, is_own, stand_ins
from sparsenet.lowering.task import Plan
from sparsenet.machine.facts import Machine
from sparsenet_kernels.indices import IndexRangeError
from sparsenet_kernels.registry import Kernel, base_of, kernels, variants_of

__all__ = ["Choice", "Chosen", "choose", "note", "skips_nothing", "variant_for"]


@dataclass(frozen=True, eq=False)
class Chosen:
    """The kernel of a layer, why it was chosen, and the layer's problem as its implementation takes it."""

    problem: Any
    implementation: Implementation
    kernel: Kernel
    reason: str
    predicted_us: Mapping[str, float]


@dataclass(frozen=True)
class _Best:
    candidate: Candidate
    reason: str
    predicted_us: Mapping[str, float]


def choose(problem: WeightedTask, implementations: tuple[Implementation, ...]) -> Chosen:
    """Choose the kernel for a layer: as asked for, or by predicted time.

    Raises
    ------
    CompileError
        When the kernel that is asked for cannot run this layer, or none can.
    IndexRangeError
        When none can, because no kernel counts so far.
    """
    task = problem.task
    wished = task.plan.forced.get(task.draft.layer, "")
    if wished:
        candidate, kernel = _asked_for(problem, implementations, wished)
        best = _Best(candidate, "asked for", {})
    else:
        best = _best(problem, candidates_of(implementations, _epilogue(problem)))
        kernel = variant_for(best.candidate, problem.outputs, task.plan.machine)
    return Chosen(_as(problem, best.candidate), best.candidate.implementation, kernel, best.reason, best.predicted_us)


def note(chosen: Chosen, fill: float) -> None:
    """Add a choice to the plan, with what its kernel is predicted to take now that its weights are packed."""
    task, kernel = chosen.problem.task, chosen.kernel
    cost = chosen.implementation.cost(chosen.problem)
    choice = Choice(task.draft.layer, kernel.name, kernel.weights, chosen.reason, fill, chosen.predicted_us, {}, cost)
    task.plan.choices.append(choice)


def variant_for(candidate: Candidate, outputs: int, machine: Machine) -> Kernel:
    """Return the variant whose tile suits the machine's registers and the layer's outputs."""
    if candidate.implementation.variant:
        return kernels()[candidate.name]
    known = {kernel.variant: kernel for kernel in variants_of(candidate.base) if kernel.bundled}
    if "" in known:
        return known[""]
    suited, single = known[machine.register_width], known.get("single")
    # the narrow variant may have one vector of outputs, too, and fewer sums to keep
    fewer = single is not None and single.packing["vectors"] < suited.packing["vectors"]
    return single if single is not None and fewer and outputs <= 16 else suited


def _epilogue(problem: WeightedTask) -> str:
    epilogue = problem.task.epilogue
    return "" if epilogue is None else epilogue.fused


def _as(problem: Any, candidate: Candidate) -> Any:
    """Return the problem as the candidate's functions take it."""
    return problem if problem.fused == candidate.fused else replace(problem, fused=candidate.fused)


def _asked_for(
    problem: WeightedTask, implementations: tuple[Implementation, ...], wished: str
) -> tuple[Candidate, Kernel]:
    """Find the candidate that was asked for, by its kernel's name with or without the variant."""
    layer, machine = problem.task.draft.layer, problem.task.plan.machine
    listed = candidates_of(implementations, _epilogue(problem), every=True)
    # of those that take the same arguments the last one packs for kernels from elsewhere
    found = next((candidate for candidate in reversed(listed) if _is_meant(candidate, wished)), None)
    if found is None:
        possible = [candidate.name for candidate in listed if not _unfit(problem, candidate)]
        close = did_you_mean(wished, possible)
        raise CompileError(f"layer {layer!r}: expected one of {', '.join(possible)}, got {wished!r}{close}")
    if reason := _unfit(problem, found):
        raise CompileError(f"layer {layer!r}: {found.name} cannot run it: {reason}")
    if wished in kernels():
        check_stands_in(wished, found.base)
        return found, kernels()[wished]
    if wished == found.base:
        return found, variant_for(found, problem.outputs, machine)
    variants = [kernel.name for kernel in variants_of(found.base)]
    close = did_you_mean(wished, variants)
    raise CompileError(f"layer {layer!r}: expected one of {', '.join(variants)}, got {wished!r}{close}")


def _is_meant(candidate: Candidate, wished: str) -> bool:
    if candidate.name == wished:
        return True
    return base_of(wished) == candidate.base and (not candidate.implementation.variant or is_own(wished))


def _unfit(problem: WeightedTask, candidate: Candidate) -> str:
    """Say why a candidate cannot run a layer; an empty text where it can."""
    try:
        return candidate.implementation.fits(_as(problem, candidate))
    except IndexRangeError as error:
        return str(error)


def _best(problem: WeightedTask, candidates: Sequence[Candidate]) -> _Best:
    """Choose by predicted time, once for all layers that are alike."""
    task = problem.task
    fitting, wrong = task.draft.once(_fitting, problem, candidates, epilogue=_epilogue(problem))
    most_bytes = allowed_bytes(task.layer.weight.nbytes, task.plan.weighted)
    key = problem.alike, most_bytes, tuple(candidate.name for candidate in fitting)
    best: _Best | None = None if problem.alike is None else task.draft.packs.get(key)
    if best is None:
        predicted, more = _predicted(problem, _in_proportion(problem, fitting, most_bytes))
        if not predicted:
            missing = CompileError(f"layer {task.draft.layer!r}: expected a kernel that can run it, got none")
            raise next(reversed([*wrong, *more]), missing)
        best = task.draft.packs[key] = _fastest(predicted, fitting, task.plan)
    return best


def _fitting(
    problem: WeightedTask, candidates: Sequence[Candidate], *, epilogue: str
) -> tuple[list[Candidate], list[IndexRangeError]]:
    """Return the candidates that can run the layer, and the index errors of the others."""
    fitting, wrong = [], []
    for candidate in candidates:
        if candidate.implementation.offered:
            try:
                if not candidate.implementation.fits(_as(problem, candidate)):
                    fitting.append(candidate)
            except IndexRangeError as error:  # others may count further
                wrong.append(error)
    return fitting, wrong


def _in_proportion(problem: WeightedTask, candidates: list[Candidate], most_bytes: int) -> list[Candidate]:
    """Leave out candidates whose weights would take too much memory; the smallest form always stays."""
    sizes = {
        candidate.name: candidate.implementation.stored_bytes(problem)
        for candidate in candidates
        if candidate.implementation.stored_bytes is not None
    }
    most = max(most_bytes, min(sizes.values(), default=0))
    return [candidate for candidate in candidates if sizes.get(candidate.name, 0) <= most]


def _predicted(problem: WeightedTask, candidates: list[Candidate]) -> tuple[dict[str, float], list[IndexRangeError]]:
    predicted, wrong = {}, []
    for candidate in candidates:
        try:
            predicted[candidate.name] = candidate.implementation.cost(_as(problem, candidate)).us
        except IndexRangeError as error:  # found while packing
            wrong.append(error)
    return predicted, wrong


def _fastest(predicted: dict[str, float], candidates: list[Candidate], plan: Plan) -> _Best:
    by_name = {candidate.name: candidate for candidate in candidates}
    best = by_name[min(predicted, key=predicted.__getitem__)]
    reason = _reason(best, predicted, by_name)
    if plan.has_own_kernels:  # nothing is known of kernels from elsewhere, so measuring alone can choose them
        predicted = predicted | {
            own: predicted[name] for name in predicted for own in stand_ins(name, plan.machine.features)
        }
    return _Best(best, reason, predicted)


def _reason(best: Candidate, predicted: Mapping[str, float], by_name: Mapping[str, Candidate]) -> str:
    uses = best.implementation.uses
    if best.implementation.dtype == "i8":
        return f"{uses}: fastest of {len(predicted)} byte kernels, predicted"
    dense = next((name for name in predicted if skips_nothing(by_name[name].implementation)), None)
    if dense is None or len(predicted) == 1:
        return "the other forms of its weights would take too much memory, or cannot hold them"
    if best.name == dense:
        second = min((name for name in predicted if name != dense), key=predicted.__getitem__)
        times = predicted[second] / predicted[dense]
        how = "be no faster" if times < 1.05 else f"take {times:.1f} times as long"
        return f"{uses}: {second} would {how}"
    return f"{uses}: {predicted[dense] / predicted[best.name]:.1f} times faster than dense, predicted"


def skips_nothing(form: Implementation | Kernel) -> bool:
    """Tell whether a kernel reads all weights and all inputs, each by its place."""
    return form.weights == form.inputs == "dense"
