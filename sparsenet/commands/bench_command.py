"""``sparsenet bench``: networks against peers, single layers four ways, MLPerf's two scenarios."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsenet.bench.engines import compare_engines
from sparsenet.bench.layer_shapes import shapes_from
from sparsenet.bench.layers import sweep_layers
from sparsenet.bench.mlperf import LEAST_S
from sparsenet.bench.tables import comparison_footnotes, comparison_table, own_table, sweep_footnotes, sweep_table
from sparsenet.command_line import as_json, print_json
from sparsenet.commands.output import progress_bar, results, spinner
from sparsenet.errors import SparsenetError
from sparsenet.machine.cores import usable_cores
from sparsenet.machine.limits import limits
from sparsenet.models import load
from sparsenet.tables import printable
from sparsenet.whole_files import write_whole

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Wishes", "bench_layers", "bench_mlperf", "bench_network"]

ALL_CORES = "N"

LARGEST = 2**20
"""Batches and threads of one run."""


@dataclass(frozen=True)
class Wishes:
    """What the command line asked for, as it was written."""

    batch: str
    threads: str
    rounds: int
    seconds: float
    as_json: bool
    record: Path | None
    plot: Path | None


def bench_network(model: str, wishes: Wishes) -> None:
    """Race a network and its dense twin through every engine that is installed."""
    batches, threads = _numbers("batch", wishes.batch), _numbers("threads", wishes.threads)
    net = load(model)
    limits()  # measured the first time, and shown before something else is
    with spinner("preparing") as status:
        found = compare_engines(model, net, batches, threads, wishes.rounds, wishes.seconds, status.update)

    def shown(columns: int) -> "list[RenderableType]":
        return [comparison_table(found, columns), *map(printable, comparison_footnotes(found))]

    _show(wishes, found.to_dict, shown)
    if wishes.plot:  # last, so that nothing is lost where it cannot be drawn
        from sparsenet.bench.plots import plot_comparison

        plot_comparison(found, wishes.plot)


def bench_layers(source: str, densities: str, actives: str, masks: str, wishes: Wishes) -> None:
    """Time single layers four ways."""
    shapes = shapes_from(source)
    fractions = _fractions("density", densities), _fractions("active", actives)
    limits()  # see bench_network
    with progress_bar() as bar:
        task = bar.add_task("preparing", total=None)
        found = sweep_layers(
            shapes,
            *fractions,
            _numbers("batch", wishes.batch),
            tuple(dict.fromkeys(word.strip() for word in masks.split(","))),
            wishes.seconds,
            lambda step: bar.update(task, description=step),
            lambda done, total: bar.update(task, completed=done, total=total),
        )

    def shown(columns: int) -> "list[RenderableType]":
        own = own_table(found, columns)
        tables = [sweep_table(found, columns), *[own] * bool(own.row_count)]
        return [*tables, *map(printable, sweep_footnotes(found))]

    _show(wishes, found.to_dict, shown)
    if wishes.plot:
        from sparsenet.bench.plots import plot_sweep

        plot_sweep(found, wishes.plot)


def bench_mlperf(model: str, wishes: Wishes, least_s: float = LEAST_S) -> None:
    """Run MLPerf's single stream and offline scenarios in this engine."""
    from sparsenet.bench.scenarios import run_scenarios, scenario_lines, scenario_table

    batch, threads = max(_numbers("batch", wishes.batch)), max(_numbers("threads", wishes.threads))
    net = load(model)
    limits()  # see bench_network
    with progress_bar() as bar:
        task = bar.add_task("preparing", total=100)

        def tell(step: str, share: float) -> None:
            bar.update(task, description=step, completed=int(100 * share))

        found = run_scenarios(model, net, batch, threads, least_s, tell)
    _show(wishes, found.to_dict, lambda columns: [scenario_table(found), *map(printable, scenario_lines(found))])


def _show(wishes: Wishes, record: Callable[[], Any], shown: "Callable[[int], Sequence[RenderableType]]") -> None:
    """Print the table, or JSON in its place; write JSON to a file where one is asked for."""
    if wishes.record:
        write_whole(wishes.record, as_json(record()))
    if wishes.as_json:
        print_json(record())
        return
    console = results()
    for one in shown(console.width):
        console.print(one)


def _numbers(name: str, text: str) -> tuple[int, ...]:
    """Read ``1,8,64``; for threads ``N`` stands for all usable cores."""
    words = [word.strip() for word in text.split(",")]
    if name == "threads":
        words = [str(usable_cores()) if word == ALL_CORES else word for word in words]
    if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= LARGEST for word in words):
        also = f", or {ALL_CORES} for all cores" if name == "threads" else ""
        raise SparsenetError(
            f"expected --{name} as whole numbers from 1 to {LARGEST:,} with commas between{also}, got {text!r}"
        )
    return tuple(dict.fromkeys(int(word) for word in words))


def _fractions(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(dict.fromkeys(float(word) for word in text.split(",")))
    except ValueError:
        raise SparsenetError(f"expected --{name} as fractions with commas between, got {text!r}") from None
