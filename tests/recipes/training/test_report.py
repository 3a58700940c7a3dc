import json

import pytest

from sparsenet.recipes.training.accuracy import Accuracy
from sparsenet.recipes.training.plan import planned_runs
from sparsenet.recipes.training.report import as_markdown, draw_front, folds_as_markdown, read_results

PEOPLE = ("ann", "bob")


@pytest.fixture
def finished_runs(tmp_path):
    """The dense and sparse folds, with made-up results; one of them timed."""
    runs = [run for run in planned_runs(tmp_path, PEOPLE, "ann") if run.group in ("dense", "taps")]
    for number, run in enumerate(runs):
        shares = {
            key: Accuracy(900 + 10 * number + cost, 1000).to_dict() for key, cost in (("float32", 0), ("int8", -5))
        }
        sets = dict.fromkeys(("validation", "test", *run.recipe.held_out), shares)
        folder = tmp_path / run.name
        folder.mkdir()
        noise = {"int8": {"0.00": Accuracy(9, 10).to_dict(), "0.05": Accuracy(4, 10).to_dict()}}
        results = {"accuracy": sets, "kept_weights": 122_176, "noise": noise}
        (folder / "results.json").write_text(json.dumps(results))
    (tmp_path / runs[0].name / "times.json").write_text(json.dumps({"int8": {"minimum_us": 12.3, "median_us": 13.0}}))
    return runs, tmp_path


def test_only_finished_runs_are_read(finished_runs, tmp_path):
    runs, folder = finished_runs
    (folder / runs[1].name / "results.json").unlink()
    assert [row.run.name for row in read_results(runs, folder)] == [run.name for run in runs if run is not runs[1]]


def test_tables_say_what_was_measured(finished_runs):
    rows = read_results(*finished_runs)
    lines = as_markdown(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    first = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    low, high = Accuracy(900, 1000).interval
    assert first[0] == "dense-without-ann"
    assert first[6] == f"90.0 ({100 * low:.1f} to {100 * high:.1f})"
    assert first[-2:] == ["13 of 20", "12.3"]


def test_folds_are_averaged(finished_runs):
    lines = folds_as_markdown(read_results(*finished_runs)).splitlines()
    dense = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    assert dense[:4] == ["dense", "ann, bob", "90.5 ± 0.7", "90.0 ± 0.7"]  # of 90 and 91: sqrt(1/2)
    assert dense[-1] == "0.50"


def test_front_is_drawn(finished_runs, tmp_path):
    draw_front(read_results(*finished_runs), tmp_path / "front.svg")
    assert "dense-without-ann" in (tmp_path / "front.svg").read_text()
