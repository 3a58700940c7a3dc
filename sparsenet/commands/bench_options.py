"""The options of ``sparsenet bench`` and ``sparsenet gpu-study``."""

from pathlib import Path
from typing import Annotated

import typer

from sparsenet.commands.options import writable

__all__ = [
    "Actives",
    "Batches",
    "Benched",
    "Densities",
    "Masks",
    "Mlperf",
    "Page",
    "Rounds",
    "SecondsOfRun",
    "SingleLayers",
    "StudyRecord",
    "StudySeconds",
    "Threads",
]

Benched = Annotated[
    str | None,
    typer.Argument(
        help="Name of a bundled network, or path of a file; with --layers linear, conv3x3, resnet50, bert, or a file "
        "of shapes, one a line.",
        metavar="MODEL|FILE",
        show_default=False,
    ),
]
Batches = Annotated[str, typer.Option(help="Batch sizes, with commas between.", show_default=False)]
Threads = Annotated[str, typer.Option(help="Numbers of threads, with commas between; N for all cores.")]
Rounds = Annotated[int, typer.Option(min=1, max=100_000, help="Rounds of each interleaved run, at most.")]
SecondsOfRun = Annotated[
    float, typer.Option(min=0.01, max=86_400, help="Time for each run, at most; one round is always made.")
]
SingleLayers = Annotated[bool, typer.Option("--layers", help="Time single layers four ways instead of a network.")]
Densities = Annotated[str, typer.Option(help="With --layers: fractions of weights kept.")]
Actives = Annotated[str, typer.Option(help="With --layers: fractions of inputs active.")]
Masks = Annotated[str, typer.Option(help="With --layers: whether weights are kept in blocks, or scattered.")]
Mlperf = Annotated[
    bool, typer.Option("--mlperf", help="Run MLPerf's single stream and offline, 60 s each, in this engine.")
]
StudyRecord = Annotated[
    Path,
    typer.Option(
        help="A file for the JSON; a study that it holds already is continued.", metavar="FILE", callback=writable
    ),
]
Page = Annotated[
    Path | None,
    typer.Option(help="Write the page, as Markdown, to a file.", metavar="FILE", callback=writable, show_default=False),
]
StudySeconds = Annotated[
    float, typer.Option(min=0, max=86_400, help="After so many seconds no further point of the map is begun.")
]
