"""A map of winners as a figure, by matplotlib: a panel for each size and batch, a colour for each kernel."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from sparsenet.bench.studies.crossover import Crossover, CrossoverCell
from sparsenet.bench.studies.crossover_cells import DENSE
from sparsenet.bench.studies.crossover_table import panels
from sparsenet.figures import for_any_page, new_figure, write_figure

__all__ = ["plot_crossover"]


@for_any_page
def plot_crossover(found: Crossover, path: str | PathLike[str] | None = None) -> Any:
    """Draw which kernel wins where, and how many times as long the dense one takes.

    Parameters
    ----------
    found : Crossover
    path : str or path, optional
        Where to write the figure; the ending says the format: png, svg, pdf.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    SparsenetError
        When the ending is no format that matplotlib knows.
    """
    grouped = panels(found)
    figure, axes = _figure(len(grouped))
    colours = {name: "0.85" if name == DENSE else f"C{place % 10}" for place, name in enumerate(found.winners)}
    for axis, ((size, batch), cells) in zip(axes, grouped.items(), strict=True):
        _draw(axis, cells, colours)
        axis.set_title(f"{size} x {size}, {batch} in a call", fontsize=9)
    _legend(figure, colours)
    how = "measured" if found.measured else "predicted"
    what = f"{found.dtype}, {found.family} masks; {how}"
    figure.suptitle(f"Fastest kernel, and how many times as long the dense one takes\n{what}", fontsize=10)
    if path is not None:
        write_figure(figure, path)
    return figure


def _draw(axis: Any, cells: Sequence[CrossoverCell], colours: dict[str, str]) -> None:
    from matplotlib.colors import to_rgb

    densities = sorted({cell.density for cell in cells})
    active = sorted({cell.active for cell in cells})
    image = np.ones((len(active), len(densities), 3))
    for cell in cells:
        row, column = active.index(cell.active), densities.index(cell.density)
        image[row, column] = to_rgb(colours[cell.winner])
        axis.text(column, row, f"{cell.speedup:.1f}", ha="center", va="center", fontsize=7, color="black")
    axis.imshow(image, origin="lower", aspect="auto")
    axis.set_xticks(range(len(densities)), [f"{share:.3g}" for share in densities], fontsize=7)
    axis.set_yticks(range(len(active)), [f"{share:.3g}" for share in active], fontsize=7)
    axis.set_xlabel("weights kept", fontsize=8)
    axis.set_ylabel("inputs active", fontsize=8)


def _legend(figure: Any, colours: dict[str, str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", fontsize=7, ncols=2)


def _figure(count: int) -> tuple[Any, list[Any]]:
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = new_figure(4.5 * columns, 3.2 * rows + 1)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for spare in axes[count:]:
        spare.set_axis_off()
    return figure, axes[:count]
