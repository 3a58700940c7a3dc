"""Run the trainings of a study in parallel, each in its own process; a network waits for its teachers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sparsenet.errors import SparsenetError
from sparsenet.recipes.training.plan import Run
from sparsenet.recipes.training.run_files import LOG_FILE, RECIPE_FILE, RESULTS_FILE

__all__ = ["finished", "run_all"]

LOOK_EVERY_S = 2.0

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread for each training: with more, the threads of several trainings wait for each other."""


def finished(folder: Path, run: Run) -> bool:
    """Tell whether a run's results have been written."""
    return (folder / run.name / RESULTS_FILE).is_file()


def run_all(
    runs: Sequence[Run],
    folder: Path,
    words: Path,
    recordings: Path | None,
    jobs: int,
    tell: Callable[[str], object] = lambda said: None,
) -> list[str]:
    """Run the trainings that are not finished, in order, several at a time.

    Parameters
    ----------
    runs : sequence of Run
        Teachers before their pupils.
    folder : Path
        Each run gets a folder in it.
    words : Path
        Of prepared words.
    recordings : Path, optional
        For noise sweeps.
    jobs : int
        Processes at a time, one core each.
    tell : callable
        Is told in a few words what begins and what ends.

    Returns
    -------
    list of str
        Names of runs that failed, or whose teachers did; their logs say why.

    Raises
    ------
    SparsenetError
        When ``jobs`` is below one.
    """
    if jobs < 1:
        raise SparsenetError(f"expected at least one job, got {jobs}")
    waiting = [run for run in runs if not finished(folder, run)]
    going: dict[str, subprocess.Popen[bytes]] = {}
    failed: list[str] = []
    try:
        while waiting or going:
            failed += _ended(going, tell)
            ready = [run for run in waiting if all(Path(path).is_file() for path in run.recipe.teachers)]
            for run in ready[: jobs - len(going)]:
                tell(f"begins: {run.name}")
                going[run.name] = _started(run, folder / run.name, words, recordings)
                waiting.remove(run)
            if not going:
                return failed + [run.name for run in waiting]
            time.sleep(LOOK_EVERY_S)
    finally:
        for process in going.values():
            process.terminate()
    return failed


def _started(run: Run, folder: Path, words: Path, recordings: Path | None) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    recipe = folder / RECIPE_FILE
    recipe.write_text(json.dumps(run.recipe.to_dict(), indent=1) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "sparsenet.recipes.train", "--words", str(words), "--out", str(folder)]
    command += ["--recipe", str(recipe)]
    if recordings is not None:
        command += ["--recordings", str(recordings)]
    with (folder / LOG_FILE).open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **ONE_THREAD})


def _ended(going: dict[str, subprocess.Popen[bytes]], tell: Callable[[str], object]) -> list[str]:
    """Forget the processes that have ended; return those that failed."""
    failed = []
    for name, process in list(going.items()):
        code = process.poll()
        if code is not None:
            del going[name]
            tell(f"ended: {name}" if code == 0 else f"failed: {name}, see its {LOG_FILE}")
            failed += [name] if code else []
    return failed
