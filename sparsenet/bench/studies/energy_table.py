"""What a word costs, beside what others have said of other hardware: as a table and in words."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sparsenet.bench.studies.published import COUNTED, DAY_S, ESTIMATED, FIGURES, LIFETIME_S, Figure
from sparsenet.machine.summary import here_line
from sparsenet.renderer import Column, laid_out
from sparsenet.tables import HTML_WIDTH, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from sparsenet.bench.studies.energy import Energy

__all__ = ["energy_lines", "energy_parts", "energy_table"]

COLUMNS = (
    *(Column("where", words=True), Column("words/s"), Column("days/s", note="days of sound heard in a second")),
    *(Column("µJ\na word"), Column("lifetime\nin s", spare=2), Column("lifetime\nin Wh", spare=1)),
    Column("standing", words=True),
)
LEAST_CORE = 0.9
"""A run on one core that had less of it than this was disturbed."""


def energy_parts(found: "Energy", width: int) -> "Iterator[RenderableType]":
    """Give what is printed of one run: the table, and where its joules come from."""
    yield energy_table([found], width)
    yield "\n".join(map(printable, energy_lines([found])))


def energy_table(found: Sequence["Energy"], columns: int = HTML_WIDTH) -> "Table":
    """Lay out runs of this machine, and below them the figures of others.

    Parameters
    ----------
    found : sequence of Energy
    columns : int
        Of the terminal; the lifetime is left out where it has too few.

    Returns
    -------
    rich.table.Table
    """
    rows = [_cells(one) for one in found] + [_figure_cells(figure) for figure in FIGURES]
    return laid_out("What a word costs", COLUMNS, rows, columns, ends=lambda row, _: row is rows[len(found) - 1])


def energy_lines(found: Sequence["Energy"]) -> Iterator[str]:
    """Say where the joules come from and what cannot be compared."""
    yield f"lifetime: what somebody hears in 80 years of 12 hours a day, {LIFETIME_S:,.0f} seconds of sound."
    yield from _disturbed(found)
    yield from _ratios(found)
    yield from dict.fromkeys(line for one in found for line in _origin(one))
    yield "Published, source: " + "; ".join(figure.source for figure in FIGURES) + "."
    yield "An FPGA's watts are its board's specification, not a measurement; a chip runs many copies of the network."
    yield f"Measured on {here_line()}."


def _disturbed(found: Sequence["Energy"]) -> Iterator[str]:
    """Say which runs had less than the core that they asked for: their words a second are too few."""
    for one in found:
        cores = one.cpu_s / max(one.wall_s, 1e-9)
        if one.threads == 1 and cores < LEAST_CORE:
            yield (
                f"The machine was busy with something else: {one.name or 'the network'}, batch {one.batch}, had "
                f"{cores:.1f} of a core, so its words a second are too few."
            )


def _ratios(found: Sequence["Energy"]) -> Iterator[str]:
    """Compare the first network with each other one, called alike: words a second, and joules where they are known."""
    first = [one for one in found if one.name == found[0].name]
    for other in found:
        own = next((one for one in first if (one.batch, one.threads) == (other.batch, other.threads)), None)
        if own is None or other.name == own.name:
            continue
        more = f"{own.words_per_s / other.words_per_s:,.1f} times the words a second"
        if own.joules and other.joules:
            share = (own.joules_per_word or 0.0) / (other.joules_per_word or 1.0)
            more += f", {share:.3g} times the joules a word ({own.standing})"
        yield f"{own.name} beside {other.name}, batch {own.batch}, {_cores(own)}: {more}."


def _origin(one: "Energy") -> Iterator[str]:
    if one.standing == COUNTED:
        above = one.joules_per_word_above_idle or 0.0
        yield (
            f"Batch {one.batch}: counted by {', '.join(one.zones)}: all that they used, other programs included, idle "
            f"{one.idle_watts or 0.0:.1f} W just before; above idle {above * 1e6:,.1f} µJ a word."
        )
        return
    yield f"No energy was counted: {one.reason}."
    if one.standing == ESTIMATED:
        yield (
            f"Estimated: processor time multiplied by {one.stated_watts:g} W for each busy core, as stated by you; "
            "memory and the rest of the machine are not in it."
        )
    else:
        yield "Joules are unknown; say what one busy core draws (--watts, watts=) for an estimate."


def _cells(one: "Energy") -> list[str]:
    where = f"{printable(one.name) or 'here'}\nbatch {one.batch}, {_cores(one)}"
    each, lifetime_wh = one.joules_per_word, one.lifetime_wh
    rates = f"{one.words_per_s:,.0f}", f"{one.days_per_s:,.2f}"
    return [where, *rates, _micro(each), f"{one.lifetime_s:,.0f}", _amount(lifetime_wh), one.standing]


def _cores(one: "Energy") -> str:
    return f"{one.threads} core{'s' * (one.threads > 1)}"


def _figure_cells(figure: Figure) -> list[str]:
    each = figure.joules_per_word
    lifetime_wh = None if each is None else each * LIFETIME_S / 3_600
    numbers = (
        *(f"{figure.words_per_s:,.0f}", f"{figure.words_per_s / DAY_S:,.2f}", _micro(each)),
        *(f"{LIFETIME_S / figure.words_per_s:,.0f}", _amount(lifetime_wh)),
    )
    return [figure.what, *numbers, figure.standing]


def _micro(joules: float | None) -> str:
    return "unknown" if joules is None else f"{joules * 1e6:,.1f}"


def _amount(number: float | None) -> str:
    return "unknown" if number is None else f"{number:,.1f}"
