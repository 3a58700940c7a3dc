"""An ONNX graph as plain data: operators with the names of what they read, and constants as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Graph", "Operator", "fused"]

FUSED = "sparsenet"
"""The domain of operators that stand for several, which a pattern found."""


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator.

    Attributes
    ----------
    name : str
        Its own, or that of its first output where it has none.
    kind : str
        ``op_type``, behind its domain and two colons where that is not ONNX's own.
    inputs, outputs : tuple of str
        Names of values; "" where one is left out.
    attributes : mapping
        Numbers, strings, lists and arrays.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Graph:
    """What patterns look at.

    Attributes
    ----------
    operators : sequence of Operator
        In an order in which they can be computed; none of them computes a constant.
    constants : mapping of str to array
    makers : mapping of str to Operator
        By each output.
    """

    operators: Sequence[Operator]
    constants: Mapping[str, npt.NDArray[Any]]
    makers: Mapping[str, Operator]

    def made_by(self, kind: str, name: str) -> Operator | None:
        """Return the operator of that kind whose first output has that name, or None."""
        maker = self.makers.get(name)
        return maker if maker is not None and maker.kind == kind and maker.outputs[0] == name else None

    def whole(self, name: str) -> list[int] | None:
        """Return a constant of whole numbers as a list, or None."""
        values = self.constants.get(name)
        return None if values is None or values.dtype.kind not in "iu" else [int(one) for one in np.ravel(values)]


def fused(kind: str, last: Operator, source: str, **attributes: Any) -> Operator:
    """Return the operator that stands for all that lead from a value to the result of the last one."""
    return Operator(last.name, f"{FUSED}::{kind}", (source,), last.outputs[:1], attributes)
