"""Make implementations of float layers; their cost is predicted from counts, before weights are packed."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

from sparsenet.lowering.float_cost import FloatCosts, predict
from sparsenet.lowering.implementation import Bound, Implementation
from sparsenet.lowering.predicted import Cost
from sparsenet_kernels.formats.entries import check_weight_count
from sparsenet_kernels.registry import Kernel

__all__ = ["counts_weights", "float_implementation"]


def float_implementation(
    operation: str,
    weights: str,
    inputs: str,
    uses: str,
    bind: Callable[[Any, Kernel], Bound],
    costs: FloatCosts,
    fill: Callable[[Any], float] | None = None,
    **others: Any,
) -> Implementation:
    """Make the record of a kernel of floats.

    Parameters
    ----------
    operation, weights, inputs, uses, bind
        As in :class:`Implementation`.
    costs : FloatCosts
    fill : callable (problem) -> float, optional
        Packs complementary sets, and says how full they are: only then it is known how many there are.
    **others
        More attributes of :class:`Implementation`.
    """

    def stored_bytes(problem: Any) -> int:
        return costs.stored_bytes(problem.work)

    def cost(problem: Any) -> Cost:
        work = problem.work
        if fill is not None:
            work = replace(work, sets=ceil(work.nnz / max(fill(problem) * work.taps * work.channels, 1.0)))
        return predict(costs, work, problem.task.plan.machine, bool(problem.fused))

    return Implementation(operation, "f32", weights, inputs, uses, cost, bind, stored_bytes=stored_bytes, **others)


def counts_weights(problem: Any) -> str:
    """Raise IndexRangeError unless the layer's weights can be counted in 32 bits; give no other reason against it."""
    check_weight_count(problem.task.layer.weight.size)
    return ""
