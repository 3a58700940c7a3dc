"""Choose by measuring: the few kernels that might be the best for a layer are timed in the whole network.

Whole networks are timed, not single kernels: the steps around a kernel decide what is in the caches and how fast the
clock runs.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from sparsenet.lowering.arena import LARGEST_SCRATCH_BYTES, lay_out
from sparsenet.lowering.choose import Choice, skips_nothing
from sparsenet.lowering.lower import Lowered
from sparsenet.lowering.own_kernels import is_own
from sparsenet.lowering.predicted_steps import call_s
from sparsenet.progress import tracked
from sparsenet.timing import LEAST_TURNS, least_us
from sparsenet_kernels.registry import Kernel, base_of, find_kernel

__all__ = ["choose_by_measuring", "kernels_to_try", "worth_trying"]

WORTH_TRYING = 3.0
"""A kernel that is predicted to take this many times as long as the best is not tried, save for the dense one: each may
have to be compiled first. Of 260 layers, tried with 5.0, none was fastest with one beyond 3.0; 2.5 would have slowed
four down, by up to 24 %."""

MOST_TRIED = 4
BETTER = 0.97
"""A kernel replaces the predicted one when the network then takes less than this share of its time: less is noise."""

LONGEST_IN_ALL_S = 10.0
"""No layer's kernels are timed after this; with what was begun before it ends."""

MOST_STEPS = 100_000
"""Steps of all programs that are written for timing: each takes some 0.1 ms."""

Forced = dict[str, str]


@dataclass(frozen=True)
class Trial:
    """One layer's kernel in its network, ready to run."""

    kernel: str
    lowered: Lowered
    run: Callable[[], object]


def choose_by_measuring(
    first: Lowered,
    forced: Mapping[str, str],
    lower_with: Callable[[Forced], Lowered],
    runner: Callable[[Lowered], Callable[[], object]],
    progress: bool | None,
) -> Lowered:
    """Replace predicted kernels by measured ones, one layer after the other, the slowest first.

    Layers alike are one: they are given each kernel together, and timed once. Timing ends when its budget is used up;
    the layers that are left keep what was predicted, and their reason says so.

    Parameters
    ----------
    first : Lowered
        As predicted.
    forced : mapping of str to str
        Kernels that may not be changed, by layer.
    lower_with : callable
        Lowers the network with the kernels given by layer.
    runner : callable
        Makes a function that runs a lowered network once, on inputs that change from call to call.
    progress : bool or None
        Whether to show what is timed; None for terminals and notebooks only.

    Returns
    -------
    Lowered
        Its choices say what was measured: the whole network's time for one sample, by kernel.
    """
    best, chosen, budget = first, dict(forced), Budget(first)
    measured: dict[str, dict[str, float]] = {}
    groups = _alike(choice for choice in first.plan.choices if choice.layer not in forced)
    for alike in tracked(groups, _doing, progress, len(groups)):
        names = worth_trying(alike[0])
        if not budget.allows(len(names)):
            break
        layers = [choice.layer for choice in alike]
        trials = []
        for name in names:
            lowered = lower_with({**chosen, **dict.fromkeys(layers, name)})
            trials.append(Trial(name, lowered, runner(lowered)))
        times_us = [time_us / first.draft.batch for time_us in least_us([trial.run for trial in trials])]
        fastest = min(range(len(trials)), key=times_us.__getitem__)
        winner = fastest if times_us[fastest] < BETTER * times_us[0] else 0
        chosen |= dict.fromkeys(layers, names[winner])
        best = trials[winner].lowered
        measured |= {layer: dict(zip(names, times_us, strict=True)) for layer in layers}
    return _with_reasons(best, first, measured, forced)


def _doing(alike: Sequence[Choice]) -> str:
    others = f" and {len(alike) - 1} like it" if len(alike) > 1 else ""
    return f"timing kernels for {alike[0].layer}{others}, kinds of layers"


class Budget:
    """The budget of timing: without it, a network of thousands of layers would be lowered and run for each of them."""

    def __init__(self, first: Lowered) -> None:
        self.steps, self.call_s = len(first.draft.steps), call_s(first)
        self.left = MOST_STEPS
        self.ends_s = time.perf_counter() + LONGEST_IN_ALL_S
        if lay_out(first.draft.buffers, first.draft.batch) > LARGEST_SCRATCH_BYTES:
            self.left = 0  # each program that is timed has scratch memory of its own

    def allows(self, trials: int) -> bool:
        """Tell whether so many more programs may be written and timed, and count them."""
        self.left -= trials * self.steps
        shortest_s = LEAST_TURNS * trials * self.call_s
        return self.left >= 0 and time.perf_counter() + shortest_s < self.ends_s


def _alike(choices: Iterable[Choice]) -> list[list[Choice]]:
    """Group the layers for which everything is predicted alike: they do the same work. The slowest come first."""
    groups: dict[tuple[Any, ...], list[Choice]] = {}
    for choice in sorted(choices, key=_predicted, reverse=True):
        groups.setdefault((choice.kernel, *choice.predicted_us.items()), []).append(choice)
    return list(groups.values())


def kernels_to_try(
    first: Lowered, forced: Mapping[str, str], lower_with: Callable[[Forced], Lowered]
) -> Iterator[Kernel]:
    """Yield the kernels that measuring will most likely run, so that they can be compiled at once.

    All layers take their second choice at once, then their third: of 60 layers, one at a time took as long to lower as
    measuring them (18 of 32 s). Layers that :class:`Budget` leaves out are not timed, and are not compiled for.
    """
    others: dict[str, list[str]] = {}
    budget = Budget(first)
    for alike in _alike(choice for choice in first.plan.choices if choice.layer not in forced):
        names = worth_trying(alike[0])
        if not budget.allows(len(names)):
            break
        others |= {choice.layer: names[1:] for choice in alike}
    turns = zip_longest(*others.values())
    plans = ({layer: name for layer, name in zip(others, names, strict=True) if name} for names in turns)
    for lowered in (first, *(lower_with({**forced, **plan}) for plan in plans)):
        yield from (step.kernel for step in lowered.draft.steps)


def _predicted(choice: Choice) -> float:
    return choice.predicted_us.get(_key(choice, choice.predicted_us), 0.0)


def _key(choice: Choice, times_us: Mapping[str, float]) -> str:
    """Return the chosen kernel as it is called among the candidates, with its variant or without."""
    return choice.kernel if choice.kernel in times_us else base_of(choice.kernel)


def worth_trying(choice: Choice) -> list[str]:
    """List the predicted kernel first, the dense one always, others that may be as good, and those from elsewhere."""
    times = choice.predicted_us
    own = [name for name in times if is_own(name)]
    order = sorted((name for name in times if name not in own), key=times.__getitem__)
    near = [name for name in order if times[name] <= WORTH_TRYING * times[order[0]]][:MOST_TRIED]
    dense = [name for name in order if skips_nothing(find_kernel(name)) and name not in near]
    return [*near, *dense, *own]


def _with_reasons(
    best: Lowered, first: Lowered, measured: Mapping[str, Mapping[str, float]], forced: Mapping[str, str]
) -> Lowered:
    predicted = {choice.layer: choice for choice in first.plan.choices}
    choices = [
        replace(
            choice,
            predicted_us=predicted[choice.layer].predicted_us,
            measured_us=measured[choice.layer],
            reason=_reason(choice, measured[choice.layer], predicted[choice.layer].reason),
        )
        if choice.layer in measured
        else choice
        if choice.layer in forced
        else replace(choice, reason=f"{choice.reason}; not measured, for that would take too long")
        for choice in best.plan.choices
    ]
    return replace(best, plan=replace(best.plan, choices=choices))


def _reason(choice: Choice, times_us: Mapping[str, float], predicted: str) -> str:
    name = _key(choice, times_us)
    dense = next((time_us for kernel, time_us in times_us.items() if skips_nothing(find_kernel(kernel))), None)
    if len(times_us) == 1:
        return f"{predicted}; no other comes near"
    what = (
        predicted.partition(":")[0] if name == next(iter(times_us)) else "predicted to be slower, but measured faster"
    )
    if dense is None or skips_nothing(find_kernel(name)):
        return f"{what}: fastest of {len(times_us)} measured"
    return f"{what}: the network takes {times_us[name]:,.1f} µs with it, {dense:,.1f} with the dense kernel, measured"
