"""What the planner predicts for a network, layer by layer, without compiling anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sparsenet.engine.lower import Lowered, lower
from sparsenet.insight.variants import all_kept
from sparsenet.network import Network
from sparsenet.passes import fold_batchnorm
from sparsenet.planner.choose import Choice
from sparsenet.planner.machine import machine

__all__ = ["DensePlan", "Packs", "dense_plan", "predicted_choices", "predicted_us", "without"]

Packs = dict[tuple[str, str], Any]
"""Weights as they were packed for the formats, by layer and packer."""

LARGEST_CHUNK = 16
"""More samples than that share weights no better, as the cost model has it."""


def predicted_choices(net: Network, batch: int = 1, packs: Packs | None = None) -> dict[str, Choice]:
    """Let the planner choose for every layer with weights, by prediction alone.

    Parameters
    ----------
    net : Network
    batch : int
        Samples that go through the layers together.
    packs : dict, optional
        Weights packed before; those packed now are added.

    Returns
    -------
    dict of str to Choice
        By layer.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import Linear
    >>> chosen = predicted_choices(Network.sequential((4,), [Linear(np.eye(4))]))
    >>> predicted_us(chosen["linear1"]) > 0
    True
    """
    return {choice.layer: choice for choice in _lowered(net, batch, packs, {}).plan.choices}


def predicted_us(choice: Choice) -> float:
    """Give the least time that is predicted for a layer; the chosen kernel's where no other was predicted."""
    times = list(choice.predicted_us.values())
    return min(times) if times else choice.cost.us if choice.cost else 0.0


@dataclass(frozen=True, eq=False)
class DensePlan:
    """A network's plan with kernels that skip nothing.

    Attributes
    ----------
    network : Network
        Without zero weights where formats would leave them out.
    choices : mapping of str to Choice
        The fastest predicted kernel of each layer with weights.
    """

    network: Network
    choices: Mapping[str, Choice]

    @property
    def kernels(self) -> dict[str, str]:
        """The kernel of each layer, as :func:`sparsenet.compile` takes them."""
        return {layer: choice.kernel for layer, choice in self.choices.items()}


def dense_plan(net: Network, batch: int = 1) -> DensePlan:
    """Plan a network for kernels that skip nothing: what its zeros are held against.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import Linear
    >>> dense_plan(Network.sequential((4,), [Linear(np.eye(4))])).choices["linear1"].format
    'dense'
    """
    full, packs = all_kept(net), Packs()
    fastest = {layer: _fastest_dense(choice) for layer, choice in predicted_choices(full, batch, packs).items()}
    lowered = _lowered(full, batch, packs, fastest)
    return DensePlan(full, {choice.layer: choice for choice in lowered.plan.choices})


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


def _skips_nothing(kernel: str) -> bool:
    *_, weights, inputs = kernel.partition("__")[0].split("_")
    return weights in ("dense", "tiles") and inputs != "active"
