"""What caches are worth, as tables and in words."""

from collections.abc import Callable, Iterator, Mapping
from math import ceil, sqrt
from typing import TYPE_CHECKING

from sparsenet.machine.summary import hardware_line
from sparsenet.renderer import Column, laid_out
from sparsenet.tables import HTML_WIDTH, as_size, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from sparsenet.bench.studies.residency import Residency, ResidencyRow

__all__ = ["gains_table", "residency_lines", "residency_parts", "residency_table"]

Cells = Mapping[str, "ResidencyRow"]
Subjects = dict[tuple[str, str], dict[int, dict[str, "ResidencyRow"]]]
"""Rows by network or layer and how it is computed, by cores, by condition."""


WIDE = 78
"""Columns of a terminal that has room for weights, and for ratios beside the times."""


def residency_parts(found: "Residency", width: int) -> "Iterator[RenderableType]":
    """Give what is printed, from top to bottom: times, gains where there are some, what they mean."""
    yield residency_table(found, width)
    yield from [gains] if (gains := gains_table(found, width)) else []
    yield "\n".join(map(printable, residency_lines(found)))


def residency_table(found: "Residency", columns: int = HTML_WIDTH) -> "Table":
    """Lay out each network and layer: a line for one core and one for all, a column for each condition.

    Parameters
    ----------
    found : Residency
    columns : int
        Of the terminal; with fewer than :data:`WIDE` weights and ratios are left out.

    Returns
    -------
    rich.table.Table
    """
    wide = columns >= WIDE
    text = _time_and_ratio if wide else _time
    rows = []
    for (what, kind), by_cores in _subjects(found).items():
        size_bytes = next(iter(by_cores[min(by_cores)].values())).weight_bytes
        weights = [f"{as_size(size_bytes)}\n{_home(found, size_bytes)}"] * wide
        rows.append([_name(what, kind), *weights, *_cells(found, by_cores, text)])
    title = "µs a sample, median" + "; x: times the hot one" * wide
    return laid_out(title, _columns(found, Column("weights"), shown=wide), rows, columns)


def gains_table(found: "Residency", columns: int = HTML_WIDTH) -> "Table | None":
    """Lay out how many times slower the dense layers and the other networks are, under the same conditions.

    Parameters
    ----------
    found : Residency
    columns : int
        Of the terminal.

    Returns
    -------
    rich.table.Table or None
        None where nothing can be compared.
    """
    rows = []
    for own, slower, by_cores in _comparisons(_subjects(found)):
        than = "dense" if slower[1] == "dense" else _name(*slower)
        gains = _cells(found, by_cores, lambda gain, _: f"{gain:,.{int(gain < 100)}f}")
        rows.append([_name(*own), than, *gains])
    title = "Times faster under the same condition: what is only cache would vanish when cold"
    return laid_out(title, _columns(found, Column("than", words=True)), rows, columns) if rows else None


def residency_lines(found: "Residency") -> Iterator[str]:
    """Say what the conditions mean, how much of the speed is cache, and on what that was measured."""
    yield from (f"{condition.name}: {condition.text}." for condition in found.conditions)
    yield (
        "Below the size of the weights: the nearest level that holds them. Code stays where it is when memory is "
        "flushed; reading other memory displaces code too."
        + " On several cores nothing is flushed: that would take the weights from all of them at once."
        * any(row.cores > 1 for row in found.rows)
    )
    worth = [_worth(what, by_cores) for (what, kind), by_cores in _subjects(found).items() if kind == "network"]
    if any(worth):
        yield f"On one core caches are worth, at most, a factor of {', '.join(filter(None, worth))}."
    yield from _larger(found)
    yield f"Measured on {hardware_line(found.machine, found.usable_cores, found.memory)}."


def _columns(found: "Residency", second: Column, shown: bool = True) -> list[Column]:
    """Describe the columns; conditions between the hottest and the coldest can be spared."""
    last = len(found.conditions) - 1
    conditions = [
        Column(condition.name.replace(" ", "\n"), spare=place if 0 < place < last else 0)
        for place, condition in enumerate(found.conditions)
    ]
    return [Column("network or layer", words=True), *[second] * shown, Column("cores"), *conditions]


def _cells(found: "Residency", by_cores: Mapping[int, Mapping[str, object]], text: Callable[..., str]) -> Iterator[str]:
    """Write a cell of a line for each number of cores: the cores, then one cell for each condition."""
    yield "\n".join(map(str, by_cores))
    for place, condition in enumerate(found.conditions):
        lines = (cells.get(condition.name) for cells in by_cores.values())
        yield "\n".join("" if cell is None else text(cell, place) for cell in lines)


def _time_and_ratio(row: "ResidencyRow", place: int) -> str:
    return _time(row, place) if place == 0 else f"{_time(row, place)} x{row.times_hot:.1f}"


def _time(row: "ResidencyRow", place: int) -> str:
    if row.median_us >= 100_000:
        return f"{row.median_us / 1_000:,.0f} ms"
    return f"{row.median_us:,.{int(row.median_us < 100)}f}"


def _comparisons(subjects: Subjects) -> Iterator[tuple[tuple[str, str], tuple[str, str], dict[int, dict[str, float]]]]:
    """Compare the first network with the others, and each layer that is sparse twice with the dense one."""
    networks = [key for key in subjects if key[1] == "network"]
    pairs = [(networks[0], other) for other in networks[1:]]
    pairs += [(key, (key[0], "dense")) for key in subjects if key[1] not in ("network", "dense")]
    for own, slower in pairs:
        if slower in subjects:
            yield own, slower, {cores: _gains(cells, subjects[slower][cores]) for cores, cells in subjects[own].items()}


def _gains(own: Cells, slower: Cells) -> dict[str, float]:
    return {name: slower[name].median_us / max(row.median_us, 1e-3) for name, row in own.items()}


def _worth(what: str, by_cores: Mapping[int, Cells]) -> str:
    """Say what the caches are worth to a network: its slowest condition against the hot one."""
    others = list(by_cores.get(1, {}).values())[1:]
    if not others:
        return ""
    worst = max(others, key=lambda row: row.times_hot)
    return f"{max(1.0, worst.times_hot):.1f} to {what} ({worst.condition})"


def _larger(found: "Residency") -> Iterator[str]:
    """Say so where no weights are larger than the last cache, and which layer's would be."""
    last_bytes = found.machine.last_cache_bytes
    if last_bytes and all(row.weight_bytes <= last_bytes for row in found.rows):
        size = 1024 * ceil(sqrt(1.1 * last_bytes / 4) / 1024)
        yield (
            f"No weights here are larger than the last cache of {as_size(last_bytes)}; those of a dense linear layer "
            f"{size} x {size} would be ({as_size(4 * size * size)}: --sizes {size}, sizes=)."
        )


def _home(found: "Residency", size_bytes: int) -> str:
    here = found.machine
    caches = ("L1", here.l1d_bytes), ("L2", here.l2_bytes), ("L3", here.l3_bytes)
    return next((name for name, holds in caches if holds and size_bytes <= holds), "memory")


def _subjects(found: "Residency") -> Subjects:
    subjects: Subjects = {}
    for row in found.rows:
        subjects.setdefault((row.what, row.kind), {}).setdefault(row.cores, {})[row.condition] = row
    return subjects


def _name(what: str, kind: str) -> str:
    return printable(what if kind == "network" else f"{what}, {kind}")
