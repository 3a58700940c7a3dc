"""A table of packings, for terminals and notebooks."""

from typing import TYPE_CHECKING

from sparsenet.packing.packed import Packing
from sparsenet.table_style import ruled
from sparsenet.tables import as_shape, as_share

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["packing_table"]

CAPTION = (
    "at least: no packing of this mask has fewer sets. full: the share of the sets' slots that hold a weight. energy: "
    "the share of the dense weights' sum of squares that is kept; free: the same, had every output kept its largest."
)


def packing_table(*packings: Packing) -> "Table":
    """Lay packings out as a table, one row for each.

    Parameters
    ----------
    *packings : Packing

    Returns
    -------
    rich.table.Table

    Examples
    --------
    >>> from sparsenet import packing
    >>> mask = packing.uniform((16, 64), 0.1)
    >>> packing_table(*(packing.pack(mask, method=name) for name in packing.METHODS)).row_count
    3
    """
    numbers = "density", "sets", "at\nleast", "outputs\na set", "full", "energy", "free", "time"
    table = ruled("", ("weights", "method"), numbers, CAPTION)
    for packing in packings:
        table.add_row(*_cells(packing))
    return table


def _cells(packing: Packing) -> tuple[str, ...]:
    each = len(packing.keep) / packing.count
    counts = f"{packing.count:,}", f"{packing.lower_bound:,}", f"{each:.1f}", as_share(packing.fill)
    energies = ["" if share is None else as_share(share) for share in (packing.energy, packing.free_energy)]
    weights = as_shape(packing.keep.shape)
    return weights, packing.method, as_share(packing.density), *counts, *energies, f"{packing.time_s * 1e3:,.1f} ms"
