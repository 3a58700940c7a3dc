"""Lowering products of two activations."""

from sparsenet.lowering.step_work import StepCosts
from sparsenet.lowering.task import Lowering

__all__ = ["LOWERINGS", "STEP_COSTS"]

LOWERINGS: dict[str, tuple[Lowering, ...]] = {}

STEP_COSTS: StepCosts = {}
