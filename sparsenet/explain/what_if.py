"""Predict how fast a network would be with other masks or fewer winners, before it is trained."""

from collections.abc import Iterator, Sequence
from itertools import chain, cycle
from typing import TYPE_CHECKING, Any

from sparsenet.engine.examples import calls_to_time
from sparsenet.explain.variants import weighted_nodes, with_winners
from sparsenet.explain.what_if_answer import WhatIf, WhatIfLayer, WhatIfRow
from sparsenet.explain.what_if_networks import (
    DENSE,
    ChangedNetwork,
    changed_nodes,
    density_of,
    might_be,
    there_is,
    wished_families,
)
from sparsenet.graph.network import INPUT, Network, Node
from sparsenet.graph.parts import expect_network
from sparsenet.layers import Weighted
from sparsenet.packing.arguments import checked_density, whole
from sparsenet.passes import fold_batchnorm
from sparsenet.progress import tracked
from sparsenet.timing import least_us

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["what_if"]

LONGEST_S, ROW_S = 3.0, 0.003
"""Timing all networks in turn ends after this, and each has its turn for so long: a large one empties the caches, and a
few calls that look at other weights each do not fill them again (13.1 instead of 7.0 µs, beside one of 20 MB)."""

CALL_US = 0.8
"""Calling an engine from Python, which is in every measured time."""


def what_if(
    net: Network,
    *,
    density: float | None = None,
    active: float | None = None,
    batch: int = 1,
    family: str | None = None,
    layers: Sequence[str] | None = None,
    measure: bool = False,
    examples: Any = None,
    progress: bool | None = None,
) -> WhatIf:
    """Predict, and measure on request, how fast a network would be with other masks or fewer winners.

    Nobody needs to train such a network to know its speed: layers get random weights under masks of the kind asked for.

    Parameters
    ----------
    net : Network
    density : float, optional
        Fraction of weights to keep, in (0, 1]; each layer's own when left out.
    active : float, optional
        Fraction of winners in every k-winners layer, in (0, 1]; where there are none, every ReLU becomes k-winners.
        Each layer's own when left out.
    batch : int
        Samples of one call.
    family : str, optional
        Masks of one family, a key of :data:`sparsenet.packing.FAMILIES`. When left out, every family has its row,
        unless only ``active`` is asked for.
    layers : sequence of str, optional
        Layers that get other masks. When left out those that have zero weights; where none has, all but those that
        read the network's input or give its output.
    measure : bool
        Whether every network is compiled and timed in turn, on one core.
    examples : array (n, *input_shape), or mapping of str to array, optional
        The only input, or all of them by name, to time on; random numbers when left out.
    progress : bool or None
        Whether to show progress where it takes over a second: always, never, or (None) in terminals and notebooks.

    Returns
    -------
    WhatIf
        Prints as a table in a terminal and in a notebook.

    Raises
    ------
    SparsenetError
        When a setting cannot be right, or there is nothing to change.
    TypeError
        When ``net`` is not a network, or a setting has the wrong type.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsenet as sn
    >>> net = sn.Network.sequential((256,), [sn.KWinners(25), sn.Linear(np.ones((256, 256)))])
    >>> found = what_if(net, density=0.05, family="blocks")
    >>> [row.name for row in found.rows], found.best.layers[1].density < 0.06
    (['as it is', 'dense kernels', 'blocks'], True)
    """
    expect_network(net)
    net = fold_batchnorm(net)
    fewer = net if active is None else with_winners(net, active)
    density = None if density is None else checked_density(density)
    batch = whole("batch", batch)
    wished = wished_families(density, active, family)
    changed = changed_nodes(net, layers, density, wished)
    planned = chain(there_is(net, batch), might_be(fewer, changed, density, wished, batch))
    candidates = list(tracked(planned, "planning networks", progress, 2 + max(len(wished), 1)))
    measured: list[float | None] = [None] * len(candidates)
    if measure:
        measured = list(_measured_us(candidates, batch, examples, progress))
    rows = [_row(candidate, batch, time_us) for candidate, time_us in zip(candidates, measured, strict=True)]
    return WhatIf(tuple(rows), density, active, batch)


def _measured_us(
    candidates: Sequence[ChangedNetwork], batch: int, examples: Any, progress: bool | None
) -> Iterator[float]:
    """Compile every network and time them in turn: microseconds for one sample."""
    calls = calls_to_time(candidates[0].network, examples, batch)

    def runner(engine: "Engine") -> Any:
        inputs = cycle(calls)
        return lambda: engine(next(inputs))

    todo = tracked(candidates, lambda one: f"compiling {one.name}", progress, len(candidates))
    runs = [runner(_compiled(candidate, batch, examples)) for candidate in todo]
    for time_us in least_us(runs, "timing all in turn", progress, LONGEST_S, ROW_S):
        yield time_us / batch


def _compiled(candidate: ChangedNetwork, batch: int, examples: Any) -> "Engine":
    from sparsenet.engine import compiling

    planner = "predict" if candidate.name == DENSE else "measure"
    settings: dict[str, Any] = {"kernels": candidate.kernels, "examples": examples, "progress": False}
    return compiling.compile(candidate.network, batch, 1, planner=planner, **settings)


def _row(candidate: ChangedNetwork, batch: int, measured_us: float | None) -> WhatIfRow:
    layers = tuple(_layer(candidate, node) for node in candidate.network.nodes if _runs(candidate, node))
    weighted = [node.layer for node in weighted_nodes(candidate.network)]
    sizes = [layer.weight.size for layer in weighted if isinstance(layer, Weighted)]
    densities = [layer.density for layer in layers if layer.density is not None]
    kept = sum(size * density for size, density in zip(sizes, densities, strict=True))
    called_us = candidate.forecast.layers_us[INPUT] + CALL_US / batch
    predicted_us = called_us + sum(layer.predicted_us for layer in layers)
    density = kept / sum(sizes) if sizes else None
    return WhatIfRow(
        candidate.name, layers, density, called_us, predicted_us, measured_us, candidate.notes, candidate.refused
    )


def _runs(candidate: ChangedNetwork, node: Node) -> bool:
    return node.name in candidate.forecast.layers_us


def _layer(candidate: ChangedNetwork, node: Node) -> WhatIfLayer:
    time_us = candidate.forecast.layers_us[node.name]
    choice = candidate.forecast.choices.get(node.name)
    if choice is None:
        return WhatIfLayer(node.name, type(node.layer).__name__, "", None, "", time_us)
    # zeros were filled for formats that would leave them out
    density = 1.0 if candidate.name == DENSE else density_of(node.layer)
    family = candidate.families.get(node.name, "")
    return WhatIfLayer(node.name, type(node.layer).__name__, family, density, choice.kernel, time_us)
