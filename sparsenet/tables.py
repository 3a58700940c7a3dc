"""Tables of networks and plans; terminals and notebooks print the same table."""

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

from sparsenet.layers import KWinners, Layer, Weighted, kept_count
from sparsenet.renderer import Column, laid_out, shortened, time_text
from sparsenet.table_html import HTML_WIDTH, as_html
from sparsenet.units import as_share, as_size
from sparsenet_kernels.queries import base_of

if TYPE_CHECKING:
    from rich.table import Table

    from sparsenet.engine.cuda_engine import CudaEngine
    from sparsenet.engine.engine import Engine
    from sparsenet.graph.network import Network
    from sparsenet.lowering.choose import Choice

__all__ = [
    "HTML_WIDTH",
    "MOST_ROWS",
    "as_html",
    "as_shape",
    "as_share",
    "as_size",
    "as_winners",
    "kept_weights",
    "network_table",
    "plain",
    "plan_table",
    "printable",
]

MOST_ROWS = 60
"""Layers that an object prints of itself; of a deeper network those in the middle are left out."""


def network_table(net: "Network", most: int | None = None) -> "Table":
    """Lay a network out as a table: layers, output shapes, kept weights, density, winners.

    Parameters
    ----------
    net : Network
    most : int, optional
        Layers that are shown; all of them when left out.

    Returns
    -------
    rich.table.Table

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import Linear
    >>> from sparsenet.graph.network import Network
    >>> network_table(Network.sequential((4,), [Linear(np.eye(4)), KWinners(2)])).row_count
    3
    """
    columns = [
        Column("layer", lambda node: printable(node.name), words=True),
        Column("kind", lambda node: type(node.layer).__name__, words=True),
        Column("output", lambda node: as_shape(net.shapes[node.name]), words=True),
        Column("kept", lambda node: _weights(node.layer)[0]),
        Column("weights", lambda node: _weights(node.layer)[1]),
        Column("density", lambda node: _weights(node.layer)[2]),
        Column("winners", lambda node: as_winners(node.layer, net.shapes[node.name])),
    ]
    given = [[printable(name), _dtype(one.dtype), as_shape(one.shape)] for name, one in net.inputs.items()]
    rows = [*given, *shortened(net.nodes, most or len(net.nodes))]
    return laid_out(printable(net.details.get("title", "")), columns, rows, None)


def _dtype(dtype: str) -> str:
    """Name what an input holds, where that is not float32."""
    return "" if dtype == "float32" else dtype


def plan_table(engine: "Engine | CudaEngine") -> "Table":
    """Lay out what an engine runs: for each layer with weights the kernel and why, and how full its format is.

    Parameters
    ----------
    engine : Engine

    Returns
    -------
    rich.table.Table
        One row for each record of ``engine.plan``. Times are of one sample: each layer's with the kernel that was
        chosen, as predicted; below the table the whole network's, where candidates were timed.
    """
    title = f"Plan for batches of up to {engine.batch:,}, threads: {engine.threads}; times in µs a sample"
    columns = [
        Column("layer", lambda choice: printable(choice.layer), words=True),
        Column("kernel, and why", _why, words=True),
        Column("fill", lambda choice: "" if choice.fill is None else as_share(choice.fill)),
        Column("layer,\npredicted", lambda choice: time_text(_time_us(choice, choice.predicted_us))),
    ]
    whole_us = [time_us for choice in engine.plan if (time_us := _time_us(choice, choice.measured_us)) is not None]
    notes = [f"The whole network, measured while planning: {min(whole_us, default=0.0):,.2f} µs."] * bool(whole_us)
    table = laid_out(title, columns, shortened(engine.plan, MOST_ROWS), None, notes=notes)
    table.show_lines = True
    return table


def _why(choice: "Choice") -> str:
    return f"[bold]{choice.kernel}[/bold]\n{printable(choice.reason)}"


def _time_us(choice: "Choice", times_us: Mapping[str, float]) -> float | None:
    """Give the time of the kernel that was chosen; the planner may know it by its name without the variant."""
    return times_us.get(choice.kernel, times_us.get(base_of(choice.kernel)))


def kept_weights(layer: Layer) -> tuple[int, int] | None:
    """Count a layer's kept and all weights; None where it has none.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsenet.layers import Linear
    >>> kept_weights(Linear(np.eye(4)))
    (4, 16)
    """
    if not isinstance(layer, Weighted):
        return None
    return kept_count(layer), int(layer.weight.size)


def as_shape(shape: tuple[int, ...]) -> str:
    """Write a shape with an x between its sizes.

    Examples
    --------
    >>> as_shape((64, 14, 14))
    '64x14x14'
    """
    return "x".join(str(size) for size in shape)


def as_winners(layer: Layer, shape: tuple[int, ...]) -> str:
    """Write how many winners a layer keeps of how many candidates; nothing where it keeps all.

    Examples
    --------
    >>> as_winners(KWinners(6, scope="channels"), (64, 14, 14))
    '6 of 64'
    """
    if not isinstance(layer, KWinners):
        return ""
    return f"{layer.k:,} of {shape[0] if layer.scope == 'channels' else prod(shape):,}"


def printable(value: object) -> str:
    r"""Write a text from a file so that a table shows it literally, without markup; see also :func:`plain`.

    Examples
    --------
    >>> printable("nine [bold]")
    'nine \\[bold]'
    """
    from rich.markup import escape

    return escape(plain(value))


def plain(value: object) -> str:
    r"""Write a text from a file without control characters, so that it cannot control the terminal.

    Examples
    --------
    >>> plain("nine\x1b[2J")
    'nine�[2J'
    """
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value))


def _weights(layer: Layer) -> tuple[str, str, str]:
    counted = kept_weights(layer)
    if counted is None:
        return "", "", ""
    kept, total = counted
    return f"{kept:,}", f"{total:,}", as_share(kept / total)
