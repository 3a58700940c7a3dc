"""Torch modules to train networks that are sparse twice; what they learn runs in the engine.

>>> import torch
>>> from sparsenet import nn
>>> nn.KWinners(4, k=2)(torch.tensor([[3.0, 1.0, 2.0, -1.0]]))
tensor([[3., 0., 2., 0.]])

Needs PyTorch: ``pip install "sparsenet[train]"``.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ModuleNotFoundError(
        f'sparsenet.nn needs PyTorch ({error}); pip install "sparsenet[train]"', name="torch"
    ) from error

from sparsenet.nn.best_mask import best_mask, kept_energy
from sparsenet.nn.kwinners import KWinners, KWinners2d
from sparsenet.nn.masked import MaskedConv2d, MaskedLinear, masked
from sparsenet.nn.quantize_aware import quantize_aware, without_rounding
from sparsenet.nn.regrowth import Regrowth, regrown_mask
from sparsenet.nn.schedules import KSchedule, MagnitudePruning, density_at, k_at
from sparsenet.nn.winners import winners

__all__ = [
    "KSchedule",
    "KWinners",
    "KWinners2d",
    "MagnitudePruning",
    "MaskedConv2d",
    "MaskedLinear",
    "Regrowth",
    "best_mask",
    "density_at",
    "k_at",
    "kept_energy",
    "masked",
    "quantize_aware",
    "regrown_mask",
    "winners",
    "without_rounding",
]
