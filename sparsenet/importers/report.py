"""What an import changed, left out or decided: kept in the network's details, shown as a table."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsenet.errors import SparsenetError
from sparsenet.network import Network
from sparsenet.tables import printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["DETAIL", "Note", "import_report"]

DETAIL = "import"
"""The entry of a network's details that holds the notes: a list of ``{"layer", "note"}``."""


@dataclass(frozen=True)
class Note:
    """What an importer has to say of one layer."""

    layer: str
    note: str


def import_report(net: Network) -> "Table":
    """Lay out what an importer had to say of each layer: what it decided, converted, left out, or what differs.

    Parameters
    ----------
    net : Network
        Made by :func:`sparsenet.from_torch`, or loaded from a file that holds such a network.

    Returns
    -------
    rich.table.Table
        One row a note, in the order of the layers; none where there was nothing to say. ``rich.print`` prints it, and
        notebooks show it. The notes themselves are ``net.details["import"]``.

    Raises
    ------
    SparsenetError
        When the network was not imported.

    Examples
    --------
    >>> import sparsenet as sn
    >>> notes = [{"layer": "drop", "note": "left out: dropout does nothing at inference"}]
    >>> import_report(sn.Network.sequential((4,), [sn.ReLU()], details={"import": notes})).row_count
    1
    """
    from rich.table import Table

    table = Table("layer", "note", title="What the import says", title_justify="left", show_lines=True)
    for note in _notes(net.details.get(DETAIL)):
        table.add_row(printable(note.get("layer", "")), printable(note.get("note", "")))
    return table


def _notes(kept: Any) -> list[dict[str, Any]]:
    """Check what may come from a file."""
    if not isinstance(kept, list) or not all(isinstance(note, dict) for note in kept):
        raise SparsenetError(
            f"expected a network that was imported, with a list of notes in details[{DETAIL!r}], got {kept!r}"[:300]
        )
    return kept
