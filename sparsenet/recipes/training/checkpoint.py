"""The state of a training, and the checkpoint that a later call continues from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sparsenet.errors import SparsenetError
from sparsenet.nn import Regrowth
from sparsenet.recipes.training.recipe import Recipe

__all__ = ["CHECKPOINT", "Epoch", "Training", "resume", "save_checkpoint"]

CHECKPOINT = "checkpoint.pt"
"""Written after each epoch: 30 MB of a dense network, 2 of a sparse one."""


@dataclass(frozen=True)
class Epoch:
    """How one epoch went: its number, its mean loss, the share of its clips that were right, and how long it took."""

    number: int
    loss: float
    share_right: float
    time_s: float


@dataclass(eq=False)
class Training:
    """The state of a training."""

    recipe: Recipe
    model: nn.Sequential
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    teachers: list[nn.Sequential]
    regrowths: list[Regrowth]
    history: list[Epoch] = field(default_factory=list)


def save_checkpoint(training: Training, path: Path) -> None:
    """Write the checkpoint; the one that is there stays until all is written."""
    state = {
        "recipe": training.recipe.to_dict(),
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "schedule": training.schedule.state_dict(),
        "regrowths": [regrowth.state_dict() for regrowth in training.regrowths],
        "history": [vars(epoch) for epoch in training.history],
    }
    partial = path.with_name(f"{path.name}.partial")
    torch.save(state, partial)
    partial.replace(path)


def resume(training: Training, path: Path) -> None:
    """Go on from a checkpoint if there is one."""
    if not path.is_file():
        return
    state: dict[str, Any] = torch.load(path, weights_only=True)
    # rounded epochs come after those of the checkpoint
    if replace(Recipe.from_dict(state["recipe"]), rounded_epochs=training.recipe.rounded_epochs) != training.recipe:
        raise SparsenetError(f"expected a checkpoint of the same recipe in {path}; choose another folder or delete it")
    training.model.load_state_dict(state["model"])
    training.optimizer.load_state_dict(state["optimizer"])
    training.schedule.load_state_dict(state["schedule"])
    for regrowth, kept in zip(training.regrowths, state.get("regrowths", []), strict=True):
        regrowth.load_state_dict(kept)
    training.history = [Epoch(**epoch) for epoch in state["history"]]
