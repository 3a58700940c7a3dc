"""An explanation as tables, for terminals and notebooks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from sparsenet.explain.advice import as_time
from sparsenet.explain.explanation import Explanation, LayerExplanation
from sparsenet.table_style import fitted, ruled
from sparsenet.tables import HTML_WIDTH, as_shape, as_share, plain, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["explanation_parts", "explanation_table", "why_table"]

HEADINGS = (
    *("layer", "output", "density", "active", "format", "fill", "predicted", "measured", "dense,\npredicted"),
    *("dense,\nmeasured", "times\nfaster", "limit"),
)
MEASURED_TIMES, PREDICTED_TIMES = ("measured", "dense,\nmeasured"), ("dense,\npredicted", "predicted")
WORDS = ("layer", "format", "limit")
"""What may take several lines where there is no room; numbers may not."""

CAPTION = (
    "active: the largest share of inputs that can be non-zero; k-winners fix it, behind ReLU any input can be. fill: "
    "kept weights over places stored. dense: kernels that skip nothing. Bound by, or limit: what takes a kernel "
    "longest, by the limits of {core}."
)
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


def explanation_parts(found: Explanation, columns: int = HTML_WIDTH) -> "Iterator[RenderableType]":
    """Give what is printed, from top to bottom: numbers, kernels and reasons, the verdict.

    Parameters
    ----------
    found : Explanation
    columns : int
        Of the terminal; some numbers are left out where it has too few.
    """
    from rich.text import Text

    yield explanation_table(found, columns)
    yield why_table(found)
    yield Text(plain(found.verdict), style="bold")
    if found.best_advice is not None:
        layer, advice = found.best_advice
        yield Text(f"What would save most time, whatever it does to accuracy: {plain(layer)}, {advice.text}.")
    if found.rounding is not None:
        yield Text(plain(_sentence(found.rounding.text)))
    if any(advice and " mask (" in advice.text for row in found.layers for advice in (row.advice, row.fuller)):
        yield Text(FAMILIES)


def explanation_table(found: Explanation, columns: int = HTML_WIDTH) -> "Table":
    """Lay an explanation out: one row a layer, with its sparsities, times and what binds it.

    Parameters
    ----------
    found : Explanation
    columns : int
        Of the terminal.

    Returns
    -------
    rich.table.Table
    """
    title = f"Times in µs a sample, on one core; batches of up to {found.batch:,}, {found.samples:,} at a time"
    table = ruled(title, caption=_caption(found))
    table.show_footer = True
    footers = {
        "layer": "whole",
        "predicted": _time(found.predicted_us),
        "measured": _time(found.whole_us),
        "dense,\npredicted": _time(found.dense_predicted_us),
        "dense,\nmeasured": _time(found.dense_whole_us),
        "times\nfaster": f"{found.speedup:,.2f}",
    }
    shown = [name for name in HEADINGS if found.inputs or name not in MEASURED_TIMES]
    for name in shown:
        justify: Literal["left", "right"] = "left" if name in WORDS else "right"
        table.add_column(name, footers.get(name, ""), justify=justify, no_wrap=name not in WORDS, overflow="fold")
    for row in found.layers:
        cells = dict(zip(HEADINGS, _cells(row), strict=True))
        table.add_row(*(cells[name] for name in shown))
    return fitted(table, columns, (*PREDICTED_TIMES * bool(found.inputs), "output", "fill", "limit", "format"))


def _caption(found: Explanation) -> str:
    core = "this core, measured" if found.limits_measured else "a typical core, since this one was not measured yet"
    said = [CAPTION.format(core=core)]
    if found.copying_us > 0.05 * found.predicted_us:
        copying = f"{as_time(found.copying_us)} µs predicted"
        said.append(f"whole: also holds copying the input into the engine's layout, {copying}.")
    return " ".join([*said, *([MEASURED.format(inputs=found.inputs)] if found.inputs else [])])


def why_table(found: Explanation) -> "Table":
    """Lay out each layer's kernels, the reason of the choice, and what would help most."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 1, 0))
    table.add_column(overflow="fold", max_width=16)
    table.add_column()
    for row in found.layers:
        if row.density is not None or row.advice is not None:
            table.add_row(f"[bold]{printable(row.layer)}[/bold]", "\n".join(_lines(row)))
    return table


def _cells(row: LayerExplanation) -> tuple[str, ...]:
    if row.density is None:
        numbers = ("", as_share(row.active), row.kind, "")
    else:
        fill = "" if row.fill is None else as_share(row.fill)
        numbers = (as_share(row.density), as_share(row.active), row.format, fill)
    times = (row.predicted_us, row.measured_us, row.dense_predicted_us, row.dense_us)
    speedup = "" if row.speedup is None else f"{row.speedup:,.2f}"
    return printable(row.layer), as_shape(row.shape), *numbers, *map(_time, times), speedup, row.limit


def _lines(row: LayerExplanation) -> Iterator[str]:
    dense = "" if row.kernel == row.dense_kernel or not row.dense_kernel else f", dense: {row.dense_kernel}"
    yield f"{printable(row.kernel)}{dense}"
    if row.density is not None:
        yield " ".join(filter(None, (_sentence(row.reason), _active(row), _zeros(row), _bound(row), _slower(row))))
    if row.advice is None or row.advice != row.fuller:
        yield f"[italic]{_sentence(row.advice.text) if row.advice else NOTHING}[/italic]"


def _active(row: LayerExplanation) -> str:
    """Say how many inputs were active, where that was not known beforehand."""
    if row.found_active is None or row.found_active > 0.99 * row.active:
        return ""
    return f"{as_share(row.found_active)} of its inputs were not zero."


def _zeros(row: LayerExplanation) -> str:
    return _sentence(f"{row.zeros}: {row.fuller.text}" if row.fuller else row.zeros)


def _bound(row: LayerExplanation) -> str:
    if not row.limit:
        return ""
    share = "" if row.share_of_limit is None else f", {as_share(row.share_of_limit)} of what it took"
    return f"Bound by {row.limit}; products and bytes alone would take {as_time(row.least_us)} µs{share}."


def _slower(row: LayerExplanation) -> str:
    """Say so where the very same kernel takes longer in the network of dense ones."""
    if not row.as_dense or row.dense_us is None or (row.speedup or 1.0) < SLOWER:
        return ""
    return "In the dense network the same kernel is slower, because the other layers leave it less of the caches."


def _sentence(text: str) -> str:
    """Begin with a capital, end with a full stop."""
    return printable(text[:1].upper() + text[1:] + ("" if text.endswith(".") else "."))


def _time(time_us: float | None) -> str:
    return "" if time_us is None else f"{time_us:,.2f}"
