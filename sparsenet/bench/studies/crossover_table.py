"""A map of winners as tables: one for each size and batch, a letter for each kernel."""

from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

from sparsenet.bench.studies.crossover_cells import DENSE
from sparsenet.renderer import Column, laid_out
from sparsenet.tables import as_share, plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from sparsenet.bench.studies.crossover import Crossover, CrossoverCell

__all__ = ["crossover_parts", "panels"]

COLOURS = "cyan", "green", "yellow", "magenta", "blue", "red"


def panels(found: "Crossover") -> dict[tuple[int, int], list["CrossoverCell"]]:
    """Group the places of a map by size and batch."""
    grouped: dict[tuple[int, int], list[CrossoverCell]] = {}
    for cell in found.cells:
        grouped.setdefault((cell.size, cell.batch), []).append(cell)
    return grouped


def crossover_parts(found: "Crossover", width: int) -> "Iterator[RenderableType]":
    """Give what is printed, from top to bottom: what the letters stand for, a table for each size and batch."""
    from rich.text import Text

    how = "measured" if found.measured else "predicted"
    yield Text(
        f"The fastest kernel for a linear layer, {found.dtype}, {found.family} masks, and how many times as long the "
        f"dense kernel takes; {how}, one core of {plain(found.machine)}"
    )
    letters = _letters(found)
    for name, letter in letters.items():
        yield Text(f"{letter}  {name}", style=_style(letters, name))
    for (size, batch), cells in panels(found).items():
        yield _panel(f"{size:,} x {size:,}, {batch:,} in a call", cells, letters)


def _letters(found: "Crossover") -> dict[str, str]:
    """Give each kernel that wins anywhere a letter; the dense one is a dot."""
    others = [name for name in found.winners if name != DENSE]
    letters = {name: ascii_uppercase[place % 26] for place, name in enumerate(others)}
    return letters | ({DENSE: "·"} if DENSE in found.winners else {})


def _style(letters: dict[str, str], name: str) -> str:
    return "dim" if name == DENSE else COLOURS[list(letters).index(name) % len(COLOURS)]


def _panel(title: str, cells: Sequence["CrossoverCell"], letters: dict[str, str]) -> "Table":
    densities = list(dict.fromkeys(cell.density for cell in cells))
    by_place = {(cell.active, cell.density): cell for cell in cells}
    rows = [
        [as_share(active), *(_mark(by_place[active, density], letters) for density in densities)]
        for active in dict.fromkeys(cell.active for cell in cells)
    ]
    return laid_out(title, [Column("active\\kept"), *map(Column, map(as_share, densities))], rows, None)


def _mark(cell: "CrossoverCell", letters: dict[str, str]) -> str:
    return f"[{_style(letters, cell.winner)}]{letters[cell.winner]} {cell.speedup:,.1f}[/]"
