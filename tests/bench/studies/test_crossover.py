import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import sparsenet
from sparsenet.bench.studies import crossover as crossover_module
from sparsenet.bench.studies import crossover_cells, crossover_store
from sparsenet.bench.studies.crossover import Crossover, CrossoverCell
from sparsenet.errors import SparsenetError
from sparsenet.explain.step_timing import LayerTimes
from sparsenet.lowering.cost import CALL_NS

TIMES = {"dense": 4.0, "linear_f32_csc_active": 1.0, "linear_f32_csr_dense": 8.0}


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """Keep maps nowhere but in this test's folder."""
    monkeypatch.setattr(crossover_store, "cache_directory", lambda: tmp_path / "kernels-1")
    return tmp_path


def drawn(thing, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(thing)
    return console.file.getvalue()


def found(**settings):
    cells = [CrossoverCell(256, 1, density, active, TIMES) for active in (0.1, 1.0) for density in (0.02, 0.5)]
    return Crossover(tuple(cells), "uniform", "float32", True, "[red] processor", **settings)


def test_a_cell_names_its_winner():
    cell = found().cells[0]
    assert (cell.winner, cell.speedup) == ("linear_f32_csc_active", 4.0)
    assert found().winners == ("linear_f32_csc_active",)


def test_predicted_maps_have_every_place():
    mapped = sparsenet.crossover([64, 128], [0.05, 1], [0.1, 1], [1, 16], measure=False)
    assert len(mapped.cells) == 16
    assert {(cell.size, cell.batch) for cell in mapped.cells} == {(64, 1), (64, 16), (128, 1), (128, 16)}
    assert not mapped.measured
    for cell in mapped.cells:
        assert cell.speedup >= 1
        assert not any(name.endswith("_dense_dense") for name in cell.times_us)
        if cell.density == cell.active == 1:
            assert cell.speedup < 2  # nothing is zero: no kernel can skip anything
    text = drawn(mapped)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("active\\kept") == 4
    assert "predicted" in text


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_kernels_are_timed_in_turn_with_the_dense_one(dtype):
    mapped = sparsenet.crossover([64], [0.125], [0.25], [2], family="blocks", dtype=dtype, progress=False)
    (cell,) = mapped.cells
    assert mapped.measured
    assert len(cell.times_us) > 1
    assert all(time_us > 0 for time_us in cell.times_us.values())
    assert cell.winner in cell.times_us


def test_what_was_measured_is_kept_and_given_again(monkeypatch, own_folder):
    calls = []

    def fake(cells, measure):
        for cell in cells:
            calls.append(cell)
            yield TIMES

    monkeypatch.setattr(crossover_module, "cell_times", fake)
    question = [256], [0.02], [0.1], [1]
    first = sparsenet.crossover(*question)
    assert sparsenet.crossover(*question) == first
    assert len(calls) == 1
    assert sparsenet.crossover(*question, again=True) == first
    sparsenet.crossover(*question, family="blocks")
    assert len(calls) == 3
    assert len(list((own_folder / "crossover").iterdir())) == 2


@pytest.mark.parametrize("damage", ["", "[]", '{"cells": []}', '{"cells": [{"size": "x"}]}', "\udc80"])
def test_damaged_maps_are_measured_anew(monkeypatch, own_folder, damage):
    monkeypatch.setattr(crossover_module, "cell_times", lambda cells, measure: (TIMES for _ in cells))
    first = sparsenet.crossover([256], [0.02], [0.1], [1])
    (path,) = (own_folder / "crossover").iterdir()
    path.write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert sparsenet.crossover([256], [0.02], [0.1], [1]) == first


def test_nothing_is_kept_where_nothing_can_be(monkeypatch):
    monkeypatch.setattr(crossover_module, "cell_times", lambda cells, measure: (TIMES for _ in cells))
    monkeypatch.setattr(crossover_store, "cache_directory", lambda: None)
    assert sparsenet.crossover([256], [0.02], [0.1], [1]).cells


def test_a_folder_that_cannot_be_written_is_no_error(monkeypatch, own_folder):
    (own_folder / "crossover").write_text("a file, where the folder should be")
    monkeypatch.setattr(crossover_module, "cell_times", lambda cells, measure: (TIMES for _ in cells))
    assert sparsenet.crossover([256], [0.02], [0.1], [1]).cells


def test_maps_are_saved_and_loaded(tmp_path):
    path = tmp_path / "map.json"
    found().save(path)
    assert Crossover.load(path) == found()
    assert json.loads(path.read_text())["cells"][0]["winner"] == "linear_f32_csc_active"


EMPTY = '{"cells": [], "family": "uniform", "dtype": "int8", "measured": true, "machine": "one"}'


@pytest.mark.parametrize("text", ["", "[]", "{}", EMPTY])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(SparsenetError, match=r"expected a map written by Crossover\.save"):
        Crossover.load(tmp_path / "other.json")


def test_tables_show_what_was_said_as_it_is():
    text = drawn(found())
    assert "[red] processor" in " ".join(text.split())
    assert "A 4.0" in text
    assert "<table" in found()._repr_html_()


def test_where_dense_wins_there_is_a_dot():
    cell = CrossoverCell(256, 1, 0.5, 1.0, {"dense": 1.0, "linear_f32_csr_dense": 2.0})
    text = drawn(Crossover((cell,), "uniform", "float32", False, "here"))
    assert "· 1.0" in text


def test_a_figure_is_drawn(tmp_path):
    figure = found().plot(tmp_path / "map.png")
    assert Path(tmp_path / "map.png").stat().st_size > 1000
    assert len(figure.axes) == 1
    with pytest.raises(SparsenetError, match="pizza"):
        found().plot(tmp_path / "map.pizza")


@pytest.mark.parametrize(
    ("question", "settings", "message"),
    [
        (([0],), {}, "sizes as whole numbers from 1"),
        (([1.5],), {}, "sizes as whole numbers from 1"),
        (([],), {}, "sizes"),
        (([64], [0.0]), {}, "densities as fractions"),
        (([64], [5]), {}, "densities as fractions"),
        (([64], [0.1], ["0.1"]), {}, "active as fractions"),
        (([64], [0.1], [0.1], [True]), {}, "batches as whole numbers"),
        (([64],), {"family": "cubes"}, "expected a family of masks"),
        (([64],), {"dtype": "int4"}, "float32 or int8"),
        (([64], [0.1], [0.1], [1]), {"family": "taps", "measure": False}, "64 x 64 weights: expected a density"),
    ],
)
def test_what_cannot_be_is_refused(question, settings, message):
    with pytest.raises(SparsenetError, match=message):
        sparsenet.crossover(*question, **settings)


def test_numbers_of_numpy_are_numbers():
    mapped = sparsenet.crossover(np.array([64]), np.float32([0.5]), np.array([1.0]), np.array([1]), measure=False)
    assert mapped.cells[0].size == 64


def test_no_layer_takes_less_than_being_called(monkeypatch):
    def nothing(engines, x, **settings):
        return [LayerTimes({"layer": -0.01}, 1.0) for _ in engines]

    monkeypatch.setattr(crossover_cells, "time_layers", nothing)
    mapped = sparsenet.crossover([64], [0.125], [0.25], [1], progress=False)
    assert set(mapped.cells[0].times_us.values()) == {CALL_NS / 1000}
    assert mapped.cells[0].speedup == 1
