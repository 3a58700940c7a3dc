"""Packings as tables, figures and Markdown."""

import sys

import numpy as np
import pytest
from rich.console import Console

from sparsenet import SparsenetError, packing
from sparsenet.packing.comparison import LayerToPack, as_markdown, compare

PACKED = packing.pack(np.random.default_rng(0).standard_normal((16, 32)), 0.25)


def shown(thing):
    console = Console(width=140)
    with console.capture() as capture:
        console.print(thing)
    return capture.get()


def test_tables_say_what_was_found():
    text = shown(PACKED)
    assert "16x32" in text
    assert "magnitude" in text
    assert "25.0 %" in text
    assert "<table" in PACKED._repr_html_()


def test_packings_side_by_side():
    mask = packing.uniform((16, 32), 0.25)
    table = packing.packing_table(*(packing.pack(mask, method=method) for method in packing.METHODS))
    text = shown(table)
    assert all(method in text for method in packing.METHODS)


def test_repr():
    assert repr(PACKED).startswith("Packing(16 outputs in 4 sets, 100.0% full, ")


def test_overlays_give_each_output_its_slots():
    slots = packing.overlay(PACKED)
    assert slots.shape == (4, 32)
    for output, row in enumerate(PACKED.keep):
        number = PACKED.sets[output]
        place = np.flatnonzero(PACKED.sets == number).tolist().index(output)
        np.testing.assert_array_equal(slots[number] == place, row)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_figures_are_written(tmp_path, ending):
    path = tmp_path / f"overlay.{ending}"
    figure = packing.plot_packing(PACKED, path)
    assert len(figure.axes) == 2
    assert path.stat().st_size > 1000


def test_unknown_endings_are_refused(tmp_path):
    with pytest.raises(SparsenetError, match="nonsense"):
        packing.plot_packing(PACKED, tmp_path / "overlay.nonsense")


def test_figures_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(ModuleNotFoundError, match=r"sparsenet\[notebooks\]"):
        packing.plot_packing(PACKED)


def test_comparisons_make_a_row_each():
    text = as_markdown(list(compare((LayerToPack("small", (32, 100), 0.1),))))
    assert len(text.splitlines()) == 2 + 6
    assert len({line.count("|") for line in text.splitlines()}) == 1
