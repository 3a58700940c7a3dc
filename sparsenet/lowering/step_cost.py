"""What a step without weights will take: choosing winners, pooling, rounding, moving numbers elsewhere.

Such a step should take far less than a layer with weights: where it does not, that is worth knowing.
"""

from sparsenet.lowering.cost import CALL_NS
from sparsenet.lowering.predicted import Cost
from sparsenet.lowering.step_work import Shapes, passing
from sparsenet.lowering.table import STEP_COSTS
from sparsenet.machine.calibration import pace_of
from sparsenet.machine.facts import Machine

__all__ = ["copying_us", "step_cost"]

COPIED_NS = 0.15
"""Copying a number in or out, and checking it."""


def step_cost(kernel: str, shapes: Shapes, machine: Machine, samples: int = 1) -> Cost:
    """Predict a step without weights, for one sample.

    Parameters
    ----------
    kernel : str
        Without its variant. Of one that nobody has timed, reading and writing is predicted.
    shapes : mapping of str to tuple of int
        What it is given, for one sample.
    machine : Machine
    samples : int
        That share a call.

    Examples
    --------
    >>> from sparsenet.machine.facts import machine
    >>> shapes = {"x": (196, 64), "k": (12,), "out": (196, 64)}
    >>> step_cost("kwta_i8", shapes, machine()).us < step_cost("kwta_map_f32", shapes, machine()).us
    True
    """
    work = STEP_COSTS.get(kernel, passing)(shapes)
    pace = pace_of(machine)
    vectors, single = pace.vector / 1000, pace.scalar / 1000
    return Cost(
        arithmetic_us=work.arithmetic_ns * vectors,
        addresses_us=work.addresses_ns * single,
        reading_us=work.passing_ns * vectors,
        call_us=CALL_NS / 1000 / samples,
    )


def copying_us(elements: int, machine: Machine) -> float:
    """Predict what copying a sample into the engine and its result out of it takes, for so many numbers."""
    return elements * COPIED_NS * pace_of(machine).vector / 1000
