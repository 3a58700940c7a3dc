"""Figures of what was measured, drawn by matplotlib where it is installed."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from sparsenet.bench.layer_ways import CASES, LIBRARIES
from sparsenet.bench.layers import Sweep, best_row, cells_of
from sparsenet.bench.race import Race, RaceRow

__all__ = ["plot_race", "plot_sweep"]


def plot_race(found: Race, path: str | PathLike[str]) -> None:
    """Draw samples a second of every engine, a panel for each number of threads, and write the figure to a file.

    Parameters
    ----------
    found : Race
    path : str or path
        Its ending says the format: png, svg, pdf.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    """
    threads = sorted({row.threads for row in found.rows})
    figure, axes = _figure(len(threads))
    for axis, count in zip(axes, threads, strict=True):
        _draw_race(axis, [row for row in found.rows if row.threads == count])
        axis.set_title(f"{found.model}, threads: {count}")
    axes[-1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    _write(figure, path)


def _draw_race(axis: Any, rows: Sequence[RaceRow]) -> None:
    lines: dict[str, list[RaceRow]] = {}
    for row in rows:
        lines.setdefault(f"{row.engine} {row.dtype}, {row.role}", []).append(row)
    engines = list(dict.fromkeys((row.engine, row.dtype) for row in rows))
    for name, members in lines.items():
        colour = f"C{engines.index((members[0].engine, members[0].dtype)) % 10}"
        style = "--" if members[0].role == "dense twin" else "-"
        width = 2.5 if members[0].engine == "sparsenet" else 1.0
        xy = [row.batch for row in members], [row.samples_per_s for row in members]
        axis.plot(*xy, style, marker="o", markersize=3, linewidth=width, color=colour, label=name)
    axis.set(xscale="log", yscale="log", xlabel="batch", ylabel="samples a second")
    axis.set_xticks(sorted({row.batch for row in rows}), [str(batch) for batch in sorted({row.batch for row in rows})])
    axis.grid(alpha=0.3)


def plot_sweep(found: Sweep, path: str | PathLike[str]) -> None:
    """Draw the best time of every case as bars, a group for each shape, density and share of active inputs.

    Parameters
    ----------
    found : Sweep
    path : str or path
        Its ending says the format: png, svg, pdf.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    """
    cells = cells_of(found)
    figure, (axis,) = _figure(1, height=1.5 + 0.6 * len(cells))
    for place, name in enumerate((*LIBRARIES, *CASES)):
        best = [best_row(rows, name) for rows in cells.values()]
        times = [float("nan") if row is None else row.timing.median_us for row in best]
        axis.barh(np.arange(len(cells)) + 0.12 * place, times, 0.11, label=name)
    labels = [
        f"{shape}, {mask}, batch {batch}\n{d:.0%} of weights, {a:.0%} active" for shape, mask, d, a, batch in cells
    ]
    axis.set_yticks(np.arange(len(cells)) + 0.33, labels, fontsize=7)
    axis.set(xscale="log", xlabel="µs a sample, median")
    axis.invert_yaxis()
    axis.legend(fontsize=7)
    _write(figure, path)


def _figure(panels: int, height: float = 5.0) -> tuple[Any, list[Any]]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError("drawing needs matplotlib; pip install matplotlib") from None
    figure = Figure(figsize=(6.5 * panels + 2, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def _write(figure: Any, path: str | PathLike[str]) -> None:
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:  # an ending that matplotlib has no format for
        from sparsenet.errors import SparsenetError

        raise SparsenetError(str(error)) from None
