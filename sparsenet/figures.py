"""Make figures without a window, and write them in the format that the file's name asks for."""

from collections.abc import Callable, Mapping
from functools import wraps
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, ParamSpec

from sparsenet.errors import SparsenetError
from sparsenet.whole_files import write_whole

__all__ = ["GREY", "ON_ANY_PAGE", "for_any_page", "new_figure", "write_figure"]

GREY = "#808080"
"""Lines and letters: about equally far from white and from black."""

ON_ANY_PAGE: Mapping[str, Any] = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY),
    "legend.framealpha": 0.0,
    "lines.color": GREY,
    "patch.edgecolor": GREY,
}
"""Settings of matplotlib for figures without a background, readable on light and dark pages: ``plt.style.use`` them."""

P = ParamSpec("P")


def for_any_page(draw: Callable[P, Any]) -> Callable[P, Any]:
    """Decorate a function that draws: its figures have no background and can be read on light and dark pages."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            from matplotlib import rc_context
        except ModuleNotFoundError:
            return draw(*args, **kwargs)  # which says what is missing
        settings: Any = dict(ON_ANY_PAGE)
        with rc_context(settings):
            figure = draw(*args, **kwargs)
            if figure is not None:
                figure.draw_without_rendering()  # matplotlib colours ticks when it first needs them
        return figure

    return drawn


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
