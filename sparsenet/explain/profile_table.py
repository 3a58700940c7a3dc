"""A profile as a table, for terminals and notebooks."""

from typing import TYPE_CHECKING, Literal

from sparsenet.explain.profile import Profile, StepProfile
from sparsenet.table_style import fitted, ruled
from sparsenet.tables import HTML_WIDTH, as_share, as_size, printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["profile_table", "share_text"]

PARTS_AND_WHOLE = (
    "The parts do not add up to the whole: each was called from Python, which the core and its caches notice, and what "
    "a call that does nothing takes ({call:.2f} µs) was taken off; the whole also copies its input and checks it."
)
LIMITS = (
    "products: multiplications done, of all samples, zeros inside of vectors and tiles included. Limits of this core, "
    "measured: {clock:.1f} GHz; {rates} billion multiply-adds a second; {reads}. least: the multiplications at the "
    "rate of what multiplies, or the bytes, whichever takes longer: weights read from {level}, which holds the whole "
    "network, or nearer as far as they fit there, activations from as near as their size allows. of limit: least over "
    "median; a dash where the step is too short to be told apart from the call."
)


HEADINGS = (
    *("layer", "kernel", "median", "min", "share", "active", "products", "10⁹/s", "bytes", "GB/s", "least", "of limit"),
    "bound",
)

WORDS = ("layer", "kernel", "bound")
"""What may take several lines; numbers may not."""

SPARED = ("10⁹/s", "GB/s", "min", "bytes", "products", "least", "bound", "share")
"""What is left out where there is less room, first to last."""


def profile_table(found: Profile, columns: int = HTML_WIDTH) -> "Table":
    """Lay a profile out: time, work, bytes and the share of the machine's limit of each step.

    Parameters
    ----------
    found : Profile
    columns : int
        Of the terminal; some numbers are left out where it has too few.

    Returns
    -------
    rich.table.Table
    """
    samples = "one sample" if found.samples == 1 else f"{found.samples} samples"
    title = f"One call with {samples}, in µs; {found.inputs:,} different inputs took turns, {found.rounds:,} times"
    table = ruled(title, caption=_caption(found))
    table.show_footer = True
    minimum_us = sum(step.minimum_us for step in found.steps)
    footers = {
        "layer": "parts\nwhole",
        "kernel": "\none native call",
        "median": f"{found.parts_us:,.2f}\n{found.whole_median_us:,.2f}",
        "min": f"{minimum_us:,.2f}\n{found.whole_minimum_us:,.2f}",
    }
    for name in HEADINGS:
        justify: Literal["left", "right"] = "left" if name in WORDS else "right"
        table.add_column(name, footers.get(name, ""), justify=justify, no_wrap=name not in WORDS, overflow="fold")
    for step in found.steps:
        table.add_row(*_cells(step, found.parts_us))
    return fitted(table, columns, SPARED)


def _cells(step: StepProfile, parts_us: float) -> tuple[str, ...]:
    times = f"{step.median_us:,.2f}", f"{step.minimum_us:,.2f}", as_share(step.median_us / max(parts_us, 1e-9))
    active = "" if step.active is None else as_share(step.active)
    products = ("", "")
    if step.multiplications:
        products = f"{step.multiplications:,}", f"{step.multiplications_per_s / 1e9:,.1f}"
    bytes_ = as_size(step.weight_bytes + step.activation_bytes), f"{step.bytes_per_s / 1e9:,.1f}"
    limit = f"{step.least_us:,.2f}", share_text(step.share_of_limit), step.bound
    return printable(step.layer), step.kernel, *times, active, *products, *bytes_, *limit


def share_text(share: float | None) -> str:
    """Write a share of a limit; a dash where nobody knows it."""
    return "\N{EN DASH}" if share is None else as_share(share)


def _caption(found: Profile) -> str:
    limits = found.limits
    reads = ", ".join(f"{rate / 1e9:,.0f} GB/s from {level}" for level, rate in limits.read_bytes_per_s.items())
    rates = {"float32": limits.multiply_adds_per_s, **limits.byte_multiply_adds_per_s}
    said = ", ".join(f"{rate / 1e9:,.0f} of {unit}" for unit, rate in rates.items())
    about = {"clock": limits.clock_hz / 1e9, "rates": said, "reads": reads}
    return LIMITS.format(**about, level=found.level) + "\n" + PARTS_AND_WHOLE.format(call=found.call_us)
