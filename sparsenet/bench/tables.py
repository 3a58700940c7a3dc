"""Races and sweeps as tables, with what a fair reader must know below them."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from sparsenet.bench.contenders import LeftOut
from sparsenet.bench.layer_ways import CASES, NUMPY, ONNX, SCIPY
from sparsenet.bench.layers import LayerRow, Sweep, best_row, cells_of
from sparsenet.bench.race import Race, RaceRow
from sparsenet.bench.surroundings import Surroundings
from sparsenet.lowering.own_kernels import is_own
from sparsenet.table_style import fitted, ruled
from sparsenet.tables import printable
from sparsenet_kernels.queries import find_kernel

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["own_table", "race_footnotes", "race_table", "sweep_footnotes", "sweep_table"]


WIDE = 140
"""Columns of a terminal that has room for everything."""

CASE_HEADINGS = tuple(case.replace(" ", "\n") for case in CASES)


def race_table(found: Race, columns: int = WIDE) -> "Table":
    """Lay a race out: a block for each batch and number of threads.

    Parameters
    ----------
    found : Race
    columns : int
        Of the terminal; some numbers are left out where it has too few.

    Returns
    -------
    rich.table.Table
    """
    title = f"{printable(found.model)}: µs a sample; each block is one interleaved run"
    numbers = "median", "min", "p90", "p99", "samples/s", "ratio", "cores", "same", "error"
    table = ruled(title, ("batch", "threads", "network", "engine"), numbers)
    for i, row in enumerate(found.rows):
        following = found.rows[i + 1 : i + 2]
        ends = any((row.batch, row.threads) != (one.batch, one.threads) for one in following)
        table.add_row(*_race_cells(row), end_section=ends)
    return fitted(table, columns, ("p90", "cores", "p99", "samples/s", "error", "same", "median"))


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
        *_measured_on(found.info),
    ]


def sweep_table(found: Sweep, columns: int = WIDE) -> "Table":
    """Lay a sweep out: the best kernel of every case beside the libraries.

    Parameters
    ----------
    found : Sweep
    columns : int
        Of the terminal; some numbers are left out where it has too few.

    Returns
    -------
    rich.table.Table
    """
    title = "µs a sample, median; beside each time who computes, or how the weights lie"
    numbers = "kept", "batch", "dense\npeer", SCIPY.replace(" ", "\n"), *CASE_HEADINGS, "by\nboth", "peer /\nbest"
    table = ruled(title, ("shape", "mask"), numbers)
    for (shape, mask, density, active, batch), rows in cells_of(found).items():
        table.add_row(shape, mask, f"{density:g} x {active:g}", str(batch), *_sweep_cells(rows))
    dense, weights, activations, _ = CASE_HEADINGS
    spare = SCIPY.replace(" ", "\n"), activations, weights, "by\nboth", dense, "kept"
    return fitted(table, columns, spare)


def _sweep_cells(rows: Sequence[LayerRow]) -> tuple[str, ...]:
    best = {case: best_row(rows, case) for case in CASES}
    csr, dense_peers = best_row(rows, SCIPY), (best_row(rows, NUMPY), best_row(rows, ONNX))
    dense_peer = min((row for row in dense_peers if row is not None), key=_median_us, default=None)
    return (
        _time_and_name(dense_peer, lambda row: row.kernel),
        _time_and_name(csr, lambda row: ""),
        *(_time_and_name(row, lambda row: find_kernel(row.kernel).weights) for row in best.values()),
        _ratio([best["dense"]], [best["both"]]),
        _ratio([dense_peer, csr], best.values()),
    )


def own_table(found: Sweep, columns: int = WIDE) -> "Table":
    """Lay out the kernels that were registered elsewhere, each beside the fastest of its case; no rows without any.

    Parameters
    ----------
    found : Sweep
    columns : int
        Of the terminal.

    Returns
    -------
    rich.table.Table
    """
    numbers = "kept", "batch", "median", "fastest\nof its case", "times as\nlong"
    table = ruled("Kernels of your own", ("shape", "mask", "kernel"), numbers)
    for (shape, mask, density, active, batch), rows in cells_of(found).items():
        for row in filter(lambda row: is_own(row.kernel), rows):
            best = best_row(rows, row.case) or row
            times = f"{_median_us(row):,.2f}", f"{_median_us(best):,.2f}", f"{_median_us(row) / _median_us(best):,.2f}"
            table.add_row(shape, mask, row.kernel, f"{density:g} x {active:g}", str(batch), *times)
    return fitted(table, columns, ("kept", "fastest\nof its case"))


def _median_us(row: LayerRow) -> float:
    return row.timing.median_us


def _time_and_name(row: LayerRow | None, name: Callable[[LayerRow], str]) -> str:
    return "" if row is None else f"{_median_us(row):,.1f} {name(row)[:5]}".rstrip()


def _ratio(slow: Iterable[LayerRow | None], fast: Iterable[LayerRow | None]) -> str:
    """Divide the shortest time of the ones by the shortest of the others; nothing where either are missing."""
    times_us = [min((_median_us(row) for row in rows if row is not None), default=0.0) for rows in (slow, fast)]
    return f"{times_us[0] / times_us[1]:,.1f}" if all(times_us) else ""


def sweep_footnotes(found: Sweep) -> list[str]:
    """Say what is not equal, what was left out, and on which machine."""
    return [
        "kept: of the weights, and active of the inputs. by both: the best dense kernel here over the best that skips "
        "zeros of both. peer / best: the fastest library over the fastest of all kernels. numpy, onnxr(untime), dense, "
        "csr, csc, block(s), compl(ementary): who computes, or how the weights lie in memory.",
        *(f"Note: {text}." for text in found.notes),
        *_left_out(found.left_out),
        *_measured_on(found.info),
    ]


def _left_out(absent: Iterable[LeftOut]) -> list[str]:
    """Say who is missing and why, those with one reason in one line."""
    reasons: dict[str, list[str]] = {}
    for one in absent:
        reasons.setdefault(one.why, []).append(one.who)
    return [f"Left out, {why}: {', '.join(who)}." for why, who in reasons.items()]


def _measured_on(where: Surroundings) -> list[str]:
    first, *others = where.lines()
    return [f"Measured on {first}", *others]
