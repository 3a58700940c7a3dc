"""The renderer: tables for terminals and notebooks, and records for JSON, from one description of columns and data.

A table is a title, columns and rows. Each column says how a row's cell is written, what its heading means, and whether
it can be spared; where a terminal has too few columns, what can be spared goes, and so do the notes on it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from sparsenet.table_html import HTML_WIDTH, as_html
from sparsenet.table_style import fitted, middle_left_out, ruled

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table

__all__ = ["Column", "as_record", "count_text", "laid_out", "printing", "shortened", "spread", "time_text"]

Parts = Callable[[Any, int], "Iterator[RenderableType]"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    heading : str
    text : str or callable
        What a cell says of a row: the name of an attribute that is a text, or a function that writes it, with rich's
        markup; nothing where all rows are written already.
    words : bool
        Whether cells are words, which may fold, and stand on the left; numbers may not, and stand on the right.
    spare : int
        Where there is too little room, columns are left out in this order, from 1; those with 0 never.
    note : str
        What the heading means; printed below the table while the column is shown.
    footer : str
        Below the last row.
    """

    heading: str
    text: str | Callable[[Any], str] = ""
    words: bool = False
    spare: int = 0
    note: str = ""
    footer: str = ""

    def cell(self, row: Any) -> str:
        """Write the cell of a row."""
        return str(getattr(row, self.text)) if isinstance(self.text, str) else self.text(row)

    @property
    def name(self) -> str:
        """The heading in one line."""
        return " ".join(self.heading.split())


def laid_out(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Any],
    width: int | None = HTML_WIDTH,
    *,
    notes: Sequence[str] = (),
    ends: Callable[[Any, Any], bool] = lambda row, following: False,
    style: Callable[[Any], str] = lambda row: "",
) -> "Table":
    """Lay rows out as a table that fits.

    Parameters
    ----------
    title : str
    columns : sequence of Column
    rows : sequence
        Each is what the columns write cells of, or a list of cells that are written already.
    width : int or None
        Columns of the terminal; None where nothing shall be left out, and all may fold.
    notes : sequence of str
        More to say below the table, behind the notes of the columns that are shown.
    ends : callable
        Tells of a row and the one that follows whether there is a line between them.
    style : callable
        Gives a row's style.

    Returns
    -------
    rich.table.Table

    Examples
    --------
    >>> columns = [Column("layer", str, words=True), Column("letters", lambda row: f"{len(row)}", note="how many")]
    >>> table = laid_out("Layers", columns, ["conv", "linear"])
    >>> table.row_count, table.caption
    (2, 'letters: how many.')
    """
    table = ruled(title)
    table.show_footer = any(column.footer for column in columns)
    for column in columns:
        table.add_column(
            column.heading,
            column.footer,
            justify="left" if column.words else "right",
            no_wrap=not column.words,
            overflow="fold",
        )
    for i, row in enumerate(rows):
        cells = row if isinstance(row, list) else [column.cell(row) for column in columns]
        ended = any(ends(row, following) for following in rows[i + 1 : i + 2])
        table.add_row(*cells, style=style(row), end_section=ended)
    return _with_notes(table if width is None else fitted(table, width, _spared(columns)), columns, notes)


def shortened(rows: Sequence[Any], most: int) -> list[Any]:
    """Put one row that says how many there are in the place of the middle of a long list.

    Examples
    --------
    >>> shortened([1, 2, 3, 4, 5, 6], 4)
    [1, 2, ['...', '2 more'], 5, 6]
    """
    first, between, last = middle_left_out(rows, most)
    return [*first, *[["...", f"{between:,} more"]] * bool(between), *last]


def _spared(columns: Sequence[Column]) -> list[str]:
    """Give the headings that can be left out, first to last."""
    spare = sorted((column for column in columns if column.spare), key=lambda column: column.spare)
    return [column.heading for column in spare]


def _with_notes(table: "Table", columns: Sequence[Column], notes: Sequence[str]) -> "Table":
    """Say below a table what the headings that it shows mean, what else there is to say, and what was left out."""
    shown = {column.header for column in table.columns}
    said = {column.name: column.note for column in columns if column.note and column.heading in shown}
    meanings = " ".join(f"{name}: {note}." for name, note in said.items())
    table.caption = "\n".join(filter(None, [meanings, *notes, str(table.caption or "")])) or None
    return table


def spread(table: "Table") -> "Iterator[RenderableType]":
    """Give a table's title, the table, and its notes, each as wide as the page: rich folds them to the table's width.

    Examples
    --------
    >>> [type(part).__name__ for part in spread(laid_out("Layers", [Column("layer", str)], [], notes=["None."]))]
    ['Text', 'Table', 'Text']
    """
    from rich.text import Text

    title, caption = table.title, table.caption
    table.title = table.caption = None
    if title:
        yield Text.from_markup(str(title), style="table.title")
    yield table
    if caption:
        yield Text.from_markup(str(caption), style="table.caption")


def printing(
    parts: Parts,
) -> "tuple[Callable[[Any, Console, ConsoleOptions], RenderResult], Callable[[Any], str]]":
    """Make the two methods by which an object prints itself: ``__rich_console__`` and ``_repr_html_``.

    Parameters
    ----------
    parts : callable (object, columns of the terminal) -> iterator
        Gives what is printed, from top to bottom.
    """

    def in_terminals(self: Any, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        yield from parts(self, options.max_width)

    return in_terminals, as_html


def as_record(thing: Any, *derived: str) -> dict[str, Any]:
    """Give the fields of a dataclass by their names, and properties named besides, ready for JSON.

    Parameters
    ----------
    thing : dataclass
    derived : str
        Names of its properties.

    Examples
    --------
    >>> as_record(Column("median", "median_us", note="of all readings"), "name")["name"]
    'median'
    """
    names = [*(field.name for field in fields(thing)), *derived]
    return {name: _plain(getattr(thing, name)) for name in names}


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return as_record(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def time_text(time: float | None) -> str:
    """Write a time; nothing where there is none.

    Examples
    --------
    >>> time_text(1234.5), time_text(None)
    ('1,234.50', '')
    """
    return "" if time is None else f"{time:,.2f}"


def count_text(count: int | None) -> str:
    """Write a count; nothing where there is none.

    Examples
    --------
    >>> count_text(12345), count_text(0)
    ('12,345', '')
    """
    return f"{count:,}" if count else ""
