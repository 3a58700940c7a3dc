"""A profile as a table, for terminals and notebooks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparsenet.renderer import Column, count_text, laid_out, spread, time_text
from sparsenet.tables import printable
from sparsenet.units import as_share, as_size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sparsenet.explain.profile import Profile

__all__ = ["AT_A_TIME", "BOUND", "OF_LIMIT", "least_note", "profile_parts", "share_text"]

AT_A_TIME = "so many that each weight serves several of them while their values stay in the second-level cache"
"""Why samples go through the layers in groups."""

PARTS_AND_WHOLE = (
    "The parts do not add up to the whole: each was called from Python, which the core and its caches notice, and what "
    "a call that does nothing takes ({call:.2f} µs) was taken off; the whole also copies its input and checks it."
)
LIMITS = "Limits of this core, measured: {clock:.1f} GHz; {rates} billion multiply-adds a second; {reads}."
OF_LIMIT = "least over median; a dash where the step is too short to be told apart from the call"
BOUND = "the largest of arithmetic, reading, looking places up and being called"


def least_note(level: str) -> str:
    """Say what the least time of a step is, where this memory level holds the whole network."""
    return (
        "the multiplications at the rate of what multiplies, or the bytes, whichever takes longer: weights read from "
        f"{level}, which holds the whole network, or nearer as far as they fit there, activations from as near as "
        "their size allows"
    )


def profile_parts(found: "Profile", width: int) -> "Iterator[RenderableType]":
    """Lay a profile out: time, work, bytes and the share of the machine's limit of each step."""
    samples = "one sample" if found.samples == 1 else f"{found.samples} samples"
    title = f"One call with {samples}, in µs; {found.inputs:,} different inputs took turns, {found.rounds:,} times"
    together = f"{found.samples} samples: {AT_A_TIME}."
    notes = [together] * (found.samples > 1) + _notes(found)
    yield from spread(laid_out(title, _columns(found), found.steps, width, notes=notes))


def _columns(found: "Profile") -> list[Column]:
    parts_us, least = found.parts_us, least_note(found.level)
    minimum_us = sum(step.minimum_us for step in found.steps)
    median = f"{parts_us:,.2f}\n{found.whole_median_us:,.2f}"
    products = "multiplications done, of all samples, zeros inside of vectors and tiles included"
    return [
        Column("layer", lambda step: printable(step.layer), words=True, footer="parts\nwhole"),
        Column("kernel", "kernel", words=True, footer="\none native call"),
        Column("median", lambda step: time_text(step.median_us), footer=median),
        Column(
            "min",
            lambda step: time_text(step.minimum_us),
            spare=3,
            footer=f"{minimum_us:,.2f}\n{found.whole_minimum_us:,.2f}",
        ),
        Column("share", lambda step: as_share(step.median_us / max(parts_us, 1e-9)), spare=8),
        Column("active", lambda step: "" if step.active is None else as_share(step.active)),
        Column("products", lambda step: count_text(step.multiplications), spare=5, note=products),
        Column("10⁹/s", lambda step: _rate(step.multiplications_per_s) if step.multiplications else "", spare=1),
        Column("bytes", lambda step: as_size(step.touched_bytes), spare=4),
        Column("GB/s", lambda step: _rate(step.bytes_per_s), spare=2),
        Column("least", lambda step: time_text(step.least_us), spare=6, note=least),
        Column("of limit", lambda step: share_text(step.share_of_limit), note=OF_LIMIT),
        Column("bound", "bound", words=True, spare=7, note=BOUND),
    ]


def _rate(per_s: float) -> str:
    return f"{per_s / 1e9:,.1f}"


def share_text(share: float | None) -> str:
    """Write a share of a limit; a dash where nobody knows it."""
    return "\N{EN DASH}" if share is None else as_share(share)


def _notes(found: "Profile") -> list[str]:
    limits = found.limits
    reads = ", ".join(f"{rate / 1e9:,.0f} GB/s from {level}" for level, rate in limits.read_bytes_per_s.items())
    rates = {"float32": limits.multiply_adds_per_s, **limits.byte_multiply_adds_per_s}
    said = ", ".join(f"{rate / 1e9:,.0f} of {unit}" for unit, rate in rates.items())
    about = {"clock": limits.clock_hz / 1e9, "rates": said, "reads": reads}
    return [LIMITS.format(**about), PARTS_AND_WHOLE.format(call=found.call_us)]
