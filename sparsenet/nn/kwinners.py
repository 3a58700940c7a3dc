"""k-winners-take-all for training: the engine's rule, with gradients and with boosting."""

from typing import Any

import torch
from torch import nn

from sparsenet.nn.winners import winners
from sparsenet.ops.checks import integer, real, wrong

__all__ = ["KWinners", "KWinners2d"]


LEAST_EXPONENT, MOST_EXPONENT = -60.0, 60.0
"""Ranking factors are kept within exp of these: float32 holds them, and their products with ordinary values."""


class _Winners(nn.Module):
    """The part that both kinds share: k, and the duty cycles by which rarely winning units are boosted."""

    duty_cycle: torch.Tensor
    boost_strength: torch.Tensor
    samples_seen: torch.Tensor

    def __init__(
        self,
        units: int,
        k: int,
        k_inference: int | None,
        boost_strength: float,
        boost_strength_factor: float,
        duty_cycle_period: int,
    ) -> None:
        super().__init__()
        self.k = k
        self.k_inference = None if k_inference is None else integer(self, "k_inference", k_inference, 0)
        self.boost_strength_factor = real(self, "boost_strength_factor", boost_strength_factor)
        self.duty_cycle_period = integer(self, "duty_cycle_period", duty_cycle_period, 1)
        self.register_buffer("duty_cycle", torch.zeros(units, dtype=torch.float32))
        self.register_buffer("boost_strength", torch.zeros((), dtype=torch.float32))
        self.register_buffer("samples_seen", torch.zeros((), dtype=torch.int64))
        self.set_boost_strength(boost_strength)

    @property
    def k(self) -> int:
        """The number of winners in training, and later if ``k_inference`` is None; may be set."""
        return self._k

    @k.setter
    def k(self, value: int) -> None:
        self._k = integer(self, "k", value, 0)

    @property
    def k_now(self) -> int:
        """The number of winners in the present mode."""
        return self.k if self.training or self.k_inference is None else self.k_inference

    def set_boost_strength(self, strength: float) -> None:
        """Set the boost strength; 0 means no boosting."""
        strength = real(self, "boost_strength", strength)
        if strength < 0:
            raise wrong(self, "a boost_strength of 0 or more", f"{strength}")
        self.boost_strength.fill_(strength)
        self.boosts = strength > 0

    def update_boost_strength(self) -> None:
        """Multiply the boost strength by ``boost_strength_factor``: call it after each epoch."""
        self.set_boost_strength(float(self.boost_strength) * self.boost_strength_factor)

    def _factor(self) -> torch.Tensor:
        """Return the ranking factors, scaled so that none is 0 in float32."""
        exponents = -self.boost_strength.float() * self.duty_cycle.float()
        raised = (LEAST_EXPONENT - exponents.min()).clamp(min=0).minimum(MOST_EXPONENT - exponents.max())
        return torch.exp((exponents + raised).clamp(min=LEAST_EXPONENT))

    def _update_duty_cycle(self, shares: torch.Tensor, batch: int) -> None:
        """Average in the share of a batch in which each unit won (see :class:`KWinners`)."""
        with torch.no_grad():
            self.samples_seen += batch
            period = self.samples_seen.clamp(max=self.duty_cycle_period).clamp(min=max(batch, 1))
            self.duty_cycle.lerp_(shares.to(self.duty_cycle.dtype), batch / period.to(self.duty_cycle.dtype))

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self.boosts = bool(self.boost_strength > 0)

    def extra_repr(self) -> str:
        """Say k, and the boost strength where there is one."""
        inference = "" if self.k_inference is None else f", k_inference={self.k_inference}"
        boost = f", boost_strength={float(self.boost_strength):.4g}" if self.boosts else ""
        return f"k={self.k}{inference}{boost}"


class KWinners(_Winners):
    """Keep the k largest of all elements of a sample, set the rest to zero; the lowest index wins a tie.

        y[b, i] = x[b, i] if i is among the k largest of x[b] * exp(-strength * duty) else 0

    The gradient passes to the winners unchanged, to the rest not at all. Boosting changes who wins, never a value, in
    training and in evaluation alike; without it (the default) the factor is 1. The duty cycle is the share of late
    samples in which a unit won. It is updated in training, for a batch of B samples:

        seen = seen + B;  p = max(B, min(period, seen));  duty = duty * (p - B) / p + wins / p

    Parameters
    ----------
    units : int
        The elements of a sample.
    k : int
        Winners of each sample; the attribute may be set later.
    k_inference : int, optional
        Winners in evaluation mode, if not k.
    boost_strength : float
        0 for no boosting.
    boost_strength_factor : float
        By which :meth:`update_boost_strength` multiplies.
    duty_cycle_period : int
        Samples over which wins are averaged.

    Raises
    ------
    GraphError
        When a setting cannot be right, or an input has not so many units.
    TypeError
        When a setting is not a number.

    Notes
    -----
    k-winners, boosting and duty cycles: Ahmad and Scheinkman, "How Can We Be So Dense? The Benefits of Using Highly
    Sparse Representations", arXiv 1903.11257, sections 3.2 and 3.3; there the factor is
    ``exp(strength * (target - duty))``, which ranks alike. Winners of value zero count as winning. Where a strong boost
    would make the smallest factor 0 in float32, all are raised by one more factor, which changes no rank.

    Examples
    --------
    >>> layer = KWinners(4, k=2)
    >>> layer(torch.tensor([[1.0, 4.0, 3.0, 4.0]]))
    tensor([[0., 4., 0., 4.]])
    >>> layer.duty_cycle
    tensor([0., 1., 0., 1.])
    """

    def __init__(
        self,
        units: int,
        k: int,
        *,
        k_inference: int | None = None,
        boost_strength: float = 0.0,
        boost_strength_factor: float = 1.0,
        duty_cycle_period: int = 1000,
    ) -> None:
        self.units = integer(self, "units", units, 1)
        super().__init__(self.units, k, k_inference, boost_strength, boost_strength_factor, duty_cycle_period)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Keep the winners of each sample of x (B, ...)."""
        flat = x.flatten(1)
        if flat.shape[1] != self.units:
            raise wrong(self, f"samples of {self.units} elements", f"an input of shape {tuple(x.shape)}")
        marked = winners(flat * self._factor() if self.boosts else flat, self.k_now)
        if self.training and len(x):
            self._update_duty_cycle(marked.sum(0, dtype=torch.float32) / len(x), len(x))
        return torch.where(marked, flat, 0).view_as(x)

    def extra_repr(self) -> str:
        """Say the units and k."""
        return f"{self.units}, {super().extra_repr()}"


class KWinners2d(_Winners):
    """Keep the k largest of an image's channels at each position, or of all its elements; set the rest to zero.

    As :class:`KWinners`; duty cycles are of channels: the share of late samples' positions at which a channel won.

    Parameters
    ----------
    channels : int
    k : int
        Winners of each position (scope "channels") or sample (scope "all"); the attribute may be set later.
    scope : {"channels", "all"}
        Who competes: the channels at each position, or all elements of a sample in (C, H, W) order.
    k_inference, boost_strength, boost_strength_factor, duty_cycle_period
        As for :class:`KWinners`.

    Raises
    ------
    GraphError
        When a setting cannot be right, or an input is not (B, C, H, W) with so many channels.
    TypeError
        When a setting is not a number.

    Examples
    --------
    >>> layer = KWinners2d(2, k=1)
    >>> layer(torch.tensor([[[[1.0, 5.0]], [[2.0, 5.0]]]]))
    tensor([[[[0., 5.]],
    <BLANKLINE>
             [[2., 0.]]]])
    """

    def __init__(
        self,
        channels: int,
        k: int,
        *,
        scope: str = "channels",
        k_inference: int | None = None,
        boost_strength: float = 0.0,
        boost_strength_factor: float = 1.0,
        duty_cycle_period: int = 1000,
    ) -> None:
        self.channels = integer(self, "channels", channels, 1)
        if scope not in ("channels", "all"):
            raise wrong(self, 'scope "channels" or "all"', repr(scope))
        self.scope = scope
        super().__init__(self.channels, k, k_inference, boost_strength, boost_strength_factor, duty_cycle_period)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Keep the winners of x (B, C, H, W)."""
        if x.dim() != 4 or x.shape[1] != self.channels:
            raise wrong(self, f"an input of shape (B, {self.channels}, H, W)", f"{tuple(x.shape)}")
        marked = self._marked(x * self._factor().view(1, -1, 1, 1) if self.boosts else x)
        if self.training and x.numel():
            wins = marked.sum((0, 2, 3), dtype=torch.float32)
            self._update_duty_cycle(wins / (x.numel() // x.shape[1]), len(x))
        return torch.where(marked, x, 0)

    def _marked(self, ranks: torch.Tensor) -> torch.Tensor:
        if self.scope == "channels":
            return winners(ranks, self.k_now)
        return winners(ranks.flatten(1), self.k_now).view_as(ranks)

    def extra_repr(self) -> str:
        """Say the channels, the scope and k."""
        return f'{self.channels}, scope="{self.scope}", {super().extra_repr()}'
