"""``python -m sparsenet.recipes.study``: train the reference network in many ways, and compare.

    python -m sparsenet.recipes.study --words words.npz --runs runs --recordings recordings --jobs 2
    python -m sparsenet.recipes.study --words words.npz --runs runs --time
    python -m sparsenet.recipes.study --words words.npz --runs runs --report study.md --plot front.svg
    python -m sparsenet.recipes.study --words words.npz --runs runs --bundle sparsenet/models

Finished runs are skipped, runs that were cut off go on where they were.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from sparsenet.command_line import run
from sparsenet.errors import SparsenetError
from sparsenet.recipes.prepared import PreparedWords
from sparsenet.recipes.training.plan import GROUPS, Run, planned_runs
from sparsenet.recipes.training.report import as_markdown, draw_front, folds_as_markdown, read_results
from sparsenet.recipes.training.schedule import run_all

__all__ = ["main", "study"]


def study(
    words: Annotated[Path, typer.Option(help="What python -m sparsenet.recipes.prepare wrote.")],
    runs: Annotated[Path, typer.Option(help="Folder with a folder for each run.")],
    only: Annotated[str, typer.Option(help="Names of runs or of groups of them, with commas between.")] = "",
    fold: Annotated[str, typer.Option(help="Who is held out where one fold is used; the first by name.")] = "",
    recordings: Annotated[Path | None, typer.Option(help="Folder of people's recordings, for noise sweeps.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at a time.")] = 2,
    time: Annotated[bool, typer.Option("--time", help="Time the finished networks; train nothing.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the tables as Markdown; train nothing.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the front; train nothing.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Write the networks that ship to a folder; train nothing.")
    ] = None,
) -> None:
    """Train the study's networks, or time them, report on them, make the bundled networks of them."""
    prepared = PreparedWords.load(words)
    planned = _chosen(_planned(prepared, runs, fold), only)
    if time:
        from sparsenet.recipes.training.timing import time_runs

        time_runs(planned, runs, prepared, tell=_say)
    if report is not None or plot is not None:
        rows = read_results(planned, runs)
        if report is not None:
            report.write_text(f"{folds_as_markdown(rows)}\n\n{as_markdown(rows)}\n", encoding="utf-8")
        if plot is not None:
            draw_front(rows, plot)
    if bundle is not None:
        from sparsenet.recipes.training.bundle import bundle as write_bundle

        write_bundle(planned, runs, prepared, bundle, _say)
    if not time and report is None and plot is None and bundle is None:
        failed = run_all(planned, runs, words, recordings, jobs, _say)
        if failed:
            raise SparsenetError(f"not finished: {', '.join(failed)}")


def _planned(prepared: PreparedWords, runs: Path, fold: str) -> tuple[Run, ...]:
    people = sorted(np.unique(prepared.speakers[prepared.splits == "people"]).tolist())
    if not people:
        raise SparsenetError("expected recordings of people among the prepared words, found none")
    return planned_runs(runs, people, fold or people[0])


def _chosen(planned: tuple[Run, ...], only: str) -> list[Run]:
    """Pick runs by name or group, in the order that was asked for."""
    asked = [name for name in only.split(",") if name]
    known = {*GROUPS, *(run.name for run in planned)}
    strange = [name for name in asked if name not in known]
    if strange:
        raise SparsenetError(f"expected a run or a group ({', '.join(GROUPS)}), got {strange[0]!r}")
    if not asked:
        return list(planned)
    return list(dict.fromkeys(run for name in asked for run in planned if name in (run.name, run.group)))


def _say(said: str) -> None:
    print(said, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; say in one sentence what went wrong."""
    run(study, "python -m sparsenet.recipes.study", arguments)


if __name__ == "__main__":
    main()
