"""Figures without a window: made, and written in the format that a file's name asks for."""

from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

from sparsenet.errors import SparsenetError
from sparsenet.whole_files import write_whole

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
    target = Path(path)
    target = target if target.suffix else target.with_name(f"{target.name}.png")
    drawn = BytesIO()
    try:
        figure.savefig(drawn, dpi=150, format=target.suffix[1:].lower())
    except ValueError as error:
        raise SparsenetError(str(error)) from None
    write_whole(target, drawn.getvalue())
