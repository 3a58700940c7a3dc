"""An explanation as tables, for terminals and notebooks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparsenet.explain.advice import as_time
from sparsenet.explain.profile_table import AT_A_TIME
from sparsenet.renderer import Column, laid_out, spread, time_text
from sparsenet.tables import as_shape, plain, printable
from sparsenet.units import as_share

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from sparsenet.explain.explanation import Explanation, LayerExplanation

__all__ = ["explanation_parts"]

ACTIVE = "the largest share of inputs that can be non-zero; k-winners fix it, behind ReLU any input can be"
MEASURED = (
    "Measured on {inputs}, this network and the dense one in turn, step by step. The layers' times do not add up to "
    "the whole, and each depends on what the other layers leave in the caches."
)
SLOWER = 1.2
"""The same kernel twice, measured in turn, differs by less."""

NOTHING = "No change that was tried is predicted to save 10 % of this layer's time and 1 % of the network's."

FAMILIES = (
    "Families of masks (taps, subsets, blocks, ...): help(sparsenet.packing.masks) draws them; notebooks/masks.md."
)


def explanation_parts(found: "Explanation", width: int) -> "Iterator[RenderableType]":
    """Give what is printed, from top to bottom: numbers, kernels and reasons, the verdict."""
    from rich.text import Text

    yield from spread(_numbers_table(found, width))
    yield _why_table(found)
    yield Text(plain(found.verdict), style="bold")
    if found.best_advice is not None:
        layer, advice = found.best_advice
        yield Text(f"What would save most time, whatever it does to accuracy: {plain(layer)}, {advice.text}.")
    if found.rounding is not None:
        yield Text(plain(_sentence(found.rounding.text)))
    if any(advice and " mask (" in advice.text for row in found.layers for advice in (row.advice, row.fuller)):
        yield Text(FAMILIES)


def _numbers_table(found: "Explanation", width: int) -> "Table":
    """Lay out one row a layer, with its sparsities, times and what binds it."""
    title = f"Times in µs a sample, on one core; batches of up to {found.batch:,}, {found.samples:,} at a time"
    notes = [f"{found.samples:,} at a time: {AT_A_TIME}."] * (found.samples > 1) + [" ".join(_notes(found))]
    measured = bool(found.inputs)
    columns = [column for column in _columns(found) if measured or not column.heading.endswith("measured")]
    return laid_out(title, columns, found.layers, width, notes=list(filter(None, notes)))


def _columns(found: "Explanation") -> list[Column]:
    core = "this core, measured" if found.limits_measured else "a typical core, since this one was not measured yet"
    spare = bool(found.inputs)  # predictions, beside what was measured
    dense = "with kernels that skip nothing"
    return [
        Column("layer", lambda row: printable(row.layer), words=True, footer="whole"),
        Column("output", lambda row: as_shape(row.shape), spare=3),
        Column("density", lambda row: "" if row.density is None else as_share(row.density)),
        Column("active", lambda row: as_share(row.active), note=ACTIVE),
        Column("format", lambda row: row.kind if row.density is None else row.format, words=True, spare=6),
        Column("fill", _fill, spare=4, note="kept weights over places stored"),
        Column(
            "predicted", lambda row: time_text(row.predicted_us), spare=2 * spare, footer=time_text(found.predicted_us)
        ),
        Column("measured", lambda row: time_text(row.measured_us), footer=time_text(found.whole_us)),
        Column(
            "dense,\npredicted",
            lambda row: time_text(row.dense_predicted_us),
            spare=1 * spare,
            note=dense,
            footer=time_text(found.dense_predicted_us),
        ),
        Column(
            "dense,\nmeasured",
            lambda row: time_text(row.dense_us),
            note="with kernels that skip nothing",
            footer=time_text(found.dense_whole_us),
        ),
        Column("times\nfaster", lambda row: time_text(row.speedup), footer=f"{found.speedup:,.2f}", note="than dense"),
        Column("limit", "limit", words=True, spare=5, note=f"what takes the kernel longest, by the limits of {core}"),
    ]


def _fill(row: "LayerExplanation") -> str:
    return "" if row.density is None or row.fill is None else as_share(row.fill)


def _notes(found: "Explanation") -> Iterator[str]:
    if found.copying_us > 0.05 * found.predicted_us:
        copying = f"{as_time(found.copying_us)} µs predicted"
        yield f"whole: also holds copying the input into the engine's layout, {copying}."
    if found.inputs:
        yield MEASURED.format(inputs=found.inputs)


def _why_table(found: "Explanation") -> "Table":
    """Lay out each layer's kernels, the reason of the choice, and what would help most."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 1, 0))
    table.add_column(overflow="fold", max_width=16)
    table.add_column()
    for row in found.layers:
        if row.density is not None or row.advice is not None:
            table.add_row(f"[bold]{printable(row.layer)}[/bold]", "\n".join(_lines(row)))
    return table


def _lines(row: "LayerExplanation") -> Iterator[str]:
    dense = "" if row.kernel == row.dense_kernel or not row.dense_kernel else f", dense: {row.dense_kernel}"
    yield f"{printable(row.kernel)}{dense}"
    if row.density is not None:
        yield " ".join(filter(None, (_sentence(row.reason), _active(row), _zeros(row), _bound(row), _slower(row))))
    if row.advice is None or row.advice != row.fuller:
        yield f"[italic]{_sentence(row.advice.text) if row.advice else NOTHING}[/italic]"


def _active(row: "LayerExplanation") -> str:
    """Say how many inputs were active, where that was not known beforehand."""
    if row.found_active is None or row.found_active > 0.99 * row.active:
        return ""
    return f"{as_share(row.found_active)} of its inputs were not zero."


def _zeros(row: "LayerExplanation") -> str:
    return _sentence(f"{row.zeros}: {row.fuller.text}" if row.fuller else row.zeros)


def _bound(row: "LayerExplanation") -> str:
    if not row.limit:
        return ""
    share = "" if row.share_of_limit is None else f", {as_share(row.share_of_limit)} of what it took"
    return f"Bound by {row.limit}; products and bytes alone would take {as_time(row.least_us)} µs{share}."


def _slower(row: "LayerExplanation") -> str:
    """Say so where the very same kernel takes longer in the network of dense ones."""
    if not row.as_dense or row.dense_us is None or (row.speedup or 1.0) < SLOWER:
        return ""
    return "In the dense network the same kernel is slower, because the other layers leave it less of the caches."


def _sentence(text: str) -> str:
    """Begin with a capital, end with a full stop."""
    return printable(text[:1].upper() + text[1:] + ("" if text.endswith(".") else "."))
