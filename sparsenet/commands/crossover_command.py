"""``sparsenet crossover``: where each kernel and the dense one win on this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sparsenet.bench.studies.crossover import crossover
from sparsenet.command_line import print_json
from sparsenet.commands.output import measured_on, results
from sparsenet.errors import SparsenetError
from sparsenet.info import info

__all__ = ["Axes", "map_crossover"]

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Axes:
    """The axes of the map, as they were written: numbers with commas between."""

    sizes: str
    densities: str
    active: str
    batches: str


def map_crossover(
    axes: Axes, family: str, dtype: str, measure: bool, again: bool, as_json: bool, plot: Path | None
) -> None:
    """Print the map of winners, and draw it where that is asked for."""
    found = crossover(
        _numbers("sizes", axes.sizes, int),
        _numbers("densities", axes.densities, float),
        _numbers("active", axes.active, float),
        _numbers("batches", axes.batches, int),
        family=family,
        dtype=dtype,
        measure=measure,
        again=again,
    )
    if as_json:
        print_json(found.to_dict() | {"info": info().to_dict()})
    else:
        results().print(found, measured_on(measure), sep="\n")
    if plot is not None:  # last, so that nothing is lost where it cannot be drawn
        found.plot(plot)


def _numbers(name: str, text: str, read: Callable[[str], Number]) -> list[Number]:
    try:
        return [read(word) for word in text.split(",")]
    except ValueError:
        raise SparsenetError(f"expected --{name} as numbers with commas between, got {text!r}") from None
