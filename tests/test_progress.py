"""Progress is shown to people only: in terminals, and in notebooks that can show it."""

import warnings

import pytest
from rich.console import Console

from sparsenet import progress


@pytest.fixture
def notebook(monkeypatch):
    """Pretend to be in a notebook; say which modules there are."""
    monkeypatch.setattr(Console, "is_jupyter", True)
    monkeypatch.setattr(progress, "PATIENCE_S", -1.0)

    def having(*modules):
        monkeypatch.setattr(progress, "find_spec", lambda name: name if name in modules else None)

    return having


@pytest.mark.parametrize("watched", [True, False, None])
def test_everything_is_yielded(watched):
    assert list(progress.tracked(range(3), "counting", watched)) == [0, 1, 2]


def test_a_notebook_without_widgets_is_left_in_peace(notebook, capsys):
    notebook()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(progress.tracked(range(3), "counting", None)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_a_notebook_with_widgets_counts_as_watched(notebook):
    notebook("ipywidgets")
    assert progress._is_watched(Console())
