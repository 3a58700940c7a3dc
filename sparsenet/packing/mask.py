"""A mask: which weights of a layer exist, chosen before training and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.packing.grid import Grid, grid_of
from sparsenet.packing.picture import as_image, as_text
from sparsenet_kernels.indices import narrowed

__all__ = ["Mask"]


@dataclass(frozen=True, eq=False)
class Mask:
    """Which weights of a layer are kept.

    Parameters
    ----------
    keep : (N, D) or (N, C, kh, kw) bool
        True keeps a weight; copied and made read-only.
    family : str
        The function that made it, a key of :data:`sparsenet.packing.FAMILIES`; empty for any other mask.
    fills : str
        The kernels' format whose slots it fills: "lookup", "tiles", "blocks", "blocks4x16", "complementary", "csc", or
        "". What stays empty is only what the shape leaves over: outputs beyond a multiple of 16, or the rest of a
        division (1600 inputs in sets of 8 kernels with 192 weights each).
    parameters : dict
        What the family was asked for, and ``channels`` where a linear layer has an image's positions.

    Examples
    --------
    >>> mask = Mask(np.eye(4, dtype=bool))
    >>> mask.kept, mask.density, mask.shape
    (4, 0.25, (4, 4))
    """

    keep: npt.NDArray[np.bool_]
    family: str = ""
    fills: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        keep = np.array(self.keep, order="C")
        if keep.dtype != np.bool_:
            raise TypeError(f"expected a mask of bool, got {keep.dtype}; give `weight != 0` for the mask of a weight")
        keep.setflags(write=False)
        object.__setattr__(self, "keep", keep)
        object.__setattr__(self, "parameters", dict(self.parameters))
        grid_of(keep.shape, self.parameters.get("channels"))

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return Mask, (self.keep, self.family, self.fills, self.parameters)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.keep, dtype=dtype) if copy else np.asarray(self.keep, dtype=dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The weight's shape."""
        return self.keep.shape

    @property
    def kept(self) -> int:
        """Weights kept."""
        return int(np.count_nonzero(self.keep))

    @property
    def density(self) -> float:
        """The fraction of weights kept."""
        return self.kept / self.keep.size

    @property
    def grid(self) -> Grid:
        """Outputs, channels and positions."""
        return grid_of(self.shape, self.parameters.get("channels"))

    @property
    def sets(self) -> npt.NDArray[np.int32]:
        """The complementary set of each output, (N,) int32.

        Raises
        ------
        SparsenetError
            If the mask was not made in sets.
        """
        if "per_set" not in self.parameters:
            raise SparsenetError("expected a mask made by `complementary`, got another; `pack` finds sets for any mask")
        per_set = int(self.parameters["per_set"])
        return narrowed(np.arange(len(self.keep)) // per_set, np.int32, "sets")

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.parameters.items() if value is not None)
        shape = "x".join(str(size) for size in self.shape)
        fills = f", fills {self.fills}" if self.fills else ""
        return (
            f"Mask({self.family or 'of no family'}, {shape}, {self.kept:,} kept, {self.density:.2%}{fills}{settings})"
        )

    def __str__(self) -> str:
        return f"{self!r}\n{as_text(self.grid.in_memory(self.keep))}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<div>{escape(repr(self))}<br>{as_image(self.grid.in_memory(self.keep))}</div>"
