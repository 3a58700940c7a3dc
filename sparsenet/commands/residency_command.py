"""``sparsenet residency``: how much of the speed is cache."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparsenet.bench.inputs import inputs_for
from sparsenet.bench.studies.cache_timing import FloatArray
from sparsenet.bench.studies.residency import residency
from sparsenet.command_line import print_json
from sparsenet.commands.output import results, spinner
from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network
from sparsenet.info import info, versions_line
from sparsenet.models import load
from sparsenet.tables import printable

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["residency_of"]


def residency_of(models: Sequence[str], sizes: str, seconds: float, plot: Path | None, as_json: bool) -> None:
    """Print times of networks and of ever larger layers, with caches hot and displaced."""
    wanted = _sizes(sizes)
    found = residency(_engines(models), sizes=wanted, seconds=seconds)
    about = info()
    if as_json:
        print_json(found.to_dict() | {"info": about.to_dict()})
    else:
        results().print(found, f"With {printable(versions_line(about))}.", sep="\n")
    if plot:  # last, so that nothing is lost where it cannot be drawn
        from sparsenet.bench.studies.residency_plot import plot_residency

        plot_residency(found, plot)


def _engines(models: Sequence[str]) -> "dict[str, tuple[Engine, FloatArray]]":
    import sparsenet

    networks: dict[str, Network] = {name: load(name) for name in models}
    engines: dict[str, tuple[Engine, FloatArray]] = {}
    with spinner("preparing") as status:
        for name, net in networks.items():
            status.update(f"compiling {printable(name)}")
            inputs = inputs_for(net, 1)
            engine = sparsenet.compile(net, batch=1, threads=1, examples=inputs.calibration, progress=False)
            engines[name] = engine, inputs.timed
    return engines


def _sizes(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if words == ["0"]:
        return ()
    if not all(word.isascii() and word.isdigit() for word in words):
        raise SparsenetError(f"expected --sizes as whole numbers with commas between, or 0 for none, got {text!r}")
    return tuple(dict.fromkeys(map(int, words)))
