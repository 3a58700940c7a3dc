"""A roofline as tables, for terminals and notebooks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from sparsenet.explain.profile_table import share_text
from sparsenet.explain.roofline import Roofline, RooflineStep
from sparsenet.machine.summary import hardware_line
from sparsenet.table_style import fitted, ruled
from sparsenet.tables import HTML_WIDTH, as_share, as_size, printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["limits_table", "roofline_lines", "steps_table"]

UNITS = {
    "float32": "float32, 16 at a time",
    "bytes": "bytes, 64 at a time",
    "tiles": "bytes, in matrix tiles (AMX)",
}
HEADINGS = ("layer", "kernel", "unit", "median", "least", "of limit", "products", "per byte", "10⁹/s", "roof", "bound")
SPARED = ("unit", "10⁹/s", "roof", "per byte", "products", "least")
"""What is left out where there is little room, first to last."""

WORDS = ("layer", "kernel", "unit", "bound")

STEPS = (
    "µs for one call with {samples}. least: the products at their unit's rate, or the bytes they touch, whichever "
    "takes longer; weights from {level}, which holds the whole network, or nearer as far as they fit there, "
    "activations from as near as their size allows. of limit: least over median; a dash where the step is too short to "
    "be told apart from the call. bound: the largest of arithmetic, reading, looking places up and being called. "
    "products: multiplications done, zeros inside of vectors and tiles included. "
    "roof: what the limits allow, in 10⁹ products a second."
)
WHOLE = "The whole call took {whole:,.2f} µs, of which the limits of all steps are {share}."


def limits_table(found: Roofline) -> "Table":
    """Lay out what one core can do at most.

    Parameters
    ----------
    found : Roofline

    Returns
    -------
    rich.table.Table
    """
    table = ruled("One core of this machine, measured", ("what",), ("at most",))
    for what, rate in _limits(found):
        table.add_row(what, rate)
    return table


def _limits(found: Roofline) -> Iterator[tuple[str, str]]:
    limits = found.limits
    yield "clock", f"{limits.clock_hz / 1e9:.2f} GHz"
    for unit, text in UNITS.items():
        rate = limits.rate_of(unit)
        if rate is not None:
            cycles = f"{rate / limits.clock_hz:,.0f} a cycle"
            yield f"multiply-adds of {text}", f"{rate / 1e9:,.0f} · 10⁹/s, {cycles}"
    for level, rate in limits.read_bytes_per_s.items():
        yield f"reading {level} ({as_size(limits.level_bytes[level])})", f"{rate / 1e9:,.0f} GB/s"


def roofline_lines(found: Roofline) -> Iterator[str]:
    """Say what the columns mean, what the whole makes of the limits, how far they can be trusted, and where it was."""
    samples = (
        "one sample" if found.samples == 1 else f"{found.samples} samples, as many as go through the steps together"
    )
    yield STEPS.format(samples=samples, level=found.level)
    yield WHOLE.format(whole=found.whole_median_us, share=as_share(found.share_of_limit))
    sizes = found.limits.level_bytes
    caches = [size for level, size in sizes.items() if level != "memory"]
    if caches and sizes["memory"] < 1.5 * max(caches):
        yield (
            f"To measure memory {as_size(sizes['memory'])} are read, again and again; part of that stays in a last "
            f"cache of {as_size(max(caches))}."
        )
    yield f"Measured on {hardware_line(found.machine, found.usable_cores, found.memory)}."


def steps_table(found: Roofline, columns: int = HTML_WIDTH) -> "Table":
    """Lay out every step against the limits.

    Parameters
    ----------
    found : Roofline
    columns : int
        Of the terminal; some numbers are left out where it has too few.

    Returns
    -------
    rich.table.Table
    """
    table = ruled("Every step against them")
    for name in HEADINGS:
        justify: Literal["left", "right"] = "left" if name in WORDS else "right"
        table.add_column(name, justify=justify, no_wrap=name not in WORDS, overflow="fold")
    for step in found.steps:
        table.add_row(*_cells(step))
    return fitted(table, columns, SPARED)


def _cells(step: RooflineStep) -> tuple[str, ...]:
    times = f"{step.median_us:,.2f}", f"{step.least_us:,.2f}", share_text(step.share_of_limit)
    work = ("", "", "", "")
    if step.multiplications:
        rates = f"{step.rate_per_s / 1e9:,.1f}", f"{step.roof_per_s / 1e9:,.1f}"
        work = f"{step.multiplications:,}", f"{step.intensity:,.2f}", *rates
    return printable(step.layer), step.kernel, step.unit if step.multiplications else "", *times, *work, step.bound
