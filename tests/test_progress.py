"""Progress is shown to people only: in terminals, and in notebooks, where it leaves nothing behind."""

import importlib
import time
from types import SimpleNamespace

import numpy as np
import pytest

import sparsenet as sn
from sparsenet import progress


@pytest.fixture
def notebook(monkeypatch):
    """Pretend to be in a notebook where everything takes long; collect each place in a cell and what it showed."""
    places = []

    def display(first, raw, display_id):
        assert raw
        assert display_id
        places.append([first["text/html"]])
        return SimpleNamespace(update=lambda data, raw: places[-1].append(data["text/html"]))

    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr(progress, "PATIENCE_S", -1.0)
    monkeypatch.setattr(progress, "NOTEBOOK_PAUSE_S", -1.0)
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(execution_count=1))
    monkeypatch.setattr(importlib.import_module("IPython.display"), "display", display)
    progress._place_in_cell.cache_clear()
    yield places
    progress._place_in_cell.cache_clear()


@pytest.mark.parametrize("watched", [True, False, None])
def test_everything_is_yielded(watched):
    assert list(progress.tracked(range(3), "counting", watched)) == [0, 1, 2]


def test_a_terminal_is_shown_what_is_done_and_how_much(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE_S", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(progress.tracked("ab", lambda letter: f"writing {letter}", True, 2)) == ["a", "b"]
    written = capsys.readouterr()
    assert written.out == ""
    assert "writing b" in written.err
    assert "1/2" in written.err


def test_nothing_is_shown_of_what_is_quick(notebook, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_S", 1000.0)
    assert list(progress.tracked("ab", "counting", None)) == ["a", "b"]
    assert notebook == []


def test_a_single_thing_that_takes_long_is_shown_while_it_does(notebook, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_S", 0.01)
    late = time.monotonic() + 60
    with progress.telling(None) as tell:
        tell(0, "packing")
        while not (notebook and len(notebook[0]) > 1) and time.monotonic() < late:
            time.sleep(0.01)
    assert notebook == [["", "<progress></progress> packing 0, 0 s", ""]]


def test_a_notebook_shows_a_bar_and_ends_empty(notebook, capsys):
    assert list(progress.tracked("a<", lambda letter: f"writing {letter}", None, 2)) == ["a", "<"]
    ((first, begun, half, last),) = notebook
    assert (first, last) == ("", "")
    assert begun == '<progress value="0" max="2"></progress> writing a 0/2, 0 s'
    assert half == '<progress value="1" max="2"></progress> writing &lt; 1/2, 0 s'
    assert capsys.readouterr() == ("", "")


def test_a_notebook_shows_a_bar_without_an_end_where_nobody_knows_it(notebook):
    list(progress.tracked(iter("a"), "reading", None))
    assert notebook[0][1] == "<progress></progress> reading 0, 0 s"


def test_all_bars_of_a_cell_share_a_place(notebook):
    for _ in range(3):
        list(progress.tracked("ab", "counting", None))
    assert len(notebook) == 1


def test_a_bar_does_not_outlive_an_error(notebook):
    def broken():
        for letter in progress.tracked("ab", "counting", None):
            raise ValueError(letter)

    with pytest.raises(ValueError, match="a"):
        broken()
    assert notebook[0][-1] == ""


def test_steps_that_nobody_counted_can_be_told(notebook):
    with progress.telling(None) as tell:
        tell(3, "measuring L2")
    assert notebook == [["", "<progress></progress> measuring L2 3, 0 s", ""]]


def test_the_planner_says_how_many_of_how_many_layers_are_timed(notebook):
    layers = [sn.Linear(np.eye(n + 1, n)) for n in (8, 9, 10)]
    sn.compile(sn.Network.sequential((8,), [*layers, sn.Linear(np.eye(11)), sn.Linear(np.eye(11))]), threads=1)
    places = [html.partition("</progress> ")[2] for place in notebook for html in place]
    shown = [text.partition("/4,")[0].removeprefix("timing kernels for ") for text in places if "timing" in text]
    assert sorted(text.rpartition(" ")[2] for text in shown) == ["0", "1", "2", "3"]
    assert sum(" and 1 like it, kinds of layers" in text for text in shown) == 1
