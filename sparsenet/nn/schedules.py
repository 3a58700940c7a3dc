"""Schedules for training: k falls, and dense layers are pruned."""

from typing import Any

import torch
from torch import nn

from sparsenet.nn.best_mask import best_mask
from sparsenet.nn.kwinners import KWinners, KWinners2d
from sparsenet.nn.masked import MaskedConv2d, MaskedLinear
from sparsenet.ops.checks import integer, real, wrong

__all__ = ["KSchedule", "MagnitudePruning", "density_at", "k_at"]


def k_at(step: int, steps: int, start: int, k: int) -> int:
    """Return the k of a step: it falls in a straight line from ``start`` to ``k``, which it has from ``steps`` on.

    Examples
    --------
    >>> [k_at(step, 4, start=32, k=8) for step in range(6)]
    [32, 26, 20, 14, 8, 8]
    """
    return k + round((start - k) * max(0.0, 1 - step / steps))


def density_at(step: int, steps: int, start: float, density: float) -> float:
    """Return the density of a step of gradual pruning.

        density + (start - density) * (1 - step / steps)**3

    Most goes early, while the network has time to mend. Source: Zhu and Gupta, arXiv 1710.01878, section 3.

    Examples
    --------
    >>> [round(density_at(step, 4, start=1.0, density=0.2), 3) for step in range(6)]
    [1.0, 0.538, 0.3, 0.213, 0.2, 0.2]
    """
    return density + (start - density) * max(0.0, 1 - step / steps) ** 3


class KSchedule:
    """Let the k of all k-winners in a network fall to its value, so that gradients reach many units at first.

    Call :meth:`step` after each epoch, or each step of the optimiser. A ``k_inference`` stays as it is.

    Parameters
    ----------
    network : nn.Module
        Its :class:`KWinners` and :class:`KWinners2d` are scheduled; the k they have is where they end.
    steps : int
        Calls of :meth:`step` until then.
    start : float or int
        Where k begins: a float is a share of the units, an integer is the k of all. It is no less than the final k.

    Raises
    ------
    GraphError
        When a setting cannot be right, there are no k-winners, or a share is asked of ``scope="all"``, whose number of
        units only an input tells.

    Examples
    --------
    >>> layer = KWinners2d(64, k=6)
    >>> schedule = KSchedule(layer, steps=2)
    >>> ks = [layer.k]
    >>> for _ in range(3):
    ...     schedule.step()
    ...     ks.append(layer.k)
    >>> ks
    [32, 19, 6, 6]
    """

    def __init__(self, network: nn.Module, steps: int, *, start: float | int = 0.5) -> None:
        self.steps = integer(self, "steps", steps, 1)
        self.layers = [module for module in network.modules() if isinstance(module, KWinners | KWinners2d)]
        if not self.layers:
            raise wrong(self, "a network with KWinners or KWinners2d", "one without")
        self.final = [layer.k for layer in self.layers]
        self.starts = [max(layer.k, self._start(layer, start)) for layer in self.layers]
        self.step_count = 0
        self._set()

    def _start(self, layer: KWinners | KWinners2d, start: float | int) -> int:
        if not isinstance(start, float):
            return integer(self, "start", start, 0)
        if not 0 <= start <= 1:
            raise wrong(self, "a share of units from 0 to 1, or an integer", f"{start}")
        if isinstance(layer, KWinners2d) and layer.scope == "all":
            raise wrong(self, 'an integer to start from, for scope "all"', f"the share {start}")
        return round(start * (layer.units if isinstance(layer, KWinners) else layer.channels))

    def step(self) -> None:
        """Count a step, and set every k."""
        self.step_count += 1
        self._set()

    def _set(self) -> None:
        for layer, start, k in zip(self.layers, self.starts, self.final, strict=True):
            layer.k = k_at(self.step_count, self.steps, start, k)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs."""
        return {"step_count": self.step_count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.step_count = int(state["step_count"])
        self._set()


class MagnitudePruning:
    """Prune a layer step by step down to a density, inside a family: the units of largest magnitude stay.

    Call :meth:`step` after each step of the optimiser. At the end the mask fills its format as any of its family does;
    ``masked(layer, layer.mask)`` then gives a layer that has no more room than it needs.

    Parameters
    ----------
    layer : MaskedLinear or MaskedConv2d
        With a mask that keeps all, or all that may ever be kept.
    family : str
        As for :func:`best_mask`.
    density : float
        To end with, in (0, 1].
    steps : int
        Until then.
    every : int
        Steps between two changes.
    start : float
        The density to begin with.
    optimizer : Optimizer, optional
        Its memory of weights that went is set to zero.
    **parameters
        The family's.

    Raises
    ------
    SparsenetError
        When a setting cannot be right, or the family cannot have the layer's shape and the density.

    Notes
    -----
    Zhu and Gupta, "To prune, or not to prune", arXiv 1710.01878, section 3.

    Examples
    --------
    >>> layer = MaskedLinear(64, 16, torch.ones(16, 64, dtype=torch.bool))
    >>> pruning = MagnitudePruning(layer, "blocks", 0.25, steps=4, every=2)
    >>> densities = []
    >>> for _ in range(4):
    ...     pruning.step()
    ...     densities.append(layer.density)
    >>> densities
    [1.0, 0.375, 0.375, 0.25]
    """

    def __init__(
        self,
        layer: MaskedLinear | MaskedConv2d,
        family: str,
        density: float,
        *,
        steps: int,
        every: int = 100,
        start: float = 1.0,
        optimizer: torch.optim.Optimizer | None = None,
        **parameters: Any,
    ) -> None:
        self.steps, self.every = integer(self, "steps", steps, 1), integer(self, "every", every, 1)
        self.start, self.density = real(self, "start", start), real(self, "density", density)
        self.layer, self.family, self.parameters, self.optimizer = layer, family, parameters, optimizer
        best_mask(layer.weight, family, self.density, **parameters)  # it must be possible before training begins
        self.step_count = 0

    def step(self) -> None:
        """Count a step; where it is time, prune."""
        self.step_count += 1
        if self.step_count <= self.steps and (self.step_count % self.every == 0 or self.step_count == self.steps):
            density = density_at(self.step_count, self.steps, self.start, self.density)
            mask = best_mask(self.layer.weight, self.family, density, **self.parameters)
            self.layer.set_mask(mask, self.optimizer)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs, beside the layer's own state."""
        return {"step_count": self.step_count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.step_count = int(state["step_count"])
