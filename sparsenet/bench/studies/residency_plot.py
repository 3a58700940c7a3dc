"""Draw how much of the speed is due to caches, with matplotlib."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

from sparsenet.bench.studies.residency import Residency, ResidencyRow
from sparsenet.figures import GREY, for_any_page, new_figure, write_figure
from sparsenet.tables import as_size

__all__ = ["plot_residency"]

MARKERS = ("o", "s", "D", "^")
"""Of the conditions; their colours are matplotlib's first."""

SHIFT = 0.28
"""How far below the line of one core the line of all cores is."""


@for_any_page
def plot_residency(found: Residency, path: str | PathLike[str] | None = None) -> Any:
    """Draw a line for each network and layer, from its time with caches hot to its time without them.

    Parameters
    ----------
    found : Residency
    path : str or path, optional
        Where to write the figure; the ending says the format: png, svg, pdf.

    Returns
    -------
    matplotlib.figure.Figure
        A short line needs no cache. Hollow markers are times of words on several cores at once.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    SparsenetError
        If the ending is no format that matplotlib knows.
    """
    names = list(dict.fromkeys(map(_name, found.rows)))
    figure = new_figure(10, 2 + 0.45 * len(names))
    axis = figure.subplots()
    for place, name in enumerate(names):
        rows = [row for row in found.rows if _name(row) == name]
        for line, cores in enumerate(sorted({row.cores for row in rows})):
            _draw_line(axis, found, [row for row in rows if row.cores == cores], place + SHIFT * line)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set(xscale="log", xlabel="µs a word, median", title="The same words with caches hot, and without them")
    axis.grid(alpha=0.3, axis="x")
    _legend(axis, found)
    if path is not None:
        write_figure(figure, path)
    return figure


def _name(row: ResidencyRow) -> str:
    kind = "" if row.kind == "network" else f", {row.kind}"
    return f"{row.what}{kind}\n{as_size(row.weight_bytes)}"


def _draw_line(axis: Any, found: Residency, rows: Sequence[ResidencyRow], place: float) -> None:
    times_us = [row.median_us for row in rows]
    axis.plot([min(times_us), max(times_us)], [place, place], "-", color="lightgrey", zorder=1)
    names = [condition.name for condition in found.conditions]
    for row in rows:
        number = names.index(row.condition)
        face = f"C{number}" if row.cores == 1 else "none"
        style = {"facecolor": face, "edgecolor": f"C{number}", "marker": MARKERS[number % len(MARKERS)], "zorder": 2}
        axis.scatter([row.median_us], [place], s=30, **style)


def _legend(axis: Any, found: Residency) -> None:
    for number, condition in enumerate(found.conditions):
        axis.scatter([], [], s=30, color=f"C{number}", marker=MARKERS[number % len(MARKERS)], label=condition.name)
    for cores in sorted({row.cores for row in found.rows} - {1}):
        axis.scatter([], [], s=30, color="none", edgecolor=GREY, label=f"hollow: {cores} cores at once")
    axis.figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
