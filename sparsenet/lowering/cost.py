"""Predict the time of a kernel from its work.

A kernel's time is the larger of its arithmetic and its traffic of weights. The rates below were read off kernels of
this package on one core of an AVX-512 server at 3.8 GHz (a whole vector of 16, or one scalar step, in nanoseconds);
another core's times are in proportion to its :mod:`pace <sparsenet.machine.calibration>`. They decide between
candidates whose times differ by a large factor. Where times are closer, ``planner="measure"`` times the candidates.
"""

from sparsenet.lowering.predicted import Cost
from sparsenet.machine.calibration import pace_of
from sparsenet.machine.facts import Machine

__all__ = ["CALL_NS", "VECTOR_NS", "cost_of", "reading_ns"]

VECTOR_NS = 0.18
"""A fused multiply-add of 16 numbers, in a tile that holds many sums."""
CALL_NS = 35.0
"""Calling a step at all."""
CACHED_NS_PER_BYTE = 0.010
"""Reading weights from the second-level cache."""
FAR_NS_PER_BYTE = 0.033
"""Reading weights from beyond it."""


def cost_of(arithmetic_ns: float, addresses_ns: float = 0.0, traffic_ns: float = 0.0, calls: float = 1.0) -> Cost:
    """Add up a kernel's time for one sample; the cost of a call is shared by its samples."""
    return Cost(arithmetic_ns / 1000, addresses_ns / 1000, traffic_ns / 1000, calls * CALL_NS / 1000)


def reading_ns(size_bytes: int, machine: Machine) -> float:
    """Predict how long reading all weights of a layer takes, from the nearest level that holds them."""
    pace = pace_of(machine)
    if size_bytes <= machine.assumed_l2_bytes:
        return size_bytes * CACHED_NS_PER_BYTE * pace.cached
    return size_bytes * FAR_NS_PER_BYTE * pace.far
