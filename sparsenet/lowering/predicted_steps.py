"""Predict the time of a lowered network, step by step."""

from typing import Any

import numpy as np

from sparsenet.lowering.draft import Step, View
from sparsenet.lowering.lower import Lowered
from sparsenet.lowering.step_cost import step_cost
from sparsenet.machine.facts import machine

__all__ = ["call_s", "step_us"]


def call_s(lowered: Lowered) -> float:
    """Predict how long one chunk of samples takes, in seconds."""
    choices = lowered.plan.choices
    weighted = {choice.layer for choice in choices}
    samples = lowered.draft.batch
    besides_us = sum(step_us(step, samples) for step in lowered.draft.steps if step.layer not in weighted)
    return (sum(choice.cost.us for choice in choices) + besides_us) * samples / 1e6


def step_us(step: Step, samples: int) -> float:
    """Predict a step without weights, for one of so many samples, in microseconds."""
    names = (argument.name for argument in step.kernel.arguments)
    shapes = {name: _shape(given) for name, given in zip(names, step.arguments, strict=True)}
    return step_cost(step.kernel.base, shapes, machine(), samples).us


def _shape(given: Any) -> tuple[int, ...]:
    return given.shape if isinstance(given, View | np.ndarray) else (given,)
