"""A roofline as a figure, drawn by matplotlib."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

from sparsenet.explain.profile import StepProfile
from sparsenet.explain.profile_table import share_text
from sparsenet.explain.roofline import Roofline
from sparsenet.figures import for_any_page, new_figure, write_figure
from sparsenet.machine.limits import Limits

__all__ = ["plot_roofline"]

COLOURS = {"float32": "C0", "bytes": "C1", "tiles": "C2"}
STYLES = ("-", "--", "-.", ":")
"""Of the memory levels, the nearest first."""

PLACES = ((6, -3), (6, 12), (-6, 12), (-6, -3), (6, 24), (6, -14), (-6, 24), (-6, -14))
"""Where a label may stand, in points from its point; the first where it covers no other."""


@for_any_page
def plot_roofline(found: Roofline, path: str | PathLike[str] | None = None) -> Any:
    """Draw the limits as roofs, each step that multiplies as a point under its own, and all steps as bars.

    Parameters
    ----------
    found : Roofline
    path : str or path, optional
        Where to write the figure; the ending says the format: png, svg, pdf.

    Returns
    -------
    matplotlib.figure.Figure
        On the left the roofline: the line above a point ends at what the limits allow that step. On the right the time
        of every step, and how much of it the limits explain.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    SparsenetError
        If the ending is no format that matplotlib knows.
    """
    figure = new_figure(13, min(40, max(6, 0.22 * len(found.steps))))
    roofs, bars = figure.subplots(1, 2, width_ratios=(5, 3))
    _draw_points(roofs, found)
    _draw_bars(bars, found.steps)
    figure.suptitle("Steps of the network against the limits of one core")
    if path is not None:
        write_figure(figure, path)
    return figure


def _draw_points(axis: Any, found: Roofline) -> None:
    steps = [step for step in found.steps if step.multiplications and step.share_of_limit is not None]
    reach = [step.intensity for step in steps] or [1.0]
    least, most = min(*reach, 0.1) / 4, max(*reach, 100.0) * 4
    axis.set(xscale="log", yscale="log", xlim=(least, most), xlabel="multiplications for each byte touched")
    axis.set(ylabel="multiplications a second")
    axis.grid(alpha=0.3)
    _draw_roofs(axis, found.limits, least, most)
    for step in steps:
        rates = max(step.rate_per_s, 1.0), max(step.roof_per_s, 1.0)
        axis.plot([step.intensity] * 2, rates, "-", color=COLOURS[step.unit], linewidth=1, alpha=0.6)
        axis.plot(step.intensity, rates[0], "o", color=COLOURS[step.unit])
        axis.plot(step.intensity, rates[1], "_", color=COLOURS[step.unit], markersize=12)
    axis.legend(fontsize=7, loc="lower right")
    _label(axis, steps)


def _draw_roofs(axis: Any, limits: Limits, least: float, most: float) -> None:
    """Draw each memory level as a slope that ends at the highest flat roof, and a flat roof for each unit."""
    rates = {unit: rate for unit in COLOURS if (rate := limits.rate_of(unit)) is not None}
    for unit, rate in rates.items():
        axis.axhline(rate, color=COLOURS[unit], linewidth=1, label=f"{unit}: {rate / 1e9:,.0f} · 10⁹/s")
    for (level, rate), style in zip(limits.read_bytes_per_s.items(), STYLES, strict=False):
        end = min(most, max(max(rates.values()) / rate, least))
        line = [least, end], [least * rate, end * rate]
        axis.plot(*line, style, color="grey", linewidth=1, label=f"{level}: {rate / 1e9:,.0f} GB/s")


def _label(axis: Any, steps: Sequence[StepProfile]) -> None:
    """Name the points, each where its name covers no other; a network of many layers may leave no such place."""
    renderer = axis.figure.canvas.get_renderer()
    axis.figure.draw_without_rendering()  # the layout must be known to tell what covers what
    taken = [axis.get_legend().get_window_extent(renderer)]
    for step in steps:
        text = axis.annotate(
            f"{step.layer}\n{share_text(step.share_of_limit)}",
            (step.intensity, max(step.rate_per_s, 1.0)),
            xytext=PLACES[0],
            textcoords="offset points",
            fontsize=7,
            va="top",
        )
        for across, up in PLACES:
            text.set(position=(across, up), ha="left" if across > 0 else "right")
            own = text.get_window_extent(renderer)
            if not any(own.overlaps(other) for other in taken):
                break
        taken.append(own)


def _draw_bars(axis: Any, steps: Sequence[StepProfile]) -> None:
    places, times_us = range(len(steps)), [step.median_us for step in steps]
    axis.barh(places, times_us, color="lightgrey", label="took, median")
    least_us = [min(step.least_us, step.median_us) for step in steps]
    axis.barh(places, least_us, color=[COLOURS[step.unit] for step in steps], label="the limits allow")
    for place, step in zip(places, steps, strict=True):
        said = f" {step.median_us:,.2f} µs, {share_text(step.share_of_limit)}"
        axis.annotate(said, (step.median_us, place), fontsize=7, va="center")
    axis.set_yticks(places, [step.layer for step in steps], fontsize=7)
    axis.invert_yaxis()
    axis.set(xlabel="µs of a call; coloured: the share that the limits explain", xlim=(0, 1.35 * max(*times_us, 1e-3)))
