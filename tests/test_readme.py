"""The README's Python runs as it stands, block after block, and its commands exist."""

import importlib.util
import re
from pathlib import Path

import pytest

from sparsenet import layers

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_python_of_the_readme_runs(capsys, tmp_path, monkeypatch):
    pytest.importorskip("soundfile", reason="needs the extra speech")
    assert len(BLOCKS) == 6
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, block in enumerate(BLOCKS, start=1):
        if "import torch" in block and importlib.util.find_spec("torch") is None:
            continue  # the only one that is not run without the extra train
        exec(compile(block, f"README.md, block {number}", "exec"), names)
    assert names["scores"].shape == (64, 12)
    assert names["rounded"].byte_valued
    assert len(names["heard"]) >= 10
    assert "conv2" in capsys.readouterr().out


def test_files_the_readme_points_to_exist():
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(targets) >= 10
    for target in targets:
        assert (ROOT / target).is_file(), target


def test_use_comes_before_results_and_all_of_it_is_short():
    assert README.index("## Use it") < README.index("## Bring your network") < README.index("## Results")
    assert len(README[: README.index("## Use it")].split()) < 200
    assert len(README.split()) < 1700


def test_the_table_of_layers_is_whole():
    (row,) = re.findall(r"^\| layers \| ([^|]+) \|", README, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == {kind.__name__ for kind in layers.LAYERS}


def test_figures_of_the_readme_are_those_of_the_page():
    page = (ROOT / "notebooks" / "results.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:sparse twice|dense twin|times faster).+\|$", README, re.MULTILINE)
    figures = re.findall(r"\d+(?:\.\d+)?", " ".join(rows).replace("int8", "").replace("float32", ""))
    assert len(figures) >= 11
    for figure in figures:
        assert re.search(rf"(?<![\d.]){re.escape(figure)}(?!\d|\.\d)", page), figure


def test_commands_the_readme_names_exist():
    from sparsenet.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    named = set(re.findall(r"`sparsenet ([a-z][a-z-]*)", README)) | set(
        re.findall(r"^.*&& sparsenet (\w+)$", README, re.MULTILINE)
    )
    assert {"demo", "recognize", "inspect"} <= named <= known


def test_the_picture_of_two_sparsities_is_right():
    rows = dict(re.findall(r"^(?:weights of output)? +([abcd]) {4}((?:[abcd.] ){11}[abcd.])", README, re.MULTILINE))
    overlaid = re.search(r"^overlaid +((?:[abcd] ){11}[abcd])", README, re.MULTILINE)[1].split()
    winners = re.search(r"^winners +((?:[x.] ){11}[x.])", README, re.MULTILINE)[1].split()
    left = re.search(r"^left to multiply +((?:[abcd.] ){11}[abcd.])", README, re.MULTILINE)[1].split()
    assert set(rows) == set("abcd")
    for i in range(12):
        kept = [row.split()[i] for row in rows.values() if row.split()[i] != "."]
        assert kept == [overlaid[i]]
        assert left[i] == (overlaid[i] if winners[i] == "x" else ".")
