"""Figures can be read on light and dark pages: no background, no black; and all that draws makes such figures."""

import re
from pathlib import Path

import pytest

import sparsenet
from sparsenet.figures import GREY, for_any_page, new_figure, write_figure

PACKAGE = Path(sparsenet.__file__).parent
PICTURES = sorted((Path(__file__).parent.parent / "notebooks").glob("*.svg"))
DRAWING = [path for path in PACKAGE.rglob("*.py") if "new_figure(" in path.read_text(encoding="utf-8")]


@for_any_page
def drawn(path=None):
    figure = new_figure(4, 3)
    axis = figure.subplots()
    axis.plot([1, 2, 3], label="a line")
    axis.set(title="title", xlabel="x", ylabel="y")
    axis.legend()
    if path is not None:
        write_figure(figure, path)
    return figure


def white_or_black(svg):
    return re.findall(r"(?:fill|stroke): (?:#ffffff|#000000)", svg)


def test_what_is_drawn_has_no_background(tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra notebooks")
    drawn(tmp_path / "now.svg")
    write_figure(drawn(), tmp_path / "later.svg")  # as a notebook shows it, when the settings are gone
    for name in ("now.svg", "later.svg"):
        svg = (tmp_path / name).read_text(encoding="utf-8")
        assert not white_or_black(svg)
        assert GREY in svg


def test_settings_are_left_as_they_were():
    rc_params = pytest.importorskip("matplotlib", reason="needs the extra notebooks").rcParams
    before = dict(rc_params)
    drawn()
    assert dict(rc_params) == before


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_the_pictures_of_the_pages_have_no_background(path):
    assert not white_or_black(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [path for path in DRAWING if path.stem != "figures"], ids=lambda path: path.stem)
def test_all_that_draws_is_for_any_page(path):
    code = path.read_text(encoding="utf-8")
    public = re.findall(r"^(@for_any_page\n)?def (?:plot|draw)_", code, re.MULTILINE)
    assert public
    assert all(public)
