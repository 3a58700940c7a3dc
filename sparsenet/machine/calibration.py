"""Calibrate the cost model: how fast this core is compared with the core on which the model's rates were measured.

Measured limits give the best answer. Planning does not measure them, because it times the kernels that matter anyway.
They are measured and kept when somebody asks for a profile or for the limits; from then on, predictions use them.
"""

from dataclasses import dataclass
from functools import lru_cache

from sparsenet.machine.facts import Machine
from sparsenet.machine.limits import Limits, kept_limits

__all__ = ["Pace", "pace_from", "pace_of", "reference_limits"]

CLOCK_HZ, MULTIPLY_ADDS_PER_S = 3.8e9, 1.19e11
CACHED_BYTES_PER_S, FAR_BYTES_PER_S = 1.76e11, 2.9e10
"""The limits of the reference core, whose rates are in :mod:`sparsenet.lowering.cost`: its clock, its float32
multiply-adds, reading from the second-level cache, and reading from beyond that cache."""
NEAR_BYTES_PER_S, MEMORY_BYTES_PER_S = 3.4e11, 1.6e10
"""The reference core's rates of reading from the first-level cache, and from memory."""
BYTES_AT_ONCE, TILES_AT_ONCE = 4, 34
"""How many multiply-adds of bytes take the time of one in float32: with vectors, and with tiles."""


@dataclass(frozen=True)
class Pace:
    """How many times longer this core takes than the reference core: 2 means half as fast.

    Attributes
    ----------
    scalar : float
        For instructions that each wait for the one before.
    vector : float
        For arithmetic on vectors of 16 numbers.
    cached, far : float
        For reading from the second-level cache, and from beyond it.
    """

    scalar: float
    vector: float
    cached: float
    far: float


@lru_cache
def pace_of(machine: Machine) -> Pace:
    """Give the pace of a machine: from limits that were measured on it, or else from the width of its vectors."""
    found = kept_limits(machine)
    return Pace(1.0, 512 / machine.vector_bits, 1.0, 1.0) if found is None else pace_from(found)


def pace_from(limits: Limits) -> Pace:
    """Give the pace of a core with such limits.

    Examples
    --------
    >>> half = Limits(1.9e9, 5.95e10, {"L2": 8.8e10, "memory": 1.45e10}, {"L2": 2**20, "memory": 2**28})
    >>> pace_from(half)
    Pace(scalar=2.0, vector=2.0, cached=2.0, far=2.0)
    """
    reads = limits.read_bytes_per_s
    far = reads.get("L3", reads["memory"])
    return Pace(
        scalar=CLOCK_HZ / limits.clock_hz,
        vector=MULTIPLY_ADDS_PER_S / limits.multiply_adds_per_s,
        cached=CACHED_BYTES_PER_S / reads.get("L2", far),
        far=FAR_BYTES_PER_S / far,
    )


def reference_limits(machine: Machine) -> Limits:
    """Give the reference core's limits, scaled to a machine's vectors and caches, where it was never measured.

    Examples
    --------
    >>> from sparsenet.machine.facts import machine
    >>> reference_limits(machine()).clock_hz
    3800000000.0
    """
    rate = MULTIPLY_ADDS_PER_S * machine.vector_bits / 512
    rates = {"L1": NEAR_BYTES_PER_S, "L2": CACHED_BYTES_PER_S, "L3": FAR_BYTES_PER_S, "memory": MEMORY_BYTES_PER_S}
    sizes = {"L1": machine.assumed_l1d_bytes, "L2": machine.assumed_l2_bytes, "L3": machine.l3_bytes or 0}
    sizes = {level: size for level, size in sizes.items() if size} | {"memory": machine.memory_bytes or 2**31}
    byte_rates = {"bytes": BYTES_AT_ONCE * rate}
    if "amx-int8" in machine.features:
        byte_rates["tiles"] = TILES_AT_ONCE * rate
    return Limits(CLOCK_HZ, rate, {level: rates[level] for level in sizes}, sizes, byte_rates)
