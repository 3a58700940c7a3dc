"""The answer of what-if: changed networks beside the original one; the records print themselves."""

from dataclasses import dataclass
from typing import Any

from sparsenet.explain.what_if_table import what_if_parts
from sparsenet.renderer import as_record, printing

__all__ = ["WhatIf", "WhatIfLayer", "WhatIfRow"]


@dataclass(frozen=True)
class WhatIfLayer:
    """One layer of a changed network.

    Attributes
    ----------
    layer, kind : str
    family : str
        Of its mask; "" where the layer keeps its own, or has no weights.
    density : float or None
        The fraction of weights kept: the nearest to the one asked for that the family has; None without weights.
    kernel : str
        The fastest predicted; "" without weights.
    predicted_us : float
        For one sample.
    """

    layer: str
    kind: str
    family: str
    density: float | None
    kernel: str
    predicted_us: float


@dataclass(frozen=True)
class WhatIfRow:
    """A changed network; times in microseconds for one sample.

    Attributes
    ----------
    name : str
        "as it is", "dense kernels", "its own masks", or a family of masks.
    layers : tuple of WhatIfLayer
        Those that run anything of their own.
    density : float or None
        The fraction kept of all weights; None where there are none.
    call_us : float
        Predicted for the call from Python, and for copying the input and the result.
    predicted_us : float
        The whole network with its call.
    measured_us : float or None
        The same, where measuring was asked for.
    notes : tuple of str
        What must be known of layers: those for which the family has no mask, and what they got instead; those whose
        mask has no kernel of its own.
    refused : tuple of str
        Those of the notes that say what could not be done as it was asked for.
    """

    name: str
    layers: tuple[WhatIfLayer, ...]
    density: float | None
    call_us: float
    predicted_us: float
    measured_us: float | None
    notes: tuple[str, ...]
    refused: tuple[str, ...] = ()

    @property
    def time_us(self) -> float:
        """Measured, or predicted where nothing was."""
        return self.predicted_us if self.measured_us is None else self.measured_us


@dataclass(frozen=True)
class WhatIf:
    """Changed networks beside the original one.

    Attributes
    ----------
    rows : tuple of WhatIfRow
        The first is the network as it is, the second the same with kernels that skip nothing.
    density, active : float or None
        As asked for.
    batch : int
        Samples of one call.
    """

    rows: tuple[WhatIfRow, ...]
    density: float | None
    active: float | None
    batch: int

    @property
    def best(self) -> WhatIfRow:
        """The fastest changed network: as measured, or as predicted where nothing was measured."""
        return min(self.rows[2:], key=lambda row: row.time_us)

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return as_record(self) | {"best": self.best.name}

    def __repr__(self) -> str:
        return f"<WhatIf of {len(self.rows)} networks, of which {self.best.name} is fastest>"

    __rich_console__, _repr_html_ = printing(what_if_parts)
