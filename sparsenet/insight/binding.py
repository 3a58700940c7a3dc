"""What binds a layer: the largest part of its predicted time, and the memory level that its weights come from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparsenet.planner.machine import Machine
from sparsenet.planner.predicted import Cost

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["binding", "limits_us", "nearest_level", "resident_bytes"]

ARITHMETIC, ADDRESSES, CALLS = "arithmetic", "scattered addresses", "call overhead"


def limits_us(cost: Cost, level: str) -> dict[str, float]:
    """Name the parts of a predicted time.

    Parameters
    ----------
    cost : Cost
    level : str
        The memory level that weights are read from.

    Returns
    -------
    dict of str to float
        In microseconds for one sample.

    Examples
    --------
    >>> binding(limits_us(Cost(1.0, 3.0, 2.0, 0.1), "L2"))
    'scattered addresses'
    """
    return {
        ARITHMETIC: cost.arithmetic_us,
        ADDRESSES: cost.addresses_us,
        f"{level} bytes": cost.reading_us,
        CALLS: cost.call_us,
    }


def binding(parts_us: Mapping[str, float]) -> str:
    """Name the part that counts most: reading hides arithmetic and addresses where it takes longer than both.

    Parameters
    ----------
    parts_us : mapping of str to float
        As :func:`limits_us` gives them; where there are none, nothing is named.
    """
    if not parts_us:
        return ""
    (reading,) = (name for name in parts_us if name.endswith(" bytes"))
    hidden = {ARITHMETIC, ADDRESSES} if parts_us[reading] > parts_us[ARITHMETIC] + parts_us[ADDRESSES] else {reading}
    return max((name for name in parts_us if name not in hidden), key=parts_us.__getitem__)


def resident_bytes(engine: "Engine") -> int:
    """Count the bytes that one call touches: all weights, and the scratch of one chunk of samples."""
    return engine.program.scratch_bytes + sum(array.nbytes for array in engine.program.constants)


def nearest_level(size_bytes: int, here: Machine) -> str:
    """Name the nearest memory level of a machine that holds so much: "L1", "L2", "L3" or "memory"."""
    caches = {"L1": here.l1d_bytes, "L2": here.l2_bytes, "L3": here.l3_bytes}
    return next((name for name, size in caches.items() if size and size_bytes <= size), "memory")
