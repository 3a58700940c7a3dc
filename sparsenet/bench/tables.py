"""Comparisons and sweeps as tables, with what a fair reader must know below them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sparsenet.bench.compare import Comparison, LeftOut, Row
from sparsenet.bench.layer_ways import CASES, LIBRARIES, NUMPY, ONNX, SCIPY
from sparsenet.bench.layers import LayerRow, Sweep, best_row, cells_of
from sparsenet.bench.surroundings import Surroundings
from sparsenet.lowering.own_kernels import is_own
from sparsenet.renderer import Column, laid_out, time_text
from sparsenet.tables import printable
from sparsenet_kernels.queries import find_kernel

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["comparison_footnotes", "comparison_table", "own_table", "sweep_footnotes", "sweep_table"]

WIDE = 140
"""Columns of a terminal that has room for everything."""

COMPARED = (
    Column("batch", lambda row: str(row.batch), words=True),
    Column("threads", lambda row: str(row.threads), words=True),
    Column("network", "network", words=True),
    Column("engine", lambda row: f"{row.engine} {row.dtype}", words=True),
    Column("median", lambda row: _us(row.sample_timing.median_us), spare=7),
    Column("min", lambda row: _us(row.sample_timing.minimum_us)),
    Column("p90", lambda row: _us(row.sample_timing.p90_us), spare=1),
    Column("p99", lambda row: _us(row.sample_timing.p99_us), spare=3),
    Column("samples/s", lambda row: f"{row.samples_per_s:,.0f}", spare=4),
    Column(
        "ratio",
        lambda row: f"{row.times_the_first:.2f}",
        note="a row's shortest time over that of the first row of its block",
    ),
    Column("cores", lambda row: f"{row.cores_busy:.1f}", spare=2, note="processor time over time"),
    Column(
        "same",
        lambda row: f"{row.right}/{row.of}",
        spare=6,
        note="inputs whose largest output is where the float64 reference of the same network has it",
    ),
    Column(
        "error",
        lambda row: "" if row.largest_error is None else f"{row.largest_error:.0e}",
        spare=5,
        note="the largest difference from that reference, over its largest size; k-winners that nearly tie raise it",
    ),
)


def comparison_table(found: Comparison, columns: int = WIDE) -> "Table":
    """Lay a comparison out: a block for each batch and number of threads.

    Parameters
    ----------
    found : Comparison
    columns : int
        Of the terminal; some numbers are left out where it has too few.

    Returns
    -------
    rich.table.Table
    """
    title = f"{printable(found.model)}: µs a sample; each block is one interleaved run"
    return laid_out(title, COMPARED, found.rows, columns, ends=_other_block)


def _other_block(row: Row, following: Row) -> bool:
    return (row.batch, row.threads) != (following.batch, following.threads)


def _us(time_us: float) -> str:
    return f"{time_us:,.1f}"


def comparison_footnotes(found: Comparison) -> list[str]:
    """Say what is not equal, who is missing, and on which machine it was measured."""
    return [
        f"{found.samples} different inputs took turns.",
        *(f"Not equal: {text}." for text in found.unequal),
        *_left_out(found.left_out),
        *([] if found.info is None else _measured_on(found.info)),
    ]


Together = tuple[tuple[str, str, float, float, int], Sequence[LayerRow]]
"""What was measured together, and its rows."""

WHO = "numpy, onnxr(untime), dense, csr, csc, block(s), compl(ementary): who computes, or how the weights lie in memory"


OWN = (
    *(Column(heading, words=True) for heading in ("shape", "mask", "kernel")),
    Column("kept", spare=1),
    *(Column("batch"), Column("median"), Column("fastest\nof its case", spare=2), Column("times as\nlong")),
)


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
    return laid_out(title, _sweep_columns(), list(cells_of(found).items()), columns, notes=[f"{WHO}."])


def _sweep_columns() -> list[Column]:
    dense, weights, activations, both = (_case_column(case) for case in CASES)
    return [
        Column("shape", lambda cell: cell[0][0], words=True),
        Column("mask", lambda cell: cell[0][1], words=True),
        Column("kept", _kept, spare=6, note="of the weights, and active of the inputs"),
        Column("batch", lambda cell: str(cell[0][4])),
        Column("dense\npeer", lambda cell: _time_and_name(_dense_peer(cell[1]))),
        Column(SCIPY.replace(" ", "\n"), lambda cell: _time_and_name(best_row(cell[1], SCIPY), named=False), spare=1),
        *(dense, weights, activations, both),
        Column(
            "by\nboth",
            lambda cell: _ratio([best_row(cell[1], "dense")], [best_row(cell[1], "both")]),
            spare=4,
            note="the best dense kernel here over the best that skips zeros of both",
        ),
        Column(
            "peer /\nbest",
            lambda cell: _ratio(
                [_dense_peer(cell[1]), best_row(cell[1], SCIPY)], (best_row(cell[1], case) for case in CASES)
            ),
            note="the fastest library over the fastest of all kernels",
        ),
    ]


def _case_column(case: str) -> Column:
    spare = {"activations only": 2, "weights only": 3, "dense": 5}.get(case, 0)
    return Column(case.replace(" ", "\n"), lambda cell: _time_and_name(best_row(cell[1], case)), spare=spare)


def _kept(cell: Together) -> str:
    _, _, density, active, _ = cell[0]
    return f"{density:g} x {active:g}"


def _dense_peer(rows: Sequence[LayerRow]) -> LayerRow | None:
    peers = (best_row(rows, NUMPY), best_row(rows, ONNX))
    return min((row for row in peers if row is not None), key=_median_us, default=None)


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
    rows = [
        _own_cells(row, best_row(together, row.case) or row)
        for together in cells_of(found).values()
        for row in together
        if is_own(row.kernel)
    ]
    return laid_out("Kernels of your own", OWN, rows, columns)


def _own_cells(row: LayerRow, best: LayerRow) -> list[str]:
    times = (time_text(_median_us(row)), time_text(_median_us(best)), time_text(_median_us(row) / _median_us(best)))
    return [row.shape, row.mask, row.kernel, f"{row.density:g} x {row.active:g}", str(row.batch), *times]


def _median_us(row: LayerRow) -> float:
    return row.timing.median_us


def _time_and_name(row: LayerRow | None, named: bool = True) -> str:
    """Write a time, and who computes or how the weights lie, in five letters."""
    if row is None:
        return ""
    name = row.kernel if row.kernel in LIBRARIES else find_kernel(row.kernel).weights
    return f"{_us(_median_us(row))} {name[:5] if named else ''}".rstrip()


def _ratio(slow: Iterable[LayerRow | None], fast: Iterable[LayerRow | None]) -> str:
    """Divide the shortest time of the ones by the shortest of the others; nothing where either are missing."""
    times_us = [min((_median_us(row) for row in rows if row is not None), default=0.0) for rows in (slow, fast)]
    return f"{times_us[0] / times_us[1]:,.1f}" if all(times_us) else ""


def sweep_footnotes(found: Sweep) -> list[str]:
    """Say what is not equal, what was left out, and on which machine."""
    return [*(f"Note: {text}." for text in found.notes), *_left_out(found.left_out), *_measured_on(found.info)]


def _left_out(absent: Iterable[LeftOut]) -> list[str]:
    """Say who is missing and why, those with one reason in one line."""
    reasons: dict[str, list[str]] = {}
    for one in absent:
        reasons.setdefault(one.why, []).append(one.who)
    return [f"Left out, {why}: {', '.join(who)}." for why, who in reasons.items()]


def _measured_on(where: Surroundings) -> list[str]:
    first, *others = where.lines()
    return [f"Measured on {first}", *others]
