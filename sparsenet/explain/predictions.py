"""What the planner predicts for a network, layer by layer, without compiling anything."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from sparsenet.explain.variants import all_kept
from sparsenet.graph.network import INPUT, Network
from sparsenet.lowering.choose import Choice
from sparsenet.lowering.lower import Lowered, lower, pooled_at_once
from sparsenet.lowering.predicted_steps import step_us
from sparsenet.lowering.step_cost import copying_us
from sparsenet.machine.facts import machine
from sparsenet.passes import fold_batchnorm
from sparsenet_kernels.queries import find_kernel

__all__ = ["DensePlan", "Forecast", "Packs", "dense_plan", "forecast", "predicted_choices", "without"]

Packs = dict[tuple[Any, ...], Any]
"""Weights as they were packed for the formats, by layer and packer."""

LARGEST_CHUNK = 16
"""More samples than that share weights no better, as the cost model has it."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """What is predicted for a whole network, in one native call.

    Attributes
    ----------
    choices : mapping of str to Choice
        Of each layer with weights.
    layers_us : mapping of str to float
        For one sample: of every layer that runs anything, and under "input" what copying inputs and outputs takes
        and what is done to the inputs first. What a kernel computes along with its own layer counts there.
    """

    choices: Mapping[str, Choice]
    layers_us: Mapping[str, float]

    @property
    def us(self) -> float:
        """The whole network, for one sample."""
        return sum(self.layers_us.values())


def forecast(
    net: Network, batch: int = 1, packs: Packs | None = None, kernels: Mapping[str, str] | None = None
) -> Forecast:
    """Predict what every layer of a network takes.

    Parameters
    ----------
    net : Network
    batch : int
        Samples that go through the layers together.
    packs : dict, optional
        Weights packed before; those packed now are added.
    kernels : mapping of str to str, optional
        Kernels by layer; the fastest predicted for all others.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import KWinners, Linear
    >>> net = Network.sequential((512,), [KWinners(50), Linear(np.eye(512))])
    >>> list(forecast(net).layers_us)
    ['input', 'kwinners1', 'linear1']
    """
    folded, lowered = fold_batchnorm(net), _lowered(net, batch, packs, kernels or {})
    choices = {choice.layer: choice for choice in lowered.plan.choices}
    elements = sum(prod(folded.shapes[name]) for name in (*folded.inputs, *folded.outputs))
    layers_us = defaultdict(float, {INPUT: copying_us(elements, machine())})
    counted = {*choices, *(pool for conv, pool in pooled_at_once(folded).items() if conv in choices)}
    for step in lowered.draft.steps:
        if step.layer in choices:
            layers_us[step.layer] = choices[step.layer].cost.us
        elif step.layer not in counted:
            layers_us[step.layer or INPUT] += step_us(step, lowered.draft.batch)
    return Forecast(choices, dict(layers_us))


def predicted_choices(net: Network, batch: int = 1, packs: Packs | None = None) -> dict[str, Choice]:
    """Let the planner choose for every layer with weights, by prediction alone; see :func:`forecast`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import Linear
    >>> chosen = predicted_choices(Network.sequential((4,), [Linear(np.eye(4))]))
    >>> chosen["linear1"].cost.us > 0
    True
    """
    return {choice.layer: choice for choice in _lowered(net, batch, packs, {}).plan.choices}


@dataclass(frozen=True, eq=False)
class DensePlan:
    """A network's plan with kernels that skip nothing.

    Attributes
    ----------
    network : Network
        Without zero weights where formats would leave them out.
    forecast : Forecast
        With the fastest of these kernels for each layer with weights.
    """

    network: Network
    forecast: Forecast

    @property
    def kernels(self) -> dict[str, str]:
        """The kernel of each layer, as :func:`sparsenet.compile` takes them."""
        return {layer: choice.kernel for layer, choice in self.forecast.choices.items()}


def dense_plan(net: Network, batch: int = 1) -> DensePlan:
    """Plan a network for kernels that skip nothing: what its zeros are held against.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import Linear
    >>> dense_plan(Network.sequential((4,), [Linear(np.eye(4))])).forecast.choices["linear1"].format
    'dense'
    """
    full, packs = all_kept(net), Packs()
    fastest = {layer: _fastest_dense(choice) for layer, choice in predicted_choices(full, batch, packs).items()}
    return DensePlan(full, forecast(full, batch, packs, fastest))


def without(packs: Packs, layers: Iterable[str]) -> Packs:
    """Leave out how some layers were packed: their weights change."""
    changed = set(layers)
    return {key: packed for key, packed in packs.items() if key[0] not in changed}


def _lowered(net: Network, batch: int, packs: Packs | None, kernels: Mapping[str, str]) -> Lowered:
    return lower(fold_batchnorm(net), min(batch, LARGEST_CHUNK), machine(), kernels, packs)


def _fastest_dense(choice: Choice) -> str:
    """Among the kernels that read all weights and all inputs; those of tiles do, where no weight is zero."""
    whole = [name for name in choice.predicted_us if _skips_nothing(name)]
    return min(whole, key=choice.predicted_us.__getitem__)


def _skips_nothing(name: str) -> bool:
    kernel = find_kernel(name)
    return kernel.weights in ("dense", "tiles") and kernel.inputs != "active"
