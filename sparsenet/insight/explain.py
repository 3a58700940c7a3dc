"""Why a network is as fast as it is: each layer's kernel against the dense one, what binds it, what would help."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from sparsenet.engine.lower import pooled_at_once
from sparsenet.insight.advice import Advice, advice_for, where_zeros_lie
from sparsenet.insight.layer_times import LayerTimes, made_up_inputs, time_layers
from sparsenet.insight.predictions import DensePlan, Packs, dense_plan, predicted_choices
from sparsenet.insight.work import work
from sparsenet.layers import Weighted
from sparsenet.network import INPUT, Network, Node
from sparsenet.passes import fold_batchnorm
from sparsenet.planner.choose import Choice
from sparsenet.planner.machine import Machine, machine
from sparsenet.planner.predicted import Cost
from sparsenet.progress import tracked

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from sparsenet.engine.engine import Engine

__all__ = ["Explanation", "LayerExplanation", "explain"]

LEAST_TOLD_US = 0.05
"""The clock cannot tell shorter times of single layers from none."""

GAINS = 1.1
"""A network gains something when dense kernels take this many times as long; less is noise."""


@dataclass(frozen=True)
class LayerExplanation:
    """Why one layer is as fast as it is; times in microseconds for one sample.

    Attributes
    ----------
    layer, kind : str
    shape : tuple of int
        Of its output.
    density : float or None
        The fraction of weights kept; None where there are none, as in all that follows of weights.
    active : float
        The largest share of its inputs that can be non-zero, as far as k-winners tell.
    format : str
        How its weights lie in memory.
    fill : float or None
        Kept weights over the places that the format stores.
    kernel : str
        Those of all its steps, where it has no weights.
    predicted_us, dense_predicted_us : float or None
        By the cost model: with this kernel, with the dense one.
    measured_us, dense_us : float or None
        Measured: all steps of the layer, and of a pooling that one of the two kernels computes along with it.
    dense_kernel : str
        The fastest that skips nothing.
    limit : str
        What binds it: "arithmetic", "L1 bytes", "L2 bytes", "L3 bytes", "memory bytes", "scattered addresses" or "call
        overhead".
    limits_us : mapping of str to float
        The predicted time in these parts; reading goes on at the same time as arithmetic and addresses.
    reason : str
        Why the planner chose this kernel.
    zeros : str
        What the format makes of the zero weights.
    advice : Advice or None
        The change that would help most; None where none does.
    """

    layer: str
    kind: str
    shape: tuple[int, ...]
    density: float | None
    active: float
    format: str
    fill: float | None
    kernel: str
    predicted_us: float | None
    measured_us: float | None
    dense_kernel: str
    dense_predicted_us: float | None
    dense_us: float | None
    limit: str
    limits_us: Mapping[str, float]
    reason: str
    zeros: str
    advice: Advice | None

    @property
    def speedup(self) -> float | None:
        """How many times as long the dense kernel takes: measured, or as predicted where nothing was."""
        if self.measured_us is not None:
            told = self.dense_us is not None and max(self.measured_us, self.dense_us) > LEAST_TOLD_US
            return self.dense_us / max(self.measured_us, LEAST_TOLD_US) if told and self.dense_us else None
        if self.predicted_us is None or self.dense_predicted_us is None:
            return None
        return self.dense_predicted_us / self.predicted_us


@dataclass(frozen=True)
class Explanation:
    """Why a network is as fast as it is; times in microseconds for one sample.

    Attributes
    ----------
    layers : tuple of LayerExplanation
        Those that run anything.
    batch : int
        The largest batch of one call.
    samples : int
        That go through the layers together.
    inputs : str
        What it was measured on; "" where nothing was.
    whole_us, dense_whole_us : float or None
        All layers in one native call, as planned and with dense kernels throughout.
    """

    layers: tuple[LayerExplanation, ...]
    batch: int
    samples: int
    inputs: str
    whole_us: float | None
    dense_whole_us: float | None

    @property
    def speedup(self) -> float | None:
        """How many times as long the network takes with dense kernels: measured, or predicted for layers with weights.

        None where nothing was measured and nothing is predicted for some kernel.
        """
        if self.whole_us is not None and self.dense_whole_us is not None:
            return self.dense_whole_us / self.whole_us
        weighted = [row for row in self.layers if row.density is not None]
        if any(row.predicted_us is None for row in weighted):
            return None
        own_us = sum(row.predicted_us or 0.0 for row in weighted)
        return sum(row.dense_predicted_us or 0.0 for row in weighted) / own_us if own_us else 1.0

    @property
    def best_advice(self) -> tuple[str, Advice] | None:
        """The layer, and the change to it, that would save most time; None where no change would."""
        pairs = [(row.layer, row.advice) for row in self.layers if row.advice is not None]
        return max(pairs, key=lambda pair: pair[1].now_us - pair[1].then_us, default=None)

    @property
    def verdict(self) -> str:
        """What the network gains from its zeros, and why where that is nothing."""
        from sparsenet.insight.verdict import verdict

        return verdict(self, GAINS)

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        layers = [
            asdict(row)
            | {"shape": list(row.shape), "limits_us": dict(row.limits_us), "speedup": row.speedup}
            | {"advice": None if row.advice is None else asdict(row.advice) | {"text": row.advice.text}}
            for row in self.layers
        ]
        return asdict(self) | {"layers": layers, "speedup": self.speedup, "verdict": self.verdict}

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from sparsenet.insight.explain_table import explanation_parts

        yield from explanation_parts(self, options.max_width)

    def _repr_html_(self) -> str:
        from rich.console import Group

        from sparsenet.insight.explain_table import explanation_parts
        from sparsenet.tables import HTML_WIDTH, as_html

        return as_html(Group(*explanation_parts(self, HTML_WIDTH)))


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
    packs: Packs = {}
    predicted, dense = predicted_choices(net, batch, packs), dense_plan(net, batch)
    own = against = None
    if measure:
        given = made_up_inputs(net, batch) if x is None else x
        own, against = time_layers(
            [engine, _dense_engine(engine, dense, progress)], given, rounds=rounds, progress=progress
        )
    parts = _Parts(engine, net, predicted, dense.choices, own, against, packs if advice else None)
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
    predicted: Mapping[str, Choice]
    dense: Mapping[str, Choice]
    own: LayerTimes | None
    against: LayerTimes | None
    packs: Packs | None


def _dense_engine(engine: "Engine", dense: DensePlan, progress: bool | None) -> "Engine":
    from sparsenet.engine import compiling

    kernels = dense.kernels
    return compiling.compile(dense.network, engine.batch, 1, planner="predict", kernels=kernels, progress=progress)


def _layer_explanation(parts: _Parts, node: Node) -> LayerExplanation:
    facts = next(row for row in work(parts.net) if row.name == node.name)
    choice = next((one for one in parts.engine.plan if one.layer == node.name), None)
    dense = parts.dense.get(node.name)
    limits_us = _limits_us(choice.cost, _level(parts.engine, machine())) if choice and choice.cost else {}
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
        limit=_binding(limits_us),
        limits_us=limits_us,
        reason=choice.reason if choice else "",
        zeros=where_zeros_lie(choice, density) if choice else "",
        advice=_advice(parts, node),
    )


def _advice(parts: _Parts, node: Node) -> Advice | None:
    if parts.packs is None or not isinstance(node.layer, Weighted):
        return None
    return advice_for(parts.net, node, parts.engine._chunk, parts.predicted, parts.packs)


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


def _level(engine: "Engine", here: Machine) -> str:
    """Name the nearest memory level that holds all weights and activations."""
    resident = engine.program.scratch_bytes + sum(array.nbytes for array in engine.program.constants)
    caches = {"L1": here.l1d_bytes, "L2": here.l2_bytes, "L3": here.l3_bytes}
    return next((name for name, size in caches.items() if size and resident <= size), "memory")


def _limits_us(cost: Cost, level: str) -> dict[str, float]:
    return {
        "arithmetic": cost.arithmetic_us,
        "scattered addresses": cost.addresses_us,
        f"{level} bytes": cost.reading_us,
        "call overhead": cost.call_us,
    }


def _binding(limits_us: Mapping[str, float]) -> str:
    """Name the part that counts most: reading hides arithmetic and addresses where it takes longer than both."""
    if not limits_us:
        return ""
    computing = limits_us["arithmetic"] + limits_us["scattered addresses"]
    (reading,) = (name for name in limits_us if name.endswith(" bytes"))
    hidden = {"arithmetic", "scattered addresses"} if limits_us[reading] > computing else {reading}
    return max((name for name in limits_us if name not in hidden), key=limits_us.__getitem__)
