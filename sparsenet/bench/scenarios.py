"""MLPerf's scenarios for a network in this engine: prepared, run, laid out as a table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsenet.bench.inputs import inputs_for
from sparsenet.bench.mlperf import (
    LEAST_S,
    OFFLINE_SAMPLES,
    STREAM_QUERIES,
    Offline,
    SingleStream,
    offline,
    single_stream,
)
from sparsenet.bench.surroundings import Surroundings, surroundings
from sparsenet.graph.network import Network
from sparsenet.renderer import Column, as_record, laid_out
from sparsenet.tables import printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Scenarios", "run_scenarios", "scenario_lines", "scenario_table"]

Tell = Callable[[str, float], object]

COLUMNS = (
    *(Column("scenario", words=True), Column("result", words=True)),
    *(Column(heading) for heading in ("queries", "samples", "seconds", "by the rules")),
)


@dataclass(frozen=True)
class Scenarios:
    """Both scenarios of one network in this engine."""

    model: str
    single_stream: SingleStream
    offline: Offline
    threads: int
    inputs: str
    info: Surroundings

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return as_record(self)


def run_scenarios(
    model: str,
    net: Network,
    batch: int,
    threads: int,
    least_s: float = LEAST_S,
    tell: Tell = lambda step, share: None,
) -> Scenarios:
    """Run single stream (one sample, one thread) and offline (batches, threads) in this engine.

    Parameters
    ----------
    model : str
        The name or path that the network was loaded by.
    net : Network
    batch, threads : int
        Of the offline scenario.
    least_s : float
        Seconds that each lasts at least; fewer than 60 are not by the rules, and the result says so.
    tell : callable
        Is told what is done, and which share of it is.
    """
    import sparsenet

    inputs = inputs_for(net, batch)
    singles = [inputs.timed[i : i + 1] for i in range(len(inputs.timed))]
    batches = [inputs.timed[i : i + batch] for i in range(0, len(inputs.timed) - batch + 1, batch)]
    alone = sparsenet.compile(net, batch=1, threads=1, examples=inputs.calibration, progress=False)
    stream = single_stream(alone, singles, least_s=least_s, tell=lambda share: tell("single stream", share))
    together = sparsenet.compile(net, batch=batch, threads=threads, examples=inputs.calibration, progress=False)
    bulk = offline(together, batches, least_s=least_s, tell=lambda share: tell("offline", share))
    return Scenarios(model, stream, bulk, threads, inputs.text, surroundings())


def scenario_table(found: Scenarios) -> "Table":
    """Lay both scenarios out as a table."""
    stream, bulk = found.single_stream, found.offline
    p90 = f"p90 {stream.p90_us:,.1f} µs (median {stream.median_us:,.1f}, p99 {stream.p99_us:,.1f})"
    rate = f"{bulk.samples_per_s:,.0f} samples/s (batch {bulk.batch}, threads {found.threads})"
    queries = f"{stream.queries:,}", f"{stream.queries:,}", f"{stream.duration_s:.1f}"
    calls = f"{bulk.samples // bulk.batch:,}", f"{bulk.samples:,}", f"{bulk.duration_s:.1f}"
    rows = [
        ["single stream", p90, *queries, _yes(stream.by_the_rules)],
        ["offline", rate, *calls, _yes(bulk.by_the_rules)],
    ]
    return laid_out(f"MLPerf's scenarios, {printable(found.model)} in sparsenet", COLUMNS, rows, None)


def scenario_lines(found: Scenarios) -> list[str]:
    """Say by which rules, on what inputs, on which machine."""
    return [
        f"Rules: single stream at least {STREAM_QUERIES:,} queries and {LEAST_S:.0f} s, offline at least "
        f"{OFFLINE_SAMPLES:,} samples and {LEAST_S:.0f} s. Of MLPerf's rules these are those of timing only: this is "
        "no submission.",
        f"Inputs: {found.inputs}, taking turns.",
        *(f"Measured on {line}." if i == 0 else line for i, line in enumerate(found.info.lines())),
    ]


def _yes(enough: bool) -> str:
    return "yes" if enough else "no"
