"""A roofline as tables, for terminals and notebooks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparsenet.explain.profile_table import AT_A_TIME, BOUND, OF_LIMIT, least_note, share_text
from sparsenet.machine.summary import hardware_line
from sparsenet.renderer import Column, count_text, laid_out, spread, time_text
from sparsenet.tables import printable
from sparsenet.units import as_share, as_size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sparsenet.explain.roofline import Roofline

__all__ = ["roofline_parts"]

UNITS = {
    "float32": "float32, 16 at a time",
    "bytes": "bytes, 64 at a time",
    "tiles": "bytes, in matrix tiles (AMX)",
}
WHAT = [Column("what", words=True), Column("at most")]


def roofline_parts(found: "Roofline", width: int) -> "Iterator[RenderableType]":
    """Give what is printed: what one core can do at most, every step against that, and how far both can be trusted."""
    yield from spread(
        laid_out("One core of this machine, measured", WHAT, [list(pair) for pair in _limits(found)], width)
    )
    samples = "one sample" if found.samples == 1 else f"{found.samples} samples, {AT_A_TIME}"
    taken = f"µs for one call with {samples}."
    whole = f"The whole call took {found.whole_median_us:,.2f} µs, of which the limits of all steps are "
    notes = [taken, f"{whole}{as_share(found.share_of_limit)}.", *_trust(found)]
    yield from spread(laid_out("Every step against them", _columns(found.level), found.steps, width, notes=notes))


def _columns(level: str) -> list[Column]:
    products = "multiplications done, zeros inside of vectors and tiles included"
    return [
        Column("layer", lambda step: printable(step.layer), words=True),
        Column("kernel", "kernel", words=True),
        Column("unit", lambda step: step.unit if step.multiplications else "", words=True, spare=1),
        Column("median", lambda step: time_text(step.median_us)),
        Column("least", lambda step: time_text(step.least_us), spare=6, note=least_note(level)),
        Column("of limit", lambda step: share_text(step.share_of_limit), note=OF_LIMIT),
        Column("products", lambda step: count_text(step.multiplications), spare=5, note=products),
        Column("per byte", lambda step: time_text(step.intensity if step.multiplications else None), spare=4),
        Column("10⁹/s", lambda step: _rate(step.rate_per_s) if step.multiplications else "", spare=2),
        Column(
            "roof",
            lambda step: _rate(step.roof_per_s) if step.multiplications else "",
            spare=3,
            note="what the limits allow, in 10⁹ products a second",
        ),
        Column("bound", "bound", words=True, note=BOUND),
    ]


def _rate(per_s: float) -> str:
    return f"{per_s / 1e9:,.1f}"


def _limits(found: "Roofline") -> Iterator[tuple[str, str]]:
    limits = found.limits
    yield "clock", f"{limits.clock_hz / 1e9:.2f} GHz"
    for unit, text in UNITS.items():
        rate = limits.rate_of(unit)
        if rate is not None:
            cycles = f"{rate / limits.clock_hz:,.0f} a cycle"
            yield f"multiply-adds of {text}", f"{rate / 1e9:,.0f} · 10⁹/s, {cycles}"
    for level, rate in limits.read_bytes_per_s.items():
        yield f"reading {level} ({as_size(limits.level_bytes[level])})", f"{rate / 1e9:,.0f} GB/s"


def _trust(found: "Roofline") -> Iterator[str]:
    """Say how far the limits can be trusted, and where they were measured."""
    sizes = found.limits.level_bytes
    caches = [size for level, size in sizes.items() if level != "memory"]
    if caches and sizes["memory"] < 1.5 * max(caches):
        yield (
            f"To measure memory {as_size(sizes['memory'])} are read, again and again; part of that stays in a last "
            f"cache of {as_size(max(caches))}."
        )
    yield f"Measured on {printable(hardware_line(found.machine, found.usable_cores, found.memory))}."
