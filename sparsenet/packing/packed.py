"""A packing: which outputs share a set, and how full the sets are."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError
from sparsenet.given import real_array
from sparsenet.packing.search import lower_bound
from sparsenet_kernels.forks import kept_property
from sparsenet_kernels.formats import Complementary, pack_complementary, pack_complementary_conv2d

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Packing"]


@dataclass(frozen=True, eq=False)
class Packing:
    """Outputs in complementary sets.

    Parameters
    ----------
    keep : (N, D) or (N, C, kh, kw) bool
        Weights kept.
    sets : (N,) int32
        The set of each output; no two outputs of a set share an input.
    method : str
        How the sets were found; "given" when they were not searched for.
    time_s : float
        What the search took.
    energy : float, optional
        The share of the dense weights' sum of squares that is kept, where weights were dropped to pack them.
    free_energy : float, optional
        The same, had every output kept its largest weights.
    """

    keep: npt.NDArray[np.bool_]
    sets: npt.NDArray[np.int32]
    method: str
    time_s: float
    energy: float | None = None
    free_energy: float | None = None

    def __post_init__(self) -> None:
        self.keep.setflags(write=False)
        self.sets.setflags(write=False)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return Packing, tuple(getattr(self, field.name) for field in fields(self))

    @property
    def count(self) -> int:
        """Sets."""
        return int(self.sets.max()) + 1

    @property
    def kept(self) -> int:
        """Weights kept."""
        return int(np.count_nonzero(self.keep))

    @property
    def density(self) -> float:
        """The fraction of weights kept."""
        return self.kept / self.keep.size

    @property
    def fill(self) -> float:
        """The fraction of the sets' slots that hold a weight: kept / (D * count)."""
        return self.kept / (self.keep.size // len(self.keep) * self.count)

    @kept_property
    def lower_bound(self) -> int:
        """A number of sets that no packing of the same mask goes below; it may be far from what can be reached."""
        return lower_bound(self.keep.reshape(len(self.keep), -1))

    def complementary(self, weight: npt.ArrayLike) -> Complementary:
        """Lay weights out in these sets, for the kernels.

        Parameters
        ----------
        weight : (N, D) or (N, C, kh, kw), any float
            Those that are not kept are dropped.

        Returns
        -------
        sparsenet_kernels.formats.Complementary

        Raises
        ------
        SparsenetError
            If the shape is another than the mask's.

        Examples
        --------
        >>> from sparsenet import packing
        >>> packed = packing.pack(np.eye(4, dtype=bool)).complementary(np.full((4, 4), 7.0))
        >>> packed.values.tolist()
        [[7.0], [7.0], [7.0], [7.0]]
        """
        given = real_array(weight, "weights")
        if given.shape != self.keep.shape:
            raise SparsenetError(f"expected weights of shape {self.keep.shape}, got {given.shape}")
        kept = np.where(self.keep, given, 0)
        if kept.ndim == 2:
            return pack_complementary(kept, self.sets, self.keep)
        return pack_complementary_conv2d(kept, 1, self.sets, self.keep)

    def __repr__(self) -> str:
        energy = "" if self.energy is None else f", {self.energy:.1%} of the energy"
        return (
            f"Packing({len(self.keep):,} outputs in {self.count:,} sets, {self.fill:.1%} full{energy}, "
            f"{self.method}, {self.time_s:.3g} s)"
        )

    def __rich__(self) -> "Table":
        from sparsenet.packing.report import packing_table

        return packing_table(self)

    def _repr_html_(self) -> str:
        from sparsenet.tables import as_html

        return as_html(self)
