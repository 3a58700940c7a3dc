"""The work of each step of an engine, counted on live data, and what each limit of a core makes of it.

Arithmetic and reading are held against measured limits. Looking places up and being called have none that could be
measured alone: they are taken from the cost model, at this core's pace.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.engine.by_name import samples_in
from sparsenet.explain.bottleneck import ADDRESSES, ARITHMETIC, CALLS, binding, bytes_from
from sparsenet.explain.roof import roof
from sparsenet.explain.step_work import activation_bytes, arithmetic_unit, multiplications, weight_bytes
from sparsenet.explain.steps import OneStep, StepRunner
from sparsenet.explain.work import work
from sparsenet.graph.network import INPUT
from sparsenet.lowering.cost import CALL_NS
from sparsenet.lowering.predicted import Cost
from sparsenet.lowering.step_cost import step_cost
from sparsenet.machine.facts import machine
from sparsenet.machine.limits import Limits

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["StepLimits", "steps_limits"]

CHUNKS_COUNTED = 16
"""Calls whose active inputs are counted, at most."""


@dataclass(frozen=True)
class StepLimits:
    """The work of one step in one call, and what limits it; times in microseconds for the call.

    Attributes
    ----------
    layer, kernel, unit : str
    samples : int
        Of the call.
    active : float or None
        The share of its inputs that were active, on average; None where the kernel reads all of them.
    multiplications, weight_bytes, activation_bytes : int
        For all samples of the call.
    least_us : float
        What the core could not have gone below: the multiplications, or the bytes, whichever takes longer.
    limits_us : mapping of str to float
        What each limit makes of it; see :func:`sparsenet.explain.bottleneck.binding`.
    """

    layer: str
    kernel: str
    unit: str
    samples: int
    active: float | None
    multiplications: int
    weight_bytes: int
    activation_bytes: int
    least_us: float
    limits_us: Mapping[str, float]

    @property
    def bound(self) -> str:
        """The limit that binds."""
        return binding(self.limits_us)


def steps_limits(
    engine: "Engine", steps: StepRunner, chunks: Sequence[Mapping[str, npt.NDArray[Any]]], limits: Limits
) -> tuple[StepLimits, ...]:
    """Count the work of every step of an engine on the inputs of calls, and hold it against the limits of a core."""
    layers = {row.name: row for row in work(engine.network)}
    resident, samples = steps.resident_bytes, samples_in(chunks[0])
    found = []
    for step, active in zip(steps.steps, _active_shares(engine, steps, chunks), strict=True):
        products = multiplications(step, layers.get(step.layer), active, samples)
        weights, activations = weight_bytes(step, active, samples), activation_bytes(step, samples)
        # activations were written by the step before, so they come from as near as their size allows
        read = _weights_read(weights, resident, limits) + Counter({limits.level_for(activations): activations})
        unit = arithmetic_unit(step.kernel)
        own = roof(products, read, limits, unit)
        parts = _parts(own.arithmetic_us, _cost(engine, step, samples), samples)
        reading = {bytes_from(name): size / limits.read_bytes_per_s[name] * 1e6 for name, size in read.items()}
        about = step.layer or INPUT, step.kernel.name, unit, samples, active
        found.append(StepLimits(*about, products, weights, activations, own.least_us, parts | reading))
    return tuple(found)


def _weights_read(size_bytes: int, resident: int, limits: Limits) -> Counter[str]:
    """Say which levels weights are read from, at best: a cache too small for all of the network may keep part."""
    level = limits.level_for(resident)
    levels = list(limits.read_bytes_per_s)
    nearer = levels[max(levels.index(level) - 1, 0)]
    kept = round(size_bytes * min(1.0, limits.level_bytes[nearer] / max(resident, 1)))
    return Counter({nearer: kept}) + Counter({level: size_bytes - kept})


def _parts(arithmetic_us: float, cost: Cost, samples: int) -> dict[str, float]:
    """Name what a call takes besides reading; comparisons and the like are counted by the cost model alone."""
    return {
        ARITHMETIC: arithmetic_us or cost.arithmetic_us * samples,
        ADDRESSES: cost.addresses_us * samples,
        CALLS: CALL_NS / 1000,
    }


def _cost(engine: "Engine", step: OneStep, samples: int) -> Cost:
    """Give what is predicted of a step, for one sample."""
    of_weights = (
        choice.cost for choice in engine.plan if (choice.layer, choice.kernel) == (step.layer, step.kernel.name)
    )
    return next(of_weights, None) or step_cost(step.kernel.base, step.shapes, machine(), samples)


def _active_shares(
    engine: "Engine", steps: StepRunner, chunks: Sequence[Mapping[str, npt.NDArray[Any]]]
) -> list[float | None]:
    """Find, for each step that skips inactive inputs, the share of active ones, on average over the inputs."""
    net = engine.network
    channels = {node.name: net.shapes[node.inputs[0]][0] for node in net.nodes}
    shares: list[list[float]] = [[] for _ in steps.steps]
    for chunk in chunks[:CHUNKS_COUNTED]:
        steps.load(chunk)
        samples = samples_in(chunk)
        for index, step in enumerate(steps.steps):
            if (counted := steps.active_inputs(index, samples)) is not None:
                entries, rows = counted
                shares[index].append(entries / max(rows * channels[step.layer], 1))
            steps.call(index, samples)
    return [float(np.mean(found)) if found else None for found in shares]
