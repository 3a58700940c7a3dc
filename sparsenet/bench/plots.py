"""Figures of what was measured, drawn by matplotlib where it is installed."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from sparsenet.bench.compare import Comparison, Row
from sparsenet.bench.layer_ways import CASES, LIBRARIES
from sparsenet.bench.layers import Sweep, best_row, cells_of
from sparsenet.figures import for_any_page, new_figure, write_figure

__all__ = ["plot_comparison", "plot_sweep"]


FEW_BATCHES = 3
"""Up to so many are drawn as points, which say who is who without a legend; more as lines."""

OURS, PEERS = "C0", "0.6"
POINTS_WIDTH, LINES_WIDTH, LINES_HEIGHT, LEGEND_WIDTH = 6.5, 6.5, 5.0, 2.0
"""Inches."""


@for_any_page
def plot_comparison(found: Comparison, path: str | PathLike[str]) -> None:
    """Draw what every engine takes for a sample, or what it does in a second, and write the figure to a file.

    A few sizes of batches get a panel each, with a point for every engine, the fastest first; more become lines, in a
    panel for each number of threads.

    Parameters
    ----------
    found : Comparison
    path : str or path
        Its ending says the format: png, svg, pdf.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    SparsenetError
        When matplotlib has no such format.
    """
    few = len({row.batch for row in found.rows}) <= FEW_BATCHES
    panels: dict[str, list[Row]] = {}
    for row in sorted(found.rows, key=lambda row: (row.threads, row.batch)):
        title = f"{found.model}, threads: {row.threads}" + (f", batch {row.batch}" if few else "")
        panels.setdefault(title, []).append(row)
    size = (POINTS_WIDTH, 1 + 0.25 * max(map(len, panels.values()))) if few else (LINES_WIDTH, LINES_HEIGHT)
    figure = new_figure(len(panels) * size[0] + LEGEND_WIDTH * (not few), size[1])
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, rows) in zip(axes, panels.items(), strict=True):
        (_draw_points if few else _draw_lines)(axis, rows)
        axis.set_title(title)
    if not few:
        axes[-1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    write_figure(figure, path)


def _draw_points(axis: Any, rows: Sequence[Row]) -> None:
    """Draw the time of a sample, the fastest first; points, because a bar has no beginning on a logarithmic scale."""
    fastest = sorted(rows, key=lambda row: -row.samples_per_s)
    for row in fastest:
        time_us = 1e6 / row.samples_per_s
        axis.plot(time_us, _name(row), "o", color=OURS if row.engine == "sparsenet" else PEERS)
        near = {"textcoords": "offset points", "xytext": (7, 0), "va": "center"}
        axis.annotate(f"{time_us:,.1f} µs", (time_us, _name(row)), fontsize=8, **near)
    axis.set(xscale="log", xlabel="µs a sample, median")
    axis.margins(x=0.25)
    axis.grid(alpha=0.3)
    axis.tick_params(axis="y", labelsize=8)
    axis.invert_yaxis()


def _draw_lines(axis: Any, rows: Sequence[Row]) -> None:
    """Draw samples a second over the size of the batch."""
    lines: dict[str, list[Row]] = {}
    for row in rows:
        lines.setdefault(_name(row), []).append(row)
    engines = list(dict.fromkeys((row.engine, row.dtype) for row in rows))
    for name, members in lines.items():
        colour = f"C{engines.index((members[0].engine, members[0].dtype)) % 10}"
        style = "--" if members[0].network == "dense twin" else "-"
        width = 2.5 if members[0].engine == "sparsenet" else 1.0
        xy = [row.batch for row in members], [row.samples_per_s for row in members]
        axis.plot(*xy, style, marker="o", markersize=3, linewidth=width, color=colour, label=name)
    axis.set(xscale="log", yscale="log", xlabel="batch", ylabel="samples a second")
    axis.set_xticks(sorted({row.batch for row in rows}), [str(batch) for batch in sorted({row.batch for row in rows})])
    axis.minorticks_off()
    axis.grid(alpha=0.3)


def _name(row: Row) -> str:
    return f"{row.engine} {row.dtype}, {row.network}"


@for_any_page
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
    figure = new_figure(LINES_WIDTH + LEGEND_WIDTH, 1.5 + 0.6 * len(cells))
    axis = figure.subplots()
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
    write_figure(figure, path)
