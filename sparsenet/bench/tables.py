"""Races and sweeps as tables, with what a fair reader must know below them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sparsenet.bench.contenders import LeftOut
from sparsenet.bench.layers import CASES, NUMPY, SCIPY, LayerRow, Sweep
from sparsenet.bench.race import Race, RaceRow
from sparsenet.bench.surroundings import Surroundings
from sparsenet.tables import as_share, printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["race_footnotes", "race_table", "sweep_footnotes", "sweep_table"]


def race_table(found: Race) -> "Table":
    """Lay a race out: a block for each batch and number of threads.

    Parameters
    ----------
    found : Race

    Returns
    -------
    rich.table.Table
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"{printable(found.model)}: µs a sample; each block is one interleaved run"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in ("batch", "threads"):
        table.add_column(heading, justify="right")
    for heading in ("network", "engine"):
        table.add_column(heading)
    for heading in ("median", "min", "p90", "p99", "samples/s", "ratio", "cores", "same", "error"):
        table.add_column(heading, justify="right")
    for i, row in enumerate(found.rows):
        following = found.rows[i + 1 : i + 2]
        ends = any((row.batch, row.threads) != (one.batch, one.threads) for one in following)
        table.add_row(*_race_cells(row), end_section=ends)
    return table


def _race_cells(row: RaceRow) -> tuple[str, ...]:
    timing = row.timing
    times = (timing.median_us, timing.minimum_us, timing.p90_us, timing.p99_us)
    return (
        str(row.batch),
        str(row.threads),
        row.role,
        f"{row.engine} {row.dtype}",
        *(f"{time_us / row.batch:,.1f}" for time_us in times),
        f"{row.samples_per_s:,.0f}",
        f"{row.times_the_first:.2f}",
        f"{row.cores_busy:.1f}",
        f"{row.same_answer}/{row.of}",
        f"{row.largest_error:.0e}",
    )


def race_footnotes(found: Race) -> list[str]:
    """Say what the columns mean, what is not equal, who is missing, and on which machine."""
    return [
        "ratio: a row's shortest time over that of the first row of its block. cores: processor time over time.",
        "same: inputs whose largest output is where the float64 reference of the same network has it. error: the "
        "largest difference from that reference, over its largest size; k-winners that nearly tie make it jump.",
        f"{found.samples} different inputs took turns.",
        *(f"Not equal: {text}." for text in found.unequal),
        *_left_out(found.left_out),
        *_measured_on(found.surroundings),
    ]


def sweep_table(found: Sweep) -> "Table":
    """Lay a sweep out: the best kernel of every case beside NumPy and SciPy.

    Parameters
    ----------
    found : Sweep

    Returns
    -------
    rich.table.Table
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"µs a sample, median; batch {found.batch}; the best kernel's weights format beside its time"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("shape", no_wrap=True)
    for heading in ("density", "active", NUMPY, SCIPY, *CASES, "dense / best", "numpy / best"):
        table.add_column(heading, justify="right")
    for cell in dict.fromkeys((row.shape, row.density, row.active) for row in found.rows):
        table.add_row(*_sweep_cells(cell, [row for row in found.rows if (row.shape, row.density, row.active) == cell]))
    return table


def _sweep_cells(cell: tuple[str, float, float], rows: Sequence[LayerRow]) -> tuple[str, ...]:
    shape, density, active = cell
    library = {row.kernel: row.timing.median_us for row in rows if row.kernel in (NUMPY, SCIPY)}
    best = {case: _best(rows, case) for case in CASES}
    times = {case: one.timing.median_us for case, one in best.items() if one is not None}
    return (
        shape,
        as_share(density),
        as_share(active),
        *(f"{library[name]:,.1f}" if name in library else "" for name in (NUMPY, SCIPY)),
        *("" if one is None else f"{times[case]:,.1f} {one.kernel.split('_')[2][:5]}" for case, one in best.items()),
        _ratio(times.get("dense"), min(times.values(), default=None)),
        _ratio(library.get(NUMPY), min(times.values(), default=None)),
    )


def _best(rows: Iterable[LayerRow], case: str) -> LayerRow | None:
    kernels = [row for row in rows if row.case == case and row.kernel not in (NUMPY, SCIPY)]
    return min(kernels, key=lambda row: row.timing.median_us, default=None)


def _ratio(time_us: float | None, other_us: float | None) -> str:
    return "" if time_us is None or other_us is None else f"{time_us / other_us:,.1f}"


def sweep_footnotes(found: Sweep) -> list[str]:
    """Say what is not equal, what was left out, and on which machine."""
    return [
        "best: of all kernels, as a layer with zeros of both kinds may run any. dense, csr, csc, compl(ementary): how "
        "the weights lie in memory.",
        *(f"Note: {text}." for text in found.notes),
        *_left_out(found.left_out),
        *_measured_on(found.surroundings),
    ]


def _left_out(absent: Iterable[LeftOut]) -> list[str]:
    return [f"Left out: {one.who}: {one.why}." for one in absent]


def _measured_on(where: Surroundings) -> list[str]:
    first, *others = where.lines()
    return [f"Measured on {first}", *others]
