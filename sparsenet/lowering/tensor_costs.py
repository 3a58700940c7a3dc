"""What the steps take that write a tensor in another form or order."""

from math import prod

from sparsenet.lowering.step_work import MOVED_NS, PASS_NS, Shapes, StepCosts, StepWork, moving, vectors_in

__all__ = ["STEP_COSTS"]


def _expanding(shapes: Shapes) -> StepWork:
    return StepWork(addresses_ns=prod(shapes["columns"]) * MOVED_NS + vectors_in(shapes, "out") * PASS_NS)


STEP_COSTS: StepCosts = {"swap_axes_f32": moving, "flatten_active_f32": moving, "expand_f32": _expanding}
