"""Compare masks built in sets with masks that are not: ``python -m sparsenet.packing``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import exp, lgamma
from time import perf_counter
from typing import Any

import numpy as np

from sparsenet.packing.masks import complementary, uniform
from sparsenet.packing.pack import METHODS, pack
from sparsenet.packing.packed import Packing

__all__ = ["LAYERS", "LayerToPack", "Outcome", "as_markdown", "chance_to_share_nothing", "compare"]


@dataclass(frozen=True)
class LayerToPack:
    """A layer to make masks for, by its name, shape and density."""

    name: str
    shape: tuple[int, int]
    density: float


LAYERS = (
    LayerToPack("linear of the reference network", (1500, 1600), 0.04),
    LayerToPack("second convolution of the reference network", (64, 1600), 0.12),
    LayerToPack("a square layer", (512, 512), 0.05),
)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of packing one layer in one way.

    Parameters
    ----------
    layer : LayerToPack
    way : str
        What was packed, and how.
    packing : Packing
    time_s : float
        What making the mask and packing it took.
    """

    layer: LayerToPack
    way: str
    packing: Packing
    time_s: float

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the masks by its name, ready for JSON."""
        shown = "density", "count", "lower_bound", "fill", "energy", "free_energy"
        told = {name: getattr(self.packing, name) for name in shown}
        return {
            "layer": self.layer.name,
            "shape": list(self.layer.shape),
            "way": self.way,
            **told,
            "time_s": self.time_s,
        }


def compare(layers: tuple[LayerToPack, ...] = LAYERS, seed: int = 0) -> Iterator[Outcome]:
    """Pack random masks, masks built in sets, and random dense weights.

    Parameters
    ----------
    layers : tuple of LayerToPack
    seed : int
        Of the masks and the weights.

    Yields
    ------
    Outcome

    Examples
    --------
    >>> for outcome in compare((LayerToPack("small", (64, 200), 0.1),)):
    ...     print(outcome.way, outcome.packing.count)
    built in sets 7
    random mask, first-fit 30
    random mask, best-fit 32
    random mask, colouring 27
    dense weights, sets of neighbours 7
    dense weights, magnitude 7
    """
    for layer in layers:
        yield _timed(layer, "built in sets", partial(_packed_as_built, layer, seed))
        mask = uniform(layer.shape, layer.density, seed=seed)
        for method in METHODS:
            yield _timed(layer, f"random mask, {method}", partial(pack, mask, method=method))
        weight = np.random.default_rng(seed).standard_normal(layer.shape)
        neighbours = complementary(layer.shape, layer.density).sets
        for way, sets in (("sets of neighbours", neighbours), ("magnitude", None)):
            yield _timed(layer, f"dense weights, {way}", partial(pack, weight, layer.density, sets=sets))


def _packed_as_built(layer: LayerToPack, seed: int) -> Packing:
    mask = complementary(layer.shape, layer.density, seed=seed)
    return pack(mask, sets=mask.sets)


def _timed(layer: LayerToPack, way: str, run: Callable[[], Packing]) -> Outcome:
    begin = perf_counter()
    packing = run()
    return Outcome(layer, way, packing, perf_counter() - begin)


def chance_to_share_nothing(D: int, kept: int) -> float:
    """Return the probability that two outputs share no input, when each keeps the same number of D inputs at random.

    That is C(D - kept, kept) / C(D, kept).

    Parameters
    ----------
    D, kept : int

    Examples
    --------
    >>> round(chance_to_share_nothing(4, 2), 3), f"{chance_to_share_nothing(1600, 192):.0e}"
    (0.167, '4e-12')
    """
    if 2 * kept > D:
        return 0.0
    return exp(2 * lgamma(D - kept + 1) - lgamma(D - 2 * kept + 1) - lgamma(D + 1))


def as_markdown(outcomes: list[Outcome]) -> str:
    """Write outcomes as a Markdown table."""
    lines = [
        "| layer | density | packed | sets | at least | outputs a set | full | energy kept | free | ms |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join(lines + [_line(outcome) for outcome in outcomes])


def _line(outcome: Outcome) -> str:
    packing, layer = outcome.packing, outcome.layer
    each = len(packing.keep) / packing.count
    energies = ["" if share is None else f"{share:.1%}" for share in (packing.energy, packing.free_energy)]
    cells = (
        f"{layer.name}, {layer.shape[0]} x {layer.shape[1]}",
        f"{packing.density:.1%}",
        outcome.way,
        *(f"{packing.count}", f"{packing.lower_bound}", f"{each:.1f}", f"{packing.fill:.1%}", *energies),
        f"{outcome.time_s * 1e3:.1f}",
    )
    return "| " + " | ".join(cells) + " |"
