"""Tables of changed networks, for terminals and notebooks."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sparsenet.renderer import Column, laid_out, spread, time_text
from sparsenet.tables import plain, printable
from sparsenet.units import as_share

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from sparsenet.explain.what_if_answer import WhatIf, WhatIfLayer, WhatIfRow

__all__ = ["what_if_parts"]

WHOLE = "the whole network and the call from Python, on one core"
FASTER = "than dense kernels"
RANDOM = "Weights are random: this says nothing of accuracy."


def what_if_parts(found: "WhatIf", width: int) -> "Iterator[RenderableType]":
    """Give what is printed, from top to bottom: all networks, the fastest one's layers, what could not be done."""
    from rich.text import Text

    style = _bold_where(found.best)
    yield from spread(laid_out(_title(found), _columns(found), found.rows, width, notes=[RANDOM], style=style))
    if found.best.time_us >= found.rows[0].time_us:
        yield Text("None of them is faster than the network as it is.", style="bold")
    yield _layers_table(found.best, width)
    yield from _told("Not possible as asked:", [text for row in found.rows for text in row.refused])
    yield from _told("Note:", [text for row in found.rows for text in row.notes if text not in row.refused])


def _told(heading: str, texts: list[str]) -> "Iterator[RenderableType]":
    """Say each text once, the first behind a heading."""
    from rich.text import Text

    for i, text in enumerate(dict.fromkeys(texts)):
        yield Text(f"{heading} {plain(text)}" if i == 0 else plain(text), style="dim")


def _bold_where(best: "WhatIfRow") -> Callable[["WhatIfRow"], str]:
    return lambda row: "bold" if row is best else ""


def _columns(found: "WhatIf") -> list[Column]:
    dense = found.rows[1]
    columns = [
        Column("network", "name", words=True),
        Column("weights\nkept", lambda row: "" if row.density is None else as_share(row.density)),
        Column("predicted", lambda row: time_text(row.predicted_us), note=WHOLE),
        Column("times\nfaster", lambda row: _faster(row.predicted_us, dense.predicted_us), note=FASTER),
    ]
    if found.rows[0].measured_us is None:
        return columns
    return [
        *columns,
        Column("measured", lambda row: time_text(row.measured_us), note="the same, all networks in turn"),
        Column("times\nfaster", lambda row: _faster(row.measured_us, dense.measured_us), note=FASTER),
    ]


def _faster(time_us: float | None, dense_us: float | None) -> str:
    return "" if time_us is None or dense_us is None else f"{dense_us / max(time_us, 1e-3):,.2f}"


def _title(found: "WhatIf") -> str:
    samples = "one sample" if found.batch == 1 else f"{found.batch:,} samples"
    asked = [
        f"{as_share(share)} {what}"
        for share, what in ((found.density, "of weights kept"), (found.active, "active"))
        if share is not None
    ]
    return "; ".join([f"Times in µs a sample, {samples} in a call", *asked])


def _layers_table(best: "WhatIfRow", width: int) -> "Table":
    columns = [
        Column("layer", lambda layer: printable(layer.layer), words=True, footer="the call"),
        Column("mask", _mask, words=True),
        Column("density", lambda layer: "" if layer.density is None else as_share(layer.density)),
        Column("kernel", "kernel", words=True),
        Column("predicted", lambda layer: time_text(layer.predicted_us), footer=time_text(best.call_us)),
    ]
    return laid_out(f"The layers of the fastest, {best.name}", columns, best.layers, width)


def _mask(layer: "WhatIfLayer") -> str:
    return layer.kind if layer.density is None else layer.family or "its own"
