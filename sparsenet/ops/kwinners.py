"""K-winners-take-all."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from sparsenet.errors import GraphError
from sparsenet.ops.checks import FloatArray, frozen_floats, integer, rebuilt, set_field, wrong
from sparsenet.ops.dtypes import floats_or_bytes
from sparsenet.ops.geometry import Shape
from sparsenet.ops.operation import Array, Operation, Stored
from sparsenet.ops.work import Active, Work
from sparsenet_kernels import reference

__all__ = ["KWinners"]


@dataclass(frozen=True, eq=False)
class KWinners:
    """Keep the k largest values, set the rest to zero; of equal values the lowest index wins.

    Parameters
    ----------
    k : int
        Winners per position (scope "channels") or per sample (scope "all").
    scope : {"all", "channels"}
        "channels": among the C channels at each position. "all": among all elements of a sample.
    factor : array, optional
        Positive ranking factors, one per channel or, with scope "all", one per element: values are ranked by
        ``value * factor`` and kept unchanged. Boosted networks need it (a duty cycle's ``exp(-strength * duty)``).

    Raises
    ------
    GraphError
        When k is negative, the scope unknown, or a factor not positive and finite.

    Examples
    --------
    >>> KWinners(6, scope="channels").k
    6
    """

    k: int
    scope: str = "all"
    factor: FloatArray | None = None

    __reduce__ = rebuilt

    def __post_init__(self) -> None:
        set_field(self, "k", integer(self, "k", self.k, 0))
        if self.scope not in ("all", "channels"):
            raise wrong(self, 'scope "all" or "channels"', repr(self.scope))
        if self.factor is not None:
            set_field(self, "factor", frozen_floats(self, "factor", self.factor, axes="(n,)"))
            if not (self.factor > 0).all():
                raise wrong(self, "positive ranking factors", f"{float(self.factor.min())}")


def factor_per_element(layer: KWinners, shape: Shape) -> FloatArray | None:
    """Spread ranking factors given per channel over all elements of a sample, in (C, H, W) order."""
    if layer.factor is None or len(layer.factor) == prod(shape):
        return layer.factor
    return np.repeat(layer.factor, prod(shape[1:]))


def _shape(layer: KWinners, shapes: tuple[Shape, ...]) -> Shape:
    shape = shapes[0]
    candidates = shape[0] if layer.scope == "channels" else prod(shape)
    if layer.k > candidates:
        raise GraphError(f"expected k of at most {candidates} for shape {shape}, got {layer.k}")
    allowed = {shape[0]} if layer.scope == "channels" else {shape[0], candidates}
    if layer.factor is not None and len(layer.factor) not in allowed:
        sizes = " or ".join(str(size) for size in sorted(allowed))
        raise GraphError(f"expected {sizes} ranking factors for shape {shape}, got {len(layer.factor)}")
    return shape


def _choose(layer: KWinners, x: Array) -> Array:
    if layer.scope == "channels":
        return reference.k_winners_channels(x, layer.k, layer.factor)
    return reference.k_winners_all(x, layer.k, factor_per_element(layer, x.shape[1:]))


def _active(layer: KWinners, given: Sequence[Active], shape: Shape) -> Active:
    if layer.scope == "channels":
        return Active(given[0].elements, min(given[0].channels, layer.k))
    return Active(min(given[0].elements, layer.k), given[0].channels)


OPERATIONS = (
    Operation(
        KWinners,
        _shape,
        _choose,
        dtype=floats_or_bytes,
        work=Work(_active),
        stored=Stored(("k", "scope"), optional=("factor",)),
    ),
)
