"""Networks that might be, beside the one there is: data that print themselves."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["WhatIf", "WhatIfLayer", "WhatIfRow"]


@dataclass(frozen=True)
class WhatIfLayer:
    """One layer with weights in a network that might be.

    Attributes
    ----------
    layer : str
    family : str
        Of its mask; "" where the layer keeps its own.
    density : float
        The fraction of weights kept: the nearest to the one asked for that the family has.
    kernel : str
        The fastest predicted.
    predicted_us : float
        For one sample.
    """

    layer: str
    family: str
    density: float
    kernel: str
    predicted_us: float


@dataclass(frozen=True)
class WhatIfRow:
    """A network that might be; times in microseconds for one sample.

    Attributes
    ----------
    name : str
        "as it is", "dense kernels", "its own masks", or a family of masks.
    layers : tuple of WhatIfLayer
    density : float
        The fraction kept of all weights.
    predicted_us : float
        All layers with weights; nothing is predicted for the others.
    measured_us : float or None
        The whole network; None where it was not asked for.
    notes : tuple of str
        Layers for which the family has no mask, and what they got instead.
    """

    name: str
    layers: tuple[WhatIfLayer, ...]
    density: float
    predicted_us: float
    measured_us: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class WhatIf:
    """Networks that might be, beside the one there is.

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
        """The fastest network that might be: measured, or predicted where nothing was."""
        return min(self.rows[2:], key=lambda row: row.predicted_us if row.measured_us is None else row.measured_us)

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        rows = [asdict(row) | {"layers": [asdict(layer) for layer in row.layers]} for row in self.rows]
        return asdict(self) | {"rows": [row | {"notes": list(row["notes"])} for row in rows], "best": self.best.name}

    def __repr__(self) -> str:
        return f"<WhatIf of {len(self.rows)} networks, of which {self.best.name} is fastest>"

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from sparsenet.insight.what_if_table import what_if_parts

        yield from what_if_parts(self)

    def _repr_html_(self) -> str:
        from sparsenet.tables import as_html

        return as_html(self)
