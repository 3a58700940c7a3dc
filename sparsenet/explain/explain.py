"""Why a network is as fast as it is: each layer's kernel against the dense one, what binds it, what would help."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsenet.engine.examples import chunks_of
from sparsenet.explain.bottleneck import together_us
from sparsenet.explain.changes import Question, advice_for, fuller_mask, rounding_advice, where_zeros_lie
from sparsenet.explain.explanation import Explanation, LayerExplanation
from sparsenet.explain.predictions import DensePlan, Forecast, Packs, dense_plan, forecast
from sparsenet.explain.step_limits import StepLimits, steps_limits
from sparsenet.explain.step_timing import LayerTimes, refuse_beyond_float32, time_layers
from sparsenet.explain.steps import StepRunner
from sparsenet.explain.work import LayerWork, work
from sparsenet.graph.network import INPUT, Network, Node
from sparsenet.layers import KWinners, Weighted
from sparsenet.lowering.lower import pooled_at_once
from sparsenet.machine.calibration import reference_limits
from sparsenet.machine.facts import machine
from sparsenet.machine.limits import Limits, kept_limits, limits
from sparsenet.packing.arguments import whole
from sparsenet.passes import fold_batchnorm
from sparsenet.progress import tracked

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["explain"]


def explain(
    engine: "Engine",
    x: Any = None,
    *,
    measure: bool = True,
    advice: bool = True,
    rounds: int | None = None,
    progress: bool | None = None,
) -> Explanation:
    """Say why a network is as fast as it is, layer by layer, and what would make it faster.

    Parameters
    ----------
    engine : Engine
    x : array (n, *input_shape), or mapping of str to array, optional
        The only input, or all of them by name, to measure on; samples take turns. Random numbers from -1 to 1 when left
        out. How many units a ReLU leaves active depends on them.
    measure : bool
        Whether every layer is timed, here and with dense kernels, which takes a second or two (more where dense kernels
        must be compiled); else times are predicted. The first time on a machine, its limits are measured as well, which
        takes two seconds more.
    advice : bool
        Whether changes are tried on the cost model.
    rounds : int, optional
        How often every step is timed each time that its engine has its turn; as often as fits when left out.
    progress : bool or None
        Whether to show progress where it takes over a second: always, never, or (None) in terminals and notebooks.

    Returns
    -------
    Explanation
        Prints as a table in a terminal and in a notebook.

    Raises
    ------
    SparsenetError
        When the inputs do not fit the network, or there are no rounds.
    RangeError
        When one of the inputs given makes a value inside the network leave float32.
    TypeError
        When inputs are no numbers, or rounds no integer.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsenet as sn
    >>> engine = sn.compile(sn.Network.sequential((64,), [sn.KWinners(4), sn.Linear(np.eye(64))]), threads=1)
    >>> explain(engine, measure=False).layers[-1].density
    0.015625
    """
    net, batch = fold_batchnorm(engine.network), engine._chunk
    if x is not None:
        refuse_beyond_float32(engine, chunks_of(net, x, batch))
    rounds = None if rounds is None else whole("rounds", rounds)
    core, packs = _limits(measure), Packs()
    counted = _counted(engine, x, core)
    here, best, dense = _forecasts(engine, net, packs, progress)
    own = against = None
    if measure:
        engines = [engine, _dense_engine(engine, dense, progress)]
        own, against = time_layers(engines, x, rounds=rounds, progress=progress)
    facts = {row.name: row for row in work(net)}
    parts = _Parts(engine, net, facts, counted, here, best, dense.forecast, own, against, packs if advice else None)
    shown = [node for node in net.nodes if node.name in engine.program.layers]
    rows = tracked(shown, lambda node: f"looking for what would help {node.name}", progress, len(shown))
    return Explanation(
        layers=tuple(_layer_explanation(parts, node) for node in rows),
        batch=engine.batch,
        samples=batch,
        inputs="" if not measure else "random numbers" if x is None else "the inputs given",
        predicted_us=here.us,
        dense_predicted_us=dense.forecast.us,
        whole_us=own.whole if own else None,
        dense_whole_us=against.whole if against else None,
        rounding=rounding_advice(net, best, batch, own.whole if own else None) if advice else None,
        limits=core,
        limits_measured=measure or kept_limits(machine()) is not None,
    )


@dataclass(frozen=True)
class _Parts:
    """What explanations of layers are made from: what is predicted as it runs, at best, and densely; what it took."""

    engine: "Engine"
    net: Network
    facts: Mapping[str, LayerWork]
    counted: Mapping[str, StepLimits]
    here: Forecast
    best: Forecast
    dense: Forecast
    own: LayerTimes | None
    against: LayerTimes | None
    packs: Packs | None


def _limits(measure: bool) -> Limits:
    """Give this core's limits, measured now or before; or else those of the core that predictions were made on."""
    return limits() if measure else kept_limits(machine()) or reference_limits(machine())


def _counted(engine: "Engine", x: Any, core: Limits) -> dict[str, StepLimits]:
    """Hold each layer's main step against the limits: the one with its weights, or else the longest."""
    steps = StepRunner(engine)
    by_layer: dict[str, list[StepLimits]] = {}
    for step in steps_limits(engine, steps, chunks_of(engine.network, x, steps.chunk), core):
        by_layer.setdefault(step.layer, []).append(step)
    return {layer: _main_step(engine, found) for layer, found in by_layer.items()}


def _main_step(engine: "Engine", steps: Sequence[StepLimits]) -> StepLimits:
    chosen = set(engine.kernels.items())
    return max(steps, key=lambda step: ((step.layer, step.kernel) in chosen, together_us(step.limits_us)))


def _forecasts(
    engine: "Engine", net: Network, packs: Packs, progress: bool | None
) -> tuple[Forecast, Forecast, DensePlan]:
    """Predict the network as it runs, with the fastest predicted kernels, and with dense ones.

    Packing a large network takes seconds.
    """
    steps = tracked(("as it is", "with dense kernels"), lambda how: f"planning {how}", progress, 2)
    next(steps)
    here = forecast(net, engine._chunk, packs, engine.kernels)
    best = forecast(net, engine._chunk, packs)
    next(steps)
    dense = dense_plan(net, engine._chunk)
    next(steps, None)
    return here, best, dense


def _dense_engine(engine: "Engine", dense: DensePlan, progress: bool | None) -> "Engine":
    from sparsenet.engine import compiling

    kernels = dense.kernels
    return compiling.compile(dense.network, engine.batch, 1, planner="predict", kernels=kernels, progress=progress)


def _layer_explanation(parts: _Parts, node: Node) -> LayerExplanation:
    facts, step = parts.facts[node.name], parts.counted[node.name]
    choice = next((one for one in parts.engine.plan if one.layer == node.name), None)
    dense = parts.dense.choices.get(node.name)
    own, against = _measured(parts, node.name)
    question = _question(parts, node)
    return LayerExplanation(
        layer=node.name,
        kind=facts.kind,
        shape=facts.shape,
        density=facts.density,
        active=facts.active,
        found_active=step.active,
        format=choice.format if choice else "",
        fill=choice.fill if choice else None,
        kernel=choice.kernel if choice else _kernels_of(parts.engine, node.name),
        predicted_us=parts.here.layers_us.get(node.name),
        measured_us=own,
        dense_kernel=dense.kernel if dense else "",
        dense_predicted_us=dense.cost.us if dense else None,
        dense_us=against if dense else None,
        limit=step.bound,
        limits_us={name: time_us / step.samples for name, time_us in step.limits_us.items()},
        least_us=step.least_us / step.samples,
        reason=choice.reason if choice else "",
        zeros=where_zeros_lie(choice, facts.density or 0.0) if choice else "",
        fuller=fuller_mask(question, choice) if question and choice else None,
        advice=advice_for(question) if question else None,
    )


def _question(parts: _Parts, node: Node) -> Question | None:
    if parts.packs is None or not isinstance(node.layer, Weighted | KWinners):
        return None
    active = parts.facts[node.name].active
    measured = _measured(parts, node.name)[0]
    return Question(parts.net, node, parts.engine._chunk, active, parts.best, parts.packs, measured)


def _measured(parts: _Parts, layer: str) -> tuple[float | None, float | None]:
    """Give a layer's time here and with dense kernels; both with the pooling behind it, which one may compute alone."""
    if parts.own is None or parts.against is None:
        return None, None
    pooling = pooled_at_once(parts.net).get(layer, layer)
    own, against = parts.own.layers, parts.against.layers
    names = {layer} if (pooling in own) == (pooling in against) else {layer, pooling}
    return sum(own.get(name, 0.0) for name in names), sum(against.get(name, 0.0) for name in names)


def _kernels_of(engine: "Engine", layer: str) -> str:
    pairs = zip(engine.program.layers, engine.program.kernels, strict=True)
    return " + ".join(kernel.name for owner, kernel in pairs if (owner or INPUT) == layer)
