"""What caches are worth, as a table and in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparsenet.insight.residency import Residency, ResidencyRow
from sparsenet.tables import as_size, printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["residency_lines", "residency_table"]

Groups = dict[tuple[str, str, int], dict[str, ResidencyRow]]

WIDE = 110
"""Columns of a terminal that has room for a time and its ratio on one line."""


def residency_table(found: Residency, columns: int = WIDE) -> "Table":
    """Lay out each network and layer, a line for one core and one for all, a column for each condition.

    Parameters
    ----------
    found : Residency
    columns : int
        Of the terminal.

    Returns
    -------
    rich.table.Table
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = "µs a word, median, and how many times the hot one"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("network or layer", overflow="fold", min_width=14)
    for heading in ("weights", "cores"):
        table.add_column(heading, justify="right", no_wrap=True)
    for condition in found.conditions:
        table.add_column(condition.name, justify="right")
    for (what, kind, cores), rows in _grouped(found).items():
        size = as_size(next(iter(rows.values())).weight_bytes)
        between = "  " if columns >= WIDE else "\n"
        cells = (_cell(rows.get(condition.name), between) for condition in found.conditions)
        table.add_row(printable(_name(what, kind)), size, str(cores), *cells)
    return table


def residency_lines(found: Residency) -> Iterator[str]:
    """Say what the conditions mean, how much of the speed is cache, and on what that was measured."""
    for condition in found.conditions:
        yield f"{condition.name}: {condition.text}."
    if any(row.cores > 1 for row in found.rows) and any(condition.flushes for condition in found.conditions):
        yield "On several cores nothing is flushed: flushing would take the weights from all of them at once."
    yield "Code stays where it is when memory is flushed; reading other memory displaces code too."
    yield from _verdicts(found)
    here = found.machine
    caches = (("L1d", here.l1d_bytes), ("L2", here.l2_bytes), ("L3", here.l3_bytes))
    yield from (_larger(found, name, size) for name, size in caches[1:] if size)
    yield f"caches: {', '.join(f'{name} {as_size(size)}' for name, size in caches)}; usable cores: {found.usable_cores}"
    yield from found.memory.lines()


def _larger(found: Residency, cache: str, size_bytes: int) -> str:
    """Say whose weights no cache of this size can hold."""
    names = dict.fromkeys(_name(row.what, row.kind) for row in found.rows if row.weight_bytes > size_bytes)
    listed = ", ".join(names) or "none here; how such a one would fare, the colder columns show"
    return f"weights larger than the {cache} of {as_size(size_bytes)}: {listed}."


def _verdicts(found: Residency) -> Iterator[str]:
    groups = _grouped(found)
    for (what, kind, cores), rows in groups.items():
        hot, *others = rows.values()
        if not others or cores > 1:
            continue
        worst = max(others, key=lambda row: row.median_us)
        yield (
            f"{_name(what, kind)}: {hot.median_us:,.1f} µs a word hot, {worst.median_us:,.1f} at worst "
            f"({worst.condition}): caches are worth a factor of {worst.times_hot:.1f} on one core."
        )
    yield from _comparisons(groups)


def _comparisons(groups: Groups) -> Iterator[str]:
    """Compare under the same conditions: a gain that is only cache would vanish when cold."""
    single = {(what, kind): rows for (what, kind, cores), rows in groups.items() if cores == 1}
    networks = [(key, rows) for key, rows in single.items() if key[1] == "network"]
    for (other, _), rows in networks[1:]:
        (first, _), own = networks[0]
        yield f"{first}: faster than {other} under the same condition by a factor of {_gains(own, rows)}."
    for (what, kind), rows in single.items():
        if kind != "dense" and (dense := single.get((what, "dense"))):
            gains = _gains(rows, dense)
            yield f"{what}, {kind}: faster than dense under the same condition by a factor of {gains}."


def _gains(rows: dict[str, ResidencyRow], slower: dict[str, ResidencyRow]) -> str:
    return ", ".join(f"{slower[name].median_us / max(row.median_us, 1e-3):.1f} ({name})" for name, row in rows.items())


def _grouped(found: Residency) -> Groups:
    groups: Groups = {}
    for row in found.rows:
        groups.setdefault((row.what, row.kind, row.cores), {})[row.condition] = row
    return groups


def _name(what: str, kind: str) -> str:
    return what if kind == "network" else f"{what}, {kind}"


def _cell(row: ResidencyRow | None, between: str) -> str:
    return "" if row is None else f"{row.median_us:,.1f}{between}x{row.times_hot:.1f}"
