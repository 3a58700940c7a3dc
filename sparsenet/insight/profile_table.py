"""A profile as a table, for terminals and notebooks."""

from typing import TYPE_CHECKING

from sparsenet.insight.profile import Profile, StepProfile
from sparsenet.tables import as_share, as_size, printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["profile_table"]

PARTS_AND_WHOLE = (
    "The parts do not add up to the whole: each was called from Python, which the core and its caches notice, and what "
    "a call that does nothing takes ({call:.2f} µs) was taken off; the whole also copies its input and checks it."
)
LIMITS = (
    "Limits of this core, measured: {clock:.1f} GHz, {rate:.0f} billion float32 multiply-adds a second, {reads}. "
    "least: the multiplications at that rate, or the bytes, whichever takes longer: weights read from {level}, which "
    "holds the whole network, activations from as near as their size allows. of limit: least over median."
)


def profile_table(found: Profile) -> "Table":
    """Lay a profile out: time, work, bytes and the share of the machine's limit of each step.

    Parameters
    ----------
    found : Profile

    Returns
    -------
    rich.table.Table
    """
    from rich.table import Table

    samples = "one sample" if found.samples == 1 else f"{found.samples} samples"
    title = f"One call with {samples}; {found.inputs:,} different inputs took turns, {found.rounds:,} times"
    table = Table(title=title, title_justify="left", caption=_caption(found), caption_justify="left", show_footer=True)
    whole = f"{found.whole_median_us:,.2f}", f"{found.whole_minimum_us:,.2f}"
    table.add_column("layer", "parts\nwhole, one native call")
    table.add_column("kernel", no_wrap=True)
    table.add_column("median µs", f"{found.parts_us:,.2f}\n{whole[0]}", justify="right")
    table.add_column("min µs", f"{sum(step.minimum_us for step in found.steps):,.2f}\n{whole[1]}", justify="right")
    for heading in ("share", "active", "multiplications", "billion/s", "bytes", "GB/s", "least µs", "of limit"):
        table.add_column(heading, justify="right")
    table.add_column("bound by")
    for step in found.steps:
        table.add_row(*_cells(step, found.parts_us))
    return table


def _cells(step: StepProfile, parts_us: float) -> tuple[str, ...]:
    times = f"{step.median_us:,.2f}", f"{step.minimum_us:,.2f}", as_share(step.median_us / max(parts_us, 1e-9))
    active = "" if step.active is None else as_share(step.active)
    work = (
        (f"{step.multiplications:,}", f"{step.multiplications_per_s / 1e9:,.1f}") if step.multiplications else ("",) * 2
    )
    bytes_ = as_size(step.weight_bytes + step.activation_bytes), f"{step.bytes_per_s / 1e9:,.1f}"
    limit = f"{step.least_us:,.2f}", as_share(step.share_of_limit), step.bound
    return printable(step.layer), step.kernel, *times, active, *work, *bytes_, *limit


def _caption(found: Profile) -> str:
    limits = found.limits
    reads = ", ".join(f"{rate / 1e9:,.0f} GB/s from {level}" for level, rate in limits.read_bytes_per_s.items())
    about = {"clock": limits.clock_hz / 1e9, "rate": limits.multiply_adds_per_s / 1e9, "reads": reads}
    return LIMITS.format(**about, level=found.level) + "\n" + PARTS_AND_WHOLE.format(call=found.call_us)
