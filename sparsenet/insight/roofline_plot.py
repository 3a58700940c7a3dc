"""A roofline as a figure, drawn by matplotlib."""

from os import PathLike
from typing import Any

from sparsenet.errors import SparsenetError
from sparsenet.insight.roofline import Roofline
from sparsenet.planner.limits import Limits

__all__ = ["plot_roofline"]

COLOURS = {"float32": "C0", "bytes": "C1", "tiles": "C2"}
STYLES = ("-", "--", "-.", ":")
"""Of the memory levels, the nearest first."""


def plot_roofline(found: Roofline, path: str | PathLike[str] | None = None) -> Any:
    """Draw the limits as roofs, and each step that multiplies as a point under its own.

    Parameters
    ----------
    found : Roofline
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
        If the ending is no format that matplotlib knows.
    """
    figure, axis = _figure()
    steps = [step for step in found.steps if step.multiplications]
    reach = [step.intensity for step in steps] or [1.0]
    least, most = min(*reach, 0.1) / 4, max(*reach, 100.0) * 4
    _draw_roofs(axis, found.limits, least, most)
    for step in steps:
        place = step.intensity, max(step.rate_per_s, 1.0)
        axis.plot(*place, "o", color=COLOURS[step.unit])
        axis.annotate(f" {step.layer}\n {step.share_of_limit:.0%} of its limit", place, fontsize=7, va="top")
    axis.set(xscale="log", yscale="log", xlim=(least, most), xlabel="multiplications for each byte touched")
    axis.set(ylabel="multiplications a second", title="Steps of the network against the limits of one core")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc="lower right")
    if path is not None:
        _write(figure, path)
    return figure


def _draw_roofs(axis: Any, limits: Limits, least: float, most: float) -> None:
    """Draw each memory level as a slope that ends at the highest flat roof, and a flat roof for each unit."""
    rates = {unit: rate for unit in COLOURS if (rate := limits.rate_of(unit)) is not None}
    for unit, rate in rates.items():
        axis.axhline(rate, color=COLOURS[unit], linewidth=1, label=f"{unit}: {rate / 1e9:,.0f} · 10⁹/s")
    for (level, rate), style in zip(limits.read_bytes_per_s.items(), STYLES, strict=False):
        end = min(most, max(max(rates.values()) / rate, least))
        line = [least, end], [least * rate, end * rate]
        axis.plot(*line, style, color="grey", linewidth=1, label=f"{level}: {rate / 1e9:,.0f} GB/s")


def _figure() -> tuple[Any, Any]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError('drawing needs matplotlib; pip install "sparsenet[notebooks]"') from None
    figure = Figure(figsize=(9, 6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _write(figure: Any, path: str | PathLike[str]) -> None:
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:  # an ending that matplotlib has no format for
        raise SparsenetError(str(error)) from None
