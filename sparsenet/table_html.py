"""Write what rich prints in terminals as HTML for notebooks; tables stay tables, on light and dark pages."""

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from sparsenet.source_view import PythonSource

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.style import Style
    from rich.table import Table
    from rich.text import Text

__all__ = ["HTML_WIDTH", "as_html"]

HTML_WIDTH = 160
"""Columns that whatever adapts to its terminal may take: notebooks scroll sideways where theirs is narrower."""

COLOURS = {
    "blue": "#4a7fd6",
    "cyan": "#1a96a5",
    "green": "#36964a",
    "magenta": "#b45ac8",
    "red": "#d65a4a",
    "yellow": "#b3841a",
}
"""Of a middling lightness, so that they can be read on white and on black."""

SOURCE_STYLE = "font-family:monospace;white-space:pre;text-align:left;overflow-x:auto"
"""Said in full, because pages have styles of their own for everything that is shown."""


def as_html(shown: "RenderableType") -> str:
    """Write a table, or anything else that prints itself, as HTML for notebooks, every character escaped.

    Parameters
    ----------
    shown : rich.console.RenderableType

    Examples
    --------
    >>> from rich.table import Table
    >>> "<th" in as_html(Table("a", "b")), "a &lt; b" in as_html("a < b")
    (True, True)
    """
    return "".join(_parts(shown))


def _parts(shown: Any) -> Iterator[str]:
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text

    if isinstance(shown, Table):
        yield _table(shown)
    elif isinstance(shown, PythonSource | Syntax):
        inside = _text(PythonSource(shown.code).highlighted(), lines="\n")
        yield f'<pre style="{SOURCE_STYLE}"><code style="{SOURCE_STYLE}">{inside}</code></pre>'
    elif isinstance(shown, str | Text):
        yield f"<div>{_text(shown)}</div>"
    elif hasattr(shown, "__rich__"):
        yield from _parts(shown.__rich__())
    else:
        yield from _printed(shown)


def _printed(shown: Any) -> Iterator[str]:
    """Ask an object that prints itself, such as a group, for its parts."""
    from rich.console import Console

    console = Console(width=HTML_WIDTH)
    for part in shown.__rich_console__(console, console.options):
        yield from _parts(part)


def _table(table: "Table") -> str:
    """Write a table. One without numbers needs no alignment and keeps the style of its page."""
    columns = table.columns
    title = f"<div>{_text(table.title)}</div>" if table.title else ""
    caption = f'<div style="opacity:.75">{_text(table.caption)}</div>' if table.caption else ""
    aligned = [f"text-align:{column.justify if column.justify == 'right' else 'left'}" for column in columns]
    head = _row("th", [column.header for column in columns], aligned) if table.show_header else ""
    foot = _row("th", [column.footer for column in columns], aligned) if table.show_footer else ""
    rows = zip(table.rows, zip(*(column.cells for column in columns), strict=True), strict=True) if columns else ()
    body = "".join(_row("td", cells, aligned, row.style, row.end_section) for row, cells in rows)
    parts = ((f"<{name}>{inside}</{name}>" if inside else "") for name, inside in _named(head, body, foot))
    return f'{title}<div style="overflow-x:auto"><table>{"".join(parts)}</table></div>{caption}'


def _named(head: str, body: str, foot: str) -> tuple[tuple[str, str], ...]:
    return ("thead", head), ("tbody", body), ("tfoot", foot)


def _row(tag: str, cells: Any, aligned: list[str], style: Any = None, ends: bool = False) -> str:
    line = ' style="border-bottom:1px solid"' if ends else ""
    written = (
        f'<{tag} style="{align}">{_text(cell, style)}</{tag}>' for cell, align in zip(cells, aligned, strict=True)
    )
    return f"<tr{line}>{''.join(written)}</tr>"


def _text(shown: "str | Text | Any", style: Any = None, lines: str = "<br>") -> str:
    """Write a cell or a line, with rich's markup where it is a string."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    text = Text.from_markup(shown) if isinstance(shown, str) else shown.copy()
    if style:
        text.stylize_before(style)
    segments = text.render(console)
    return "".join(_styled(escape(part), how) for part, how, _ in segments).replace("\n", lines)


def _styled(text: str, style: "Style | None") -> str:
    if style is None or not text:
        return text
    colour = COLOURS.get(style.color.name) if style.color is not None else None
    says = [f"color:{colour}"] * bool(colour) + ["opacity:.6"] * bool(style.dim)
    text = f"<b>{text}</b>" if style.bold else text
    text = f"<i>{text}</i>" if style.italic else text
    return f'<span style="{";".join(says)}">{text}</span>' if says else text
