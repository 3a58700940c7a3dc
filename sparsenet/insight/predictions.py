"""What the planner predicts for a network, layer by layer, without compiling anything."""

from collections.abc import Iterable
from typing import Any

from sparsenet.engine.lower import Lowered, lower
from sparsenet.insight.variants import all_kept
from sparsenet.network import Network
from sparsenet.passes import fold_batchnorm
from sparsenet.planner.choose import Choice
from sparsenet.planner.machine import machine

__all__ = ["Packs", "dense_choices", "dense_kernels", "predicted_choices", "predicted_us", "without"]

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
    return {choice.layer: choice for choice in _lowered(net, batch, packs).plan.choices}


def predicted_us(choice: Choice) -> float:
    """Give the least time that is predicted for a layer; the chosen kernel's where no other was predicted."""
    times = list(choice.predicted_us.values())
    return min(times) if times else choice.cost.us if choice.cost else 0.0


def dense_kernels(net: Network, batch: int = 1) -> tuple[Network, dict[str, str]]:
    """Find the kernels that skip nothing: the fastest predicted for each layer, and the network that they suit.

    Returns
    -------
    Network
        Without zero weights where formats would leave them out.
    dict of str to str
        By layer.
    """
    full = all_kept(net)
    return full, {layer: _fastest_dense(choice) for layer, choice in predicted_choices(full, batch).items()}


def dense_choices(net: Network, batch: int = 1) -> dict[str, Choice]:
    """Predict what each layer would take with kernels that skip nothing."""
    full, kernels = dense_kernels(net, batch)
    lowered = lower(fold_batchnorm(full), min(batch, LARGEST_CHUNK), machine(), kernels)
    return {choice.layer: choice for choice in lowered.plan.choices}


def without(packs: Packs, layers: Iterable[str]) -> Packs:
    """Leave out how some layers were packed: their weights change."""
    changed = set(layers)
    return {key: packed for key, packed in packs.items() if key[0] not in changed}


def _lowered(net: Network, batch: int, packs: Packs | None) -> Lowered:
    return lower(fold_batchnorm(net), min(batch, LARGEST_CHUNK), machine(), {}, packs)


def _fastest_dense(choice: Choice) -> str:
    """Among the kernels that read all weights and all inputs; those of tiles do, where no weight is zero."""
    whole = [name for name in choice.predicted_us if _skips_nothing(name)]
    return min(whole, key=choice.predicted_us.__getitem__)


def _skips_nothing(kernel: str) -> bool:
    *_, weights, inputs = kernel.partition("__")[0].split("_")
    return weights in ("dense", "tiles") and inputs != "active"
