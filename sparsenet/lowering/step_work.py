"""What steps without weights have in common: how their work is counted, and the rates of reading and writing.

Rates were read off kernels on the core that :mod:`sparsenet.lowering.cost` names, in nanoseconds. A family says in its
``STEP_COSTS`` what its own kernels take.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, prod

from sparsenet.lowering.cost import VECTOR_NS

__all__ = ["MOVED_NS", "PASS_NS", "Shapes", "StepCosts", "StepWork", "moving", "passing", "vectors_in"]

Shapes = Mapping[str, tuple[int, ...]]
"""Each array's shape for one sample, and each number as a shape of one, by the name that the kernel gives it."""

PASS_NS = 1.1
"""Reading and writing 16 numbers."""
MOVED_NS = 0.25
"""Reading a number in one place and writing it in another."""


@dataclass(frozen=True)
class StepWork:
    """Nanoseconds of arithmetic and comparisons, of finding places, of reading and writing."""

    arithmetic_ns: float = 0.0
    addresses_ns: float = 0.0
    passing_ns: float = 0.0


StepCosts = Mapping[str, Callable[[Shapes], StepWork]]
"""What kernels take, by their names without variants."""


def passing(shapes: Shapes) -> StepWork:
    """Read and write everything once."""
    vectors = max(vectors_in(shapes, "x"), vectors_in(shapes, "out"))
    return StepWork(arithmetic_ns=vectors * VECTOR_NS, passing_ns=vectors * PASS_NS)


def moving(shapes: Shapes) -> StepWork:
    """Write every number in another place."""
    return StepWork(addresses_ns=prod(shapes.get("x") or shapes["columns"]) * MOVED_NS)


def vectors_in(shapes: Shapes, name: str) -> int:
    """Count the vectors of 16 that the rows of an array fill, or begin."""
    *rows, last = shapes.get(name, (0,))
    return prod(rows) * ceil(last / 16)
