"""Print Python source: highlighted, with long lines folded below their own indent."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

__all__ = ["PythonSource"]

HANGING = 4
"""Columns by which the rest of a folded line is indented further."""


@dataclass(frozen=True)
class PythonSource:
    """Python source that prints itself.

    Attributes
    ----------
    code : str
    """

    code: str

    def highlighted(self) -> "Text":
        """Give the source in the terminal's own colours, which suit light and dark ones."""
        from rich.syntax import Syntax

        text = Syntax(self.code, "python", theme="ansi_light", background_color="default").highlight(self.code)
        text.rstrip()
        return text

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        for line in self.highlighted().split("\n", allow_blank=True):
            yield from _folded(line, options.max_width)


def _folded(line: "Text", columns: int) -> "Iterator[Text]":
    """Cut a line at spaces; what does not fit goes on in the next, indented further than the line itself."""
    from rich.text import Text

    own = len(line.plain) - len(line.plain.lstrip())
    indent = " " * min(own + HANGING, columns // 2)
    while len(line) > columns:
        begin = len(line.plain) - len(line.plain.lstrip())
        at = line.plain.rfind(" ", begin, columns)
        at = columns - 1 if at <= begin else at
        first, rest = line.divide([at + 1])
        first.rstrip()
        yield first
        line = Text.assemble(indent, rest)
    yield line
