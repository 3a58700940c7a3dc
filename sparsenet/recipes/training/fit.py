"""The training loop. It is seeded; continued from a checkpoint it gives the same results as without interruption."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network
from sparsenet.nn import Regrowth, quantize_aware, without_rounding
from sparsenet.packing.masks import Mask
from sparsenet.recipes.prepared import features_of
from sparsenet.recipes.training.checkpoint import CHECKPOINT, Epoch, Training, resume, save_checkpoint
from sparsenet.recipes.training.data import Samples, TrainingData, calibration_of, epoch_of, masked
from sparsenet.recipes.training.model import as_module, build_model, masks_of, set_active
from sparsenet.recipes.training.recipe import Recipe

__all__ = ["Epoch", "Trained", "fit", "fit_rounded"]

ROUNDED_STEPS = 0.03
"""The first learning rate of the rounded epochs, divided by the highest one before them."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A module, and how its epochs went."""

    model: nn.Sequential
    history: tuple[Epoch, ...]


def fit(
    recipe: Recipe,
    data: TrainingData,
    folder: Path,
    teachers: tuple[Network, ...] = (),
    tell: Callable[[Epoch], object] = lambda epoch: None,
) -> Trained:
    """Train a network, or go on training it where ``folder`` holds a checkpoint of the same recipe.

    Parameters
    ----------
    recipe : Recipe
    data : TrainingData
    folder : Path
        Where the checkpoint is kept.
    teachers : tuple of Network
        Whose answers are learned from, if any.
    tell : callable
        Is given each epoch when it is done.

    Returns
    -------
    Trained

    Raises
    ------
    SparsenetError
        When the checkpoint is that of another recipe, or an epoch is smaller than a batch.
    """
    training = _begun(recipe, data, teachers)
    resume(training, folder / CHECKPOINT)
    for epoch in range(len(training.history), recipe.epochs):
        set_active(training.model, recipe, epoch)
        training.history.append(_timed_epoch(training, data, epoch))
        save_checkpoint(training, folder / CHECKPOINT)
        tell(training.history[-1])
    set_active(training.model, recipe, recipe.epochs)
    return Trained(training.model.eval(), tuple(training.history))


def fit_rounded(
    trained: Trained,
    recipe: Recipe,
    data: TrainingData,
    teachers: tuple[Network, ...] = (),
    tell: Callable[[Epoch], object] = lambda epoch: None,
) -> Trained:
    """Train for the recipe's ``rounded_epochs`` more, with rounding to 8 bits in the forward pass.

    These few epochs have no checkpoint.

    Parameters
    ----------
    trained : Trained
        Of :func:`fit`.
    recipe, data, teachers, tell
        As for :func:`fit`.

    Returns
    -------
    Trained
        A module without rounding, its batch norms folded: what is to be exported and rounded. The module of
        ``trained`` as it is where the recipe has no such epochs.
    """
    if not recipe.rounded_epochs:
        return trained
    calibration = torch.from_numpy(features_of(calibration_of(data, recipe).images)[:, None])
    model = quantize_aware(trained.model, calibration)
    steps = recipe.rounded_epochs * (len(epoch_of(data, recipe, 0)) // recipe.batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate * ROUNDED_STEPS, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    # bfloat16 would add a rounding error as large as that of the bytes that are imitated
    exact = replace(recipe, bfloat16=False)
    training = Training(exact, model, optimizer, schedule, [as_module(teacher) for teacher in teachers], [])
    for epoch in range(recipe.epochs, recipe.epochs + recipe.rounded_epochs):
        training.history.append(_timed_epoch(training, data, epoch))
        tell(training.history[-1])
    return Trained(without_rounding(model).eval(), (*trained.history, *training.history))


def _begun(recipe: Recipe, data: TrainingData, teachers: tuple[Network, ...]) -> Training:
    steps = len(epoch_of(data, recipe, 0)) // recipe.batch
    if steps == 0:
        raise SparsenetError(f"expected an epoch of at least one batch of {recipe.batch} clips, got fewer")
    masks = masks_of(recipe, teachers[0] if teachers else None)
    model = build_model(recipe, masks)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    # one step more than are made, since the last step of the schedule has a learning rate of zero
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.epochs * steps + 1, pct_start=recipe.warm_up
    )
    moving = masks if recipe.regrow_epochs else {}
    regrowths = [_regrowth(recipe, model, name, mask, optimizer, steps) for name, mask in moving.items()]
    return Training(recipe, model, optimizer, schedule, [as_module(teacher) for teacher in teachers], regrowths)


def _regrowth(
    recipe: Recipe, model: nn.Sequential, name: str, mask: Mask, optimizer: torch.optim.Optimizer, epoch_steps: int
) -> Regrowth:
    """Let a layer's mask change after each epoch."""
    steps = recipe.regrow_epochs * epoch_steps + 1  # the last change is at the end of the last such epoch
    layer = getattr(model, name)
    return Regrowth(layer, mask, steps=steps, every=epoch_steps, share=recipe.regrow_share, optimizer=optimizer)


def _timed_epoch(training: Training, data: TrainingData, epoch: int) -> Epoch:
    began, r = time.perf_counter(), np.random.default_rng((1, training.recipe.seed, epoch))
    loss, right = _run_epoch(training, epoch_of(data, training.recipe, epoch), r)
    return Epoch(epoch, loss, right, time.perf_counter() - began)


def _run_epoch(training: Training, samples: Samples, r: np.random.Generator) -> tuple[float, float]:
    """Make the steps of an epoch; return its mean loss and the share that was right."""
    recipe, losses, right = training.recipe, 0.0, 0
    training.model.train()
    steps = len(samples) // recipe.batch
    for step in range(steps):
        batch = slice(step * recipe.batch, (step + 1) * recipe.batch)
        x = torch.from_numpy(features_of(masked(samples.images[batch], r))[:, None])
        classes = torch.from_numpy(samples.classes[batch])
        loss, scores = _loss(training, x, classes)
        training.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        training.optimizer.step()
        training.schedule.step()
        for regrowth in training.regrowths:
            regrowth.step()
        losses += float(loss.detach())
        right += int((scores.argmax(1) == classes).sum())
    return losses / steps, right / (steps * recipe.batch)


def _loss(training: Training, x: torch.Tensor, classes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of a batch, and its scores."""
    recipe = training.recipe
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
        scores = training.model(x).float()
        taught = _taught(training.teachers, x, recipe.temperature)
    loss = functional.cross_entropy(scores, classes, label_smoothing=recipe.label_smoothing)
    if taught is not None:
        # T^2 keeps the size of its gradient independent of T (Hinton, Vinyals and Dean, arXiv 1503.02531, section 2)
        logs = (scores / recipe.temperature).log_softmax(1)
        far = recipe.temperature**2 * functional.kl_div(logs, taught, reduction="batchmean")
        loss = (1 - recipe.teacher_weight) * loss + recipe.teacher_weight * far
    return loss, scores


def _taught(teachers: list[nn.Sequential], x: torch.Tensor, temperature: float) -> torch.Tensor | None:
    """Return the mean of the teachers' shares at a temperature, None without teachers."""
    if not teachers:
        return None
    with torch.no_grad():
        shares = [(teacher(x).float() / temperature).softmax(1) for teacher in teachers]
        return torch.stack(shares).mean(0)
