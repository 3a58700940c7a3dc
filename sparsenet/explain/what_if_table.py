"""Networks that might be, as tables for terminals and notebooks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparsenet.explain.what_if_answer import WhatIf, WhatIfRow
from sparsenet.table_style import ruled
from sparsenet.tables import as_share, plain, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["what_if_parts"]

CAPTION = (
    "{times}: the whole network and the call from Python, on one core{turns}. faster: than dense kernels. Weights are "
    "random: this says nothing of accuracy."
)


def what_if_parts(found: WhatIf) -> "Iterator[RenderableType]":
    """Give what is printed, from top to bottom: all networks, the fastest one's layers, what did not fit.

    Parameters
    ----------
    found : WhatIf
    """
    from rich.text import Text

    yield Text(_title(found))
    yield _rows_table(found)
    yield Text(_caption(found), style="italic")
    if found.best.time_us >= found.rows[0].time_us:
        yield Text("None of them is faster than the network as it is.", style="bold")
    yield _layers_table(found.best)
    for note in dict.fromkeys(note for row in found.rows for note in row.notes):
        yield Text(plain(note), style="dim")


def _caption(found: WhatIf) -> str:
    if found.rows[0].measured_us is None:
        return CAPTION.format(times="predicted", turns="")
    return CAPTION.format(times="predicted, measured", turns=", measured all in turn")


def _rows_table(found: WhatIf) -> "Table":
    table = ruled("", ("network",), ("weights\nkept",))
    measured = found.rows[0].measured_us is not None
    for heading in ("predicted", "times\nfaster", *["measured", "times\nfaster"] * measured):
        table.add_column(heading, justify="right")
    for row in found.rows:
        style = "bold" if row is found.best else ""
        kept = "" if row.density is None else as_share(row.density)
        table.add_row(row.name, kept, *_times(row, found.rows[1]), style=style)
    return table


def _title(found: WhatIf) -> str:
    samples = "one sample" if found.batch == 1 else f"{found.batch:,} samples"
    asked = [
        f"{as_share(share)} {what}"
        for share, what in ((found.density, "of weights kept"), (found.active, "active"))
        if share is not None
    ]
    return "".join([f"Times in µs a sample, {samples} in a call", *(f"; {one}" for one in asked)])


def _times(row: WhatIfRow, dense: WhatIfRow) -> Iterator[str]:
    pairs = [(row.predicted_us, dense.predicted_us)]
    if row.measured_us is not None and dense.measured_us is not None:
        pairs.append((row.measured_us, dense.measured_us))
    for time_us, dense_us in pairs:
        yield from (f"{time_us:,.2f}", f"{dense_us / max(time_us, 1e-3):,.2f}")


def _layers_table(row: WhatIfRow) -> "Table":
    table = ruled(f"The layers of the fastest, {row.name}")
    table.add_column("layer", no_wrap=True)
    table.add_column("mask")
    table.add_column("density", justify="right")
    table.add_column("kernel", overflow="fold")
    table.add_column("predicted", justify="right")
    for layer in row.layers:
        mask = layer.kind if layer.density is None else layer.family or "its own"
        density = "" if layer.density is None else as_share(layer.density)
        table.add_row(printable(layer.layer), mask, density, layer.kernel, f"{layer.predicted_us:,.2f}")
    table.add_row("the call", "", "", "", f"{row.call_us:,.2f}")
    return table
