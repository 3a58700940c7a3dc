"""The report of an import: what was changed, left out or decided. It is kept in the network's details."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network
from sparsenet.table_style import ruled
from sparsenet.tables import as_html, printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["DETAIL", "KINDS", "ImportReport", "Note", "as_details", "import_report"]

DETAIL = "import"
"""The entry of a network's details that holds the notes: a list of ``{"layer", "note", "kind"}``."""

KINDS = ("decided", "folded", "recognised", "differs")
"""What a note may tell of: something that was chosen or left out, computed once, recognised as a layer by its pattern,
or that computes something slightly different there."""


@dataclass(frozen=True)
class Note:
    """What an importer has to say of one layer, and of which of the :data:`KINDS` it is; "" in older files."""

    layer: str
    note: str
    kind: str = ""


@dataclass(frozen=True)
class ImportReport:
    """The notes of an importer; it prints itself as a table.

    Attributes
    ----------
    notes : tuple of Note
        In the order of the layers; none where there was nothing to say.
    """

    notes: tuple[Note, ...]

    def __repr__(self) -> str:
        return f"<ImportReport of {len(self.notes)} notes>"

    def __rich__(self) -> "Table":
        table = ruled("What the import says", ("layer", "note", "kind"))
        table.show_lines = True
        for note in self.notes:
            table.add_row(printable(note.layer), printable(note.note), printable(note.kind))
        if not self.notes:
            table.add_row("", "nothing: all layers were taken as they are", "")
        return table

    def _repr_html_(self) -> str:
        return as_html(self)


def import_report(net: Network) -> ImportReport:
    """Say what an importer had to say of each layer: what it decided, folded, recognised, or what differs.

    Parameters
    ----------
    net : Network
        Made by :func:`sparsenet.from_torch` or :func:`sparsenet.from_onnx`, or loaded from a file that holds such a
        network.

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
    (Note(layer='drop', note='left out: dropout does nothing at inference', kind=''),)
    """
    kept = _notes(net.details.get(DETAIL))
    return ImportReport(tuple(Note(*(str(note.get(key, "")) for key in ("layer", "note", "kind"))) for note in kept))


def as_details(notes: Iterable[Note]) -> list[dict[str, str]]:
    """Write notes as they are kept in a network's details."""
    return [vars(note) for note in notes]


def _notes(kept: Any) -> list[dict[str, Any]]:
    """Check what may come from a file."""
    if not isinstance(kept, list) or not all(isinstance(note, dict) for note in kept):
        raise SparsenetError(
            f"expected a network that was imported, with a list of notes in details[{DETAIL!r}], got {kept!r}"[:300]
        )
    return kept
