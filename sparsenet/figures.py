"""Figures without a window: made, and written in the format that a file's name asks for."""

from os import PathLike
from typing import Any

from sparsenet.errors import SparsenetError

__all__ = ["new_figure", "write_figure"]


def new_figure(width: float, height: float) -> Any:
    """Make an empty figure of so many inches.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError('drawing needs matplotlib; pip install "sparsenet[notebooks]"') from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_figure(figure: Any, path: str | PathLike[str]) -> None:
    """Write a figure; the ending of the path says the format.

    Raises
    ------
    SparsenetError
        If the ending is no format that matplotlib knows.
    """
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:
        raise SparsenetError(str(error)) from None
