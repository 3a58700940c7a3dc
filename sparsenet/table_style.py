"""One style for all tables: their rules, and what they leave out where there is little room."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.measure import Measurement
    from rich.table import Column, Table

__all__ = ["fitted", "middle_left_out", "ruled"]

T = TypeVar("T")


def ruled(title: str = "", left: Sequence[str] = (), right: Sequence[str] = (), caption: str = "") -> "Table":
    """Begin a table: a line below its headings, texts on the left, which may fold, then numbers, which may not.

    Parameters
    ----------
    title, caption : str
        Above and below it, with rich's markup.
    left, right : sequence of str
        Headings of columns, in this order.

    Returns
    -------
    rich.table.Table

    Examples
    --------
    >>> [column.justify for column in ruled("Layers", ["layer"], ["µs"]).columns]
    ['left', 'right']
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title or None, caption=caption or None, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.title_justify = table.caption_justify = "left"
    for heading in left:
        table.add_column(heading, overflow="fold")
    for heading in right:
        table.add_column(heading, justify="right", no_wrap=True, overflow="fold")
    return table


def fitted(table: "Table", columns: int, spare: Sequence[str]) -> "Table":
    """Take columns out of a table, by their headings and in this order, until it fits; its caption names them.

    Parameters
    ----------
    table : rich.table.Table
    columns : int
        Of the terminal.
    spare : sequence of str
        Headings of the columns that can be spared, first to last.

    Examples
    --------
    >>> table = ruled(left=["layer"], right=["median", "min"])
    >>> [column.header for column in fitted(table, 12, ["min"]).columns]
    ['layer', 'median']
    """
    spared: list[str] = []
    for heading in spare:
        if _least_width(table) <= columns:
            break
        table.columns = [column for column in table.columns if column.header != heading]
        for place, column in enumerate(table.columns):
            column._index = place  # by which rich knows the first and the last, that it pads otherwise
        spared.append(" ".join(heading.split()))
    fits = _least_width(table) <= columns
    for column in table.columns:
        if not fits and not column.no_wrap:
            column.min_width = None  # words must be cut
        elif column.min_width == _measured(column).maximum:
            column.no_wrap = True  # or rich would take room from it, and cut the table where it cannot
    if spared:
        said = f"Wider terminals, and --json, show more: {'; '.join(spared)}."
        table.caption = f"{table.caption}\n{said}" if table.caption else said
    return table


def _least_width(table: "Table") -> int:
    """Measure a table with its texts folded between words, and its numbers whole."""
    from rich.console import Console
    from rich.measure import Measurement

    for column in table.columns:
        measured = _measured(column)
        column.min_width = measured.maximum if column.no_wrap else measured.minimum
    console = Console(width=10_000)
    return Measurement.get(console, console.options, table).minimum


def _measured(column: "Column") -> "Measurement":
    from rich.console import Console
    from rich.measure import measure_renderables

    console = Console(width=10_000)
    return measure_renderables(console, console.options, [column.header, *column.cells, column.footer])


def middle_left_out(rows: Sequence[T], most: int) -> tuple[Sequence[T], int, Sequence[T]]:
    """Cut out the middle of a long list: its first rows, how many are left out, its last.

    Examples
    --------
    >>> middle_left_out(range(10), 4), middle_left_out("ab", 4)
    ((range(0, 2), 6, range(8, 10)), ('ab', 0, ''))
    """
    if len(rows) <= most:
        return rows, 0, rows[:0]
    ends = most // 2
    return rows[:ends], len(rows) - 2 * ends, rows[-ends:]
