"""What an import changed, left out or decided: kept in the network's details, shown as a table."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network
from sparsenet.table_style import ruled
from sparsenet.tables import as_html, printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["DETAIL", "ImportReport", "Note", "import_report"]

DETAIL = "import"
"""The entry of a network's details that holds the notes: a list of ``{"layer", "note"}``."""


@dataclass(frozen=True)
class Note:
    """What an importer has to say of one layer."""

    layer: str
    note: str


@dataclass(frozen=True)
class ImportReport:
    """What an importer had to say; it prints itself as a table.

    Attributes
    ----------
    notes : tuple of Note
        In the order of the layers; none where there was nothing to say.
    """

    notes: tuple[Note, ...]

    def __repr__(self) -> str:
        return f"<ImportReport of {len(self.notes)} notes>"

    def __rich__(self) -> "Table":
        table = ruled("What the import says", ("layer", "note"))
        table.show_lines = True
        for note in self.notes:
            table.add_row(printable(note.layer), printable(note.note))
        if not self.notes:
            table.add_row("", "nothing: all layers were taken as they are")
        return table

    def _repr_html_(self) -> str:
        return as_html(self)


def import_report(net: Network) -> ImportReport:
    """Say what an importer had to say of each layer: what it decided, converted, left out, or what differs.

    Parameters
    ----------
    net : Network
        Made by :func:`sparsenet.from_torch`, or loaded from a file that holds such a network.

    Returns
    -------
    ImportReport
        ``rich.print`` prints it as a table, and notebooks show it.

    Raises
    ------
    SparsenetError
        When the network was not imported.

    Examples
    --------
    >>> import sparsenet as sn
    >>> notes = [{"layer": "drop", "note": "left out: dropout does nothing at inference"}]
    >>> import_report(sn.Network.sequential((4,), [sn.ReLU()], details={"import": notes})).notes
    (Note(layer='drop', note='left out: dropout does nothing at inference'),)
    """
    kept = _notes(net.details.get(DETAIL))
    return ImportReport(tuple(Note(str(note.get("layer", "")), str(note.get("note", ""))) for note in kept))


def _notes(kept: Any) -> list[dict[str, Any]]:
    """Check what may come from a file."""
    if not isinstance(kept, list) or not all(isinstance(note, dict) for note in kept):
        raise SparsenetError(
            f"expected a network that was imported, with a list of notes in details[{DETAIL!r}], got {kept!r}"[:300]
        )
    return kept
