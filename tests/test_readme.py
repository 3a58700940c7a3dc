"""The README's Python runs as it stands, block after block, and its commands exist."""

import importlib.util
import re
from pathlib import Path

import pytest

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
    assert len(targets) >= 3
    for target in targets:
        assert (ROOT / target).is_file(), target


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
