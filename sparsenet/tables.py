"""Tables of networks and plans; terminals and notebooks print the same table."""

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

from sparsenet.layers import KWinners, Layer, Weighted, kept_count
from sparsenet.table_html import HTML_WIDTH, as_html
from sparsenet.table_style import middle_left_out, ruled
from sparsenet.units import as_share, as_size
from sparsenet_kernels.queries import base_of

if TYPE_CHECKING:
    from rich.table import Table

    from sparsenet.engine.cuda_engine import CudaEngine
    from sparsenet.engine.engine import Engine
    from sparsenet.graph.network import Network, Node
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
    title = printable(net.details.get("title", ""))
    table = ruled(title, ("layer", "kind", "output"), ("kept", "weights", "density", "winners"))
    for name, given in net.inputs.items():
        kind = "" if given.dtype == "float32" else given.dtype
        table.add_row(printable(name), kind, as_shape(given.shape), "", "", "", "")
    first, between, last = middle_left_out(net.nodes, most or len(net.nodes))
    for node in first:
        table.add_row(*_layer_cells(net, node))
    if between:
        table.add_row("...", f"{between:,} more", "", "", "", "", "")
    for node in last:
        table.add_row(*_layer_cells(net, node))
    return table


def _layer_cells(net: "Network", node: "Node") -> tuple[str, ...]:
    kind, shape = type(node.layer).__name__, net.shapes[node.name]
    return printable(node.name), kind, as_shape(shape), *_weights(node.layer), as_winners(node.layer, shape)


def plan_table(engine: "Engine | CudaEngine") -> "Table":
    """Lay out what an engine runs: for each layer with weights the kernel and why, and how full its format is.

    Parameters
    ----------
    engine : Engine

    Returns
    -------
    rich.table.Table
        One row for each record of ``engine.plan``. Times are of one sample: the layer's with the kernel that was
        chosen, as predicted, and the whole network's with it, where candidates were timed.
    """
    title = f"Plan for batches of up to {engine.batch:,}, threads: {engine.threads}; times in µs a sample"
    measured = any(choice.measured_us for choice in engine.plan)
    numbers = "fill", "layer,\npredicted", *["network,\nmeasured"] * measured
    table = ruled(title, ("layer", "kernel, and why"), numbers)
    table.show_lines = True
    first, between, last = middle_left_out(engine.plan, MOST_ROWS)
    for choice in first:
        table.add_row(*_choice_cells(choice, measured))
    if between:
        table.add_row("...", f"{between:,} more", "", "", *[""] * measured)
    for choice in last:
        table.add_row(*_choice_cells(choice, measured))
    return table


def _choice_cells(choice: "Choice", measured: bool) -> tuple[str, ...]:
    fill = "" if choice.fill is None else as_share(choice.fill)
    times = [_time(choice.predicted_us, choice.kernel), *[_time(choice.measured_us, choice.kernel)] * measured]
    return printable(choice.layer), f"[bold]{choice.kernel}[/bold]\n{printable(choice.reason)}", fill, *times


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


def _time(times_us: Mapping[str, float], kernel: str) -> str:
    """Write a kernel's time; the planner may know it by its name without the variant."""
    time_us = times_us.get(kernel, times_us.get(base_of(kernel)))
    return "" if time_us is None else f"{time_us:,.2f}"
