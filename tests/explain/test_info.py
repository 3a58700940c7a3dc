import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from sparsenet import info as asking
from sparsenet.info import info, machine_line
from sparsenet_kernels import cache


def test_info_can_be_written_as_json():
    about = info().to_dict()
    assert json.loads(json.dumps(about, allow_nan=False)) == about
    assert {"versions", "machine", "memory", "usable_cores", "threading_layer", "kernel_cache"} == set(about)
    assert about["versions"]["numpy"]


def test_what_is_not_installed_is_none(monkeypatch):
    monkeypatch.setattr(asking, "PACKAGES", ("sparsenet", "no-such-distribution"))
    assert info().versions["no-such-distribution"] is None


def test_info_prints_as_a_table_and_as_html():
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(info())
    text = console.export_text()
    for name in ("sparsenet", "llvm", "features", "threading layer", "compiled kernels"):
        assert name in text
    assert "<table" in info()._repr_html_()


def test_the_kernel_cache_is_measured(monkeypatch, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"12345")
    (tmp_path / "b.bin").write_bytes(b"1234567")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(cache, "cache_directory", lambda: tmp_path)
    found = info().kernel_cache
    assert (Path(found.directory), found.entries, found.size_bytes) == (tmp_path, 2, 12)


def test_no_kernel_cache(monkeypatch):
    monkeypatch.setattr(cache, "cache_directory", lambda: None)
    assert info().kernel_cache.directory is None
    assert "not kept" in info()._repr_html_()


@pytest.mark.parametrize("part", ["numba", "cores usable", "-bit vectors", "L1d", "memory", "NUMA", "channels"])
def test_one_line_says_where_a_result_was_measured(part):
    line = machine_line(info())
    assert part in line
    assert "\n" not in line
