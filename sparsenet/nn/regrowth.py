"""Change masks while a network trains; a mask stays in its family and keeps its number of weights."""

from math import cos, pi
from typing import Any

import numpy as np
import torch

from sparsenet.errors import SparsenetError
from sparsenet.nn.best_mask import keeping_most
from sparsenet.nn.masked import MaskedConv2d, MaskedLinear
from sparsenet.ops.checks import integer, real, wrong
from sparsenet.packing.masks import Mask

__all__ = ["Regrowth", "regrown_mask"]


def regrown_mask(weight: torch.Tensor, gradient: torch.Tensor, mask: Mask, share: float) -> Mask:
    """Drop a share of a mask's units, those of least magnitude, and grow as many where the gradient is largest.

    Parameters
    ----------
    weight, gradient : Tensor of the mask's shape
        The loss's gradient with respect to every weight, also those that are not kept.
    mask : Mask
        Of a family that :func:`best_mask` knows.
    share : float
        Of each output's units, from 0 to 1; rounded, and at least one unit stays.

    Returns
    -------
    Mask
        Of the same family, with the same counts. Units that were dropped may come back.

    Raises
    ------
    SparsenetError
        When the share is not from 0 to 1, or the family is another.

    Notes
    -----
    Evci et al., "Rigging the Lottery: Making All Tickets Winners", arXiv 1911.11134, section 3; with units of a family
    in the place of single weights.

    Examples
    --------
    >>> from sparsenet import packing
    >>> mask = packing.uniform((1, 4), 0.5)
    >>> weight = torch.tensor([[3.0, 1.0, 2.0, 4.0]]) * torch.from_numpy(mask.keep.copy())
    >>> regrown_mask(weight, torch.zeros(1, 4), mask, 0.5).kept
    2
    """
    if not 0 <= share <= 1:
        raise SparsenetError(f"expected a share from 0 to 1, got {share}")
    magnitude = np.square(weight.detach().cpu().double().numpy())
    # what is kept but happens to be zero is still worth more than what is not there
    present = np.where(mask.keep, magnitude + max(float(magnitude.max()), 1.0) * 1e-12, 0.0)
    staying = keeping_most(present, mask, 1 - share).keep & mask.keep
    wanted = np.square(gradient.detach().cpu().double().numpy())
    return keeping_most(np.where(staying, 2 * float(wanted.sum()) + 1.0, wanted), mask)


class Regrowth:
    """Regrow a layer's mask every so many steps, by ever smaller shares.

        share(t) = share / 2 * (1 + cos(pi * t / steps))

    Call :meth:`step` after each step of the optimiser. The mask's counts never change, so that its format stays as full
    as it was. Weights that grow begin at zero.

    Parameters
    ----------
    layer : MaskedLinear or MaskedConv2d
    mask : Mask
        The mask that the layer has.
    steps : int
        After so many the mask stays; three quarters of the training are usual.
    every : int
        Steps between two changes.
    share : float
        Of the units, dropped and grown at first.
    optimizer : Optimizer, optional
        Its memory of weights that came or went is set to zero.

    Attributes
    ----------
    mask : Mask
        The present one.

    Raises
    ------
    SparsenetError
        When a setting cannot be right, or the mask is not the layer's.

    Notes
    -----
    Evci et al., arXiv 1911.11134, sections 3 and 4; the cosine is theirs, after Dettmers and Zettlemoyer, 1907.04840.

    Examples
    --------
    >>> from sparsenet import packing
    >>> mask = packing.taps((16, 4, 3, 3), 1 / 3)
    >>> layer = MaskedConv2d(4, 16, 3, mask)
    >>> regrowth = Regrowth(layer, mask, steps=100, every=2)
    >>> for _ in range(4):
    ...     layer(torch.ones(1, 4, 5, 5)).sum().backward()
    ...     regrowth.step()
    >>> regrowth.mask.kept == mask.kept
    True
    """

    def __init__(
        self,
        layer: MaskedLinear | MaskedConv2d,
        mask: Mask,
        *,
        steps: int,
        every: int = 100,
        share: float = 0.3,
        optimizer: Any = None,
    ) -> None:
        self.steps, self.every = integer(self, "steps", steps, 1), integer(self, "every", every, 1)
        self.share = real(self, "share", share)
        if not 0 <= self.share <= 1:
            raise wrong(self, "a share from 0 to 1", f"{share}")
        if not np.array_equal(layer.mask.cpu().numpy(), mask.keep):
            raise wrong(self, "the mask that the layer has", "another")
        self.layer, self.mask, self.optimizer, self.step_count = layer, mask, optimizer, 0
        self._watch()

    @property
    def share_now(self) -> float:
        """The share that a change at this step drops and grows."""
        return self.share / 2 * (1 + cos(pi * min(self.step_count, self.steps) / self.steps))

    def step(self) -> None:
        """Count a step; where it is time, move the mask."""
        self.step_count += 1
        gradient = self.layer.weight_gradient
        if self.step_count < self.steps and self.step_count % self.every == 0 and gradient is not None:
            self.mask = regrown_mask(self.layer.weight, gradient, self.mask, self.share_now)
            self.layer.set_mask(self.mask, self.optimizer)
        self._watch()

    def _watch(self) -> None:
        """Have the layer note its gradient in the next step if that one ends with a change."""
        coming = self.step_count + 1
        self.layer.weight_gradient = None
        self.layer.watch_gradient = coming < self.steps and coming % self.every == 0

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs, beside the layer's own state."""
        return {"step_count": self.step_count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; the layer's own state must have been loaded."""
        self.step_count = int(state["step_count"])
        self.mask = Mask(self.layer.mask.cpu().numpy(), self.mask.family, self.mask.fills, self.mask.parameters)
        self._watch()
