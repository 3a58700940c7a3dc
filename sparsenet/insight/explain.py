"""Why a network is as fast as it is: each layer's kernel against the dense one, what binds it, what would help."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy.typing as npt

from sparsenet.engine.lower import pooled_at_once
from sparsenet.insight.advice import Advice, Question, advice_for, where_zeros_lie
from sparsenet.insight.binding import binding, limits_us, nearest_level, resident_bytes
from sparsenet.insight.explanation import Explanation, LayerExplanation
from sparsenet.insight.layer_times import LayerTimes, made_up_inputs, time_layers
from sparsenet.insight.predictions import DensePlan, Packs, dense_plan, predicted_choices
from sparsenet.insight.work import LayerWork, work
from sparsenet.layers import Weighted
from sparsenet.network import INPUT, Network, Node
from sparsenet.passes import fold_batchnorm
from sparsenet.planner.choose import Choice
from sparsenet.planner.machine import machine
from sparsenet.progress import tracked

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["explain"]


def explain(
    engine: "Engine",
    x: npt.ArrayLike | None = None,
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
    x : array (n, *input_shape), optional
        Inputs to measure on, that take turns; random numbers from -1 to 1 when left out. How many units a ReLU leaves
        active depends on them.
    measure : bool
        Whether every layer is timed, here and with dense kernels, which takes a second or two (more where dense kernels
        must be compiled); else times are predicted.
    advice : bool
        Whether changes are tried on the cost model.
    rounds : int, optional
        How often every step is timed; as often as fits when left out.
    progress : bool or None
        Whether to show progress where it takes over a second: always, never, or (None) in terminals and notebooks.

    Returns
    -------
    Explanation
        Prints as a table in a terminal and in a notebook.

    Raises
    ------
    SparsenetError
        When the inputs do not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsenet as sn
    >>> engine = sn.compile(sn.Network.sequential((64,), [sn.KWinners(4), sn.Linear(np.eye(64))]), threads=1)
    >>> explain(engine, measure=False).layers[-1].density
    0.015625
    """
    net, batch = fold_batchnorm(engine.network), engine._chunk
    packs, facts = Packs(), {row.name: row for row in work(net)}
    predicted, dense = _predictions(net, batch, packs, progress)
    own = against = None
    if measure:
        given = made_up_inputs(net, batch) if x is None else x
        own, against = time_layers(
            [engine, _dense_engine(engine, dense, progress)], given, rounds=rounds, progress=progress
        )
    parts = _Parts(engine, net, facts, predicted, dense.choices, own, against, packs if advice else None)
    shown = [node for node in net.nodes if node.name in engine.program.layers]
    rows = tracked(shown, lambda node: f"looking for what would help {node.name}", progress, len(shown))
    return Explanation(
        layers=tuple(_layer_explanation(parts, node) for node in rows),
        batch=engine.batch,
        samples=batch,
        inputs="" if not measure else "random numbers" if x is None else "the inputs given",
        whole_us=own.whole if own else None,
        dense_whole_us=against.whole if against else None,
    )


@dataclass(frozen=True)
class _Parts:
    """What explanations of layers are made from."""

    engine: "Engine"
    net: Network
    facts: Mapping[str, LayerWork]
    predicted: Mapping[str, Choice]
    dense: Mapping[str, Choice]
    own: LayerTimes | None
    against: LayerTimes | None
    packs: Packs | None


def _predictions(net: Network, batch: int, packs: Packs, progress: bool | None) -> tuple[dict[str, Choice], DensePlan]:
    """Plan the network as it is and with kernels that skip nothing; packing a large one takes seconds."""
    steps = tracked(("as it is", "with dense kernels"), lambda how: f"planning {how}", progress, 2)
    next(steps)
    predicted = predicted_choices(net, batch, packs)
    next(steps)
    dense = dense_plan(net, batch)
    next(steps, None)
    return predicted, dense


def _dense_engine(engine: "Engine", dense: DensePlan, progress: bool | None) -> "Engine":
    from sparsenet.engine import compiling

    kernels = dense.kernels
    return compiling.compile(dense.network, engine.batch, 1, planner="predict", kernels=kernels, progress=progress)


def _layer_explanation(parts: _Parts, node: Node) -> LayerExplanation:
    facts = parts.facts[node.name]
    choice = next((one for one in parts.engine.plan if one.layer == node.name), None)
    dense = parts.dense.get(node.name)
    parts_us = (
        limits_us(choice.cost, nearest_level(resident_bytes(parts.engine), machine())) if choice and choice.cost else {}
    )
    density = facts.density if facts.density is not None else 1.0
    own, against = _measured(parts, node.name)
    return LayerExplanation(
        layer=node.name,
        kind=facts.kind,
        shape=facts.shape,
        density=facts.density,
        active=facts.active,
        format=choice.format if choice else "",
        fill=choice.fill if choice else None,
        kernel=choice.kernel if choice else _kernels_of(parts.engine, node.name),
        predicted_us=choice.cost.us if choice and choice.cost else None,
        measured_us=own,
        dense_kernel=dense.kernel if dense else "",
        dense_predicted_us=dense.cost.us if dense and dense.cost else None,
        dense_us=against if dense else None,
        limit=binding(parts_us),
        limits_us=parts_us,
        reason=choice.reason if choice else "",
        zeros=where_zeros_lie(choice, density) if choice else "",
        advice=_advice(parts, node),
    )


def _advice(parts: _Parts, node: Node) -> Advice | None:
    if parts.packs is None or not isinstance(node.layer, Weighted):
        return None
    asked = Question(parts.net, node, parts.engine._chunk, parts.facts[node.name].active)
    return advice_for(asked, parts.predicted, parts.packs)


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
