"""Report the study: a table of all runs, and a figure of accuracy against time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from sparsenet.figures import for_any_page, new_figure, write_figure
from sparsenet.recipes.training.plan import Run
from sparsenet.recipes.training.recipe import MaskChoice
from sparsenet.recipes.training.run_files import RESULTS_FILE, TIMES_FILE
from sparsenet.recipes.training.schedule import finished

__all__ = ["RunResult", "as_markdown", "draw_front", "folds_as_markdown", "read_results"]

HEADINGS = (
    "run",
    "conv2",
    "linear",
    "winners",
    "epochs",
    "weights",
    "held-out person, float32",
    "int8",
    "unheard voices, float32",
    "int8",
    "validation, int8",
    "noise score, int8",
    "µs a word, int8",
)


@dataclass(frozen=True)
class RunResult:
    """One finished run.

    Attributes
    ----------
    run : Run
    results : dict
        Of ``results.json``.
    times : dict
        Of ``times.json``; empty where the run has not been timed.
    """

    run: Run
    results: dict[str, Any]
    times: dict[str, dict[str, float]]

    def accuracy(self, kind: str, arithmetic: str) -> dict[str, Any] | None:
        """Return the accuracy on ``validation``, ``test`` or the held-out ``person``."""
        held_out = self.run.recipe.held_out
        name = (held_out[0] if held_out else "") if kind == "person" else kind
        found: dict[str, Any] | None = self.results["accuracy"].get(name, {}).get(arithmetic)
        return found

    def time_us(self, arithmetic: str) -> float | None:
        """Return the shortest time of a word."""
        return self.times.get(arithmetic, {}).get("minimum_us")


def read_results(runs: Sequence[Run], folder: Path) -> list[RunResult]:
    """Read the results of the runs that are finished."""
    rows = []
    for run in runs:
        if finished(folder, run):
            results = json.loads((folder / run.name / RESULTS_FILE).read_text(encoding="utf-8"))
            path = folder / run.name / TIMES_FILE
            times = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            rows.append(RunResult(run, results, times))
    return rows


def as_markdown(rows: Sequence[RunResult]) -> str:
    """Write one line for each run; accuracies in percent, with their 95 % confidence interval for the person."""
    lines = [_line(HEADINGS), _line(["---"] * 4 + ["---:"] * (len(HEADINGS) - 4))]
    return "\n".join([*lines, *(_line(_cells(row)) for row in rows)])


def folds_as_markdown(rows: Sequence[RunResult]) -> str:
    """Write mean and spread over the people held out, for each group that has several."""
    lines = [_line(("group", "people", "float32", "int8", "unheard voices, int8", "int8 costs"))]
    lines.append(_line(["---", "---", *["---:"] * 4]))
    for group in dict.fromkeys(row.run.group for row in rows):
        folds = [row for row in rows if row.run.group == group and "-without-" in row.run.name]
        if len(folds) > 1:
            lines.append(_line(_fold_cells(group, folds)))
    return "\n".join(lines)


@for_any_page
def draw_front(rows: Sequence[RunResult], path: Path) -> None:
    """Draw accuracy on the held-out person against µs a word, in int8, with 95 % intervals; runs with times only.

    Raises
    ------
    ModuleNotFoundError
        Without matplotlib (the extra ``notebooks``).
    SparsenetError
        If the ending is no format that matplotlib knows.
    """
    figure = new_figure(9, 6)
    axes = figure.subplots()
    for row in rows:
        found, time_us = row.accuracy("person", "int8"), row.time_us("int8")
        if found is None or time_us is None:
            continue
        low, high = found["interval_95"]
        share = found["share_right"]
        axes.errorbar(time_us, share * 100, [[(share - low) * 100], [(high - share) * 100]], fmt="o", capsize=3)
        axes.annotate(row.run.name, (time_us, share * 100), xytext=(5, 4), textcoords="offset points", fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("µs a word, one core, int8")
    axes.set_ylabel("right of a held-out person's recordings, %")
    axes.grid(alpha=0.3)
    write_figure(figure, path)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: RunResult) -> list[str]:
    recipe, time_us = row.run.recipe, row.time_us("int8")
    person = [_with_interval(row.accuracy("person", key)) for key in ("float32", "int8")]
    return [
        row.run.name,
        _mask(recipe.conv2),
        _mask(recipe.linear),
        "ReLU" if recipe.active is None else "/".join(map(str, recipe.active)),
        str(recipe.epochs),
        f"{row.results['kept_weights']:,}",
        *person,
        *(_percent(row.accuracy("test", key)) for key in ("float32", "int8")),
        _percent(row.accuracy("validation", "int8")),
        _noise_score(row.results),
        "" if time_us is None else f"{time_us:.1f}",
    ]


def _fold_cells(group: str, folds: Sequence[RunResult]) -> list[str]:
    people = ", ".join(row.run.recipe.held_out[0] for row in folds)
    float32, int8 = (_shares(folds, "person", key) for key in ("float32", "int8"))
    voices = _shares(folds, "test", "int8")
    costs = f"{100 * (mean(float32) - mean(int8)):.2f}"
    return [group, people, _spread(float32), _spread(int8), _spread(voices), costs]


def _shares(rows: Sequence[RunResult], kind: str, arithmetic: str) -> list[float]:
    return [found["share_right"] for row in rows if (found := row.accuracy(kind, arithmetic)) is not None]


def _spread(shares: Sequence[float]) -> str:
    return f"{100 * mean(shares):.1f} ± {100 * stdev(shares):.1f}"


def _mask(choice: MaskChoice | None) -> str:
    return "dense" if choice is None else f"{choice.family} {100 * choice.density:.4g} %"


def _percent(found: dict[str, Any] | None) -> str:
    return "" if found is None else f"{100 * found['share_right']:.1f}"


def _with_interval(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    low, high = found["interval_95"]
    return f"{_percent(found)} ({100 * low:.1f} to {100 * high:.1f})"


def _noise_score(results: dict[str, Any]) -> str:
    """Count all right answers over the levels of noise."""
    levels = results.get("noise", {}).get("int8", {})
    right = [found["share_right"] * found["samples"] for found in levels.values()]
    return f"{round(sum(right)):,} of {sum(found['samples'] for found in levels.values()):,}" if right else ""
