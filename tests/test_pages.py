"""What the pages beside the notebooks show is true: drawings of masks, the first network, names of the environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sparsenet
import sparsenet_kernels
from sparsenet import packing
from sparsenet.packing import masks

FOLDER = Path(__file__).parent.parent / "notebooks"
MASKS = (FOLDER / "masks.md").read_text(encoding="utf-8")
DRAWINGS = re.findall(r"^<!-- (masks\.[^\n]+) -->\n```\n(.+?)\n```$", MASKS, re.MULTILINE | re.DOTALL)
DEPLOY = (FOLDER / "deploy.md").read_text(encoding="utf-8")
PACKAGES = [Path(package.__file__).parent for package in (sparsenet, sparsenet_kernels)]
VARIABLE = re.compile(
    r"\b((?:NUMBA|SPARSENET|XDG|CUDA|OMP|MKL|OPENBLAS)_[A-Z][A-Z_]+)\b|environ(?:\.get\(|\[)\s*\"([A-Z_]+)\""
    r"|\"([A-Z_]+)\" in os\.environ|\"([A-Z_]+)\": path\b"
)
LINKS = re.compile(r"\]\((?!http)([^)#]+)\)")


def drawn(mask):
    """Draw each output as a row, with its channels at each position together."""
    grid = mask.grid
    places = mask.keep.reshape(grid.N, grid.C, grid.P).transpose(0, 2, 1)
    return [" ".join("".join("#" if kept else "." for kept in place) for place in row) for row in places]


def made(code):
    return eval(code, {"masks": masks})


@pytest.mark.parametrize(("code", "drawing"), DRAWINGS, ids=[made(code).family for code, _ in DRAWINGS])
def test_masks_look_as_they_are_drawn(code, drawing):
    assert drawn(made(code)) == drawing.splitlines()


def test_every_family_is_on_the_page():
    assert {made(code).family for code, _ in DRAWINGS} | {"balanced"} == set(packing.FAMILIES)
    for family in packing.FAMILIES:
        assert re.search(rf"^\| [^|]*\b{family}\b", MASKS, re.MULTILINE), family


def test_the_masks_of_the_docstring_are_those_of_the_page():
    rows = re.findall(r"  ((?:[#.]{4} ){5}[#.]{4})$", masks.__doc__, re.MULTILINE)
    pictures = [drawing.splitlines()[:2] for _, drawing in DRAWINGS]
    assert len(rows) == 14
    for first in range(0, 14, 2):
        assert rows[first : first + 2] in pictures or first == 10  # of balanced there is no picture
    assert drawn(masks.balanced((8, 24), 1 / 4, channels=4))[:2] == rows[10:12]


def test_the_first_network_learns(tmp_path):
    pytest.importorskip("torch", reason="needs the extra train")
    command = [sys.executable, str(FOLDER / "first_network.py")]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # torch's threads wait for each other where others are busy, too
    ran = subprocess.run(command, cwd=tmp_path, env=one_thread, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    right = [float(share) for share in re.findall(r"([\d.]+)% right of 500", ran.stdout)]
    assert len(right) == 2
    assert min(right) > 60  # a tenth would be chance
    assert (tmp_path / "first.safetensors").exists()


def test_the_environment_variables_of_the_code_are_on_the_page():
    code = "\n".join(path.read_text(encoding="utf-8") for folder in PACKAGES for path in folder.rglob("*.py"))
    used = {name for groups in VARIABLE.findall(code) for name in groups if name}
    assert {"SPARSENET_CACHE_DIR", "COLUMNS", "PYTHONPATH", "LOCALAPPDATA", "NUMBA_CPU_NAME"} <= used
    listed = {
        name for row in re.findall(r"^\| (`[A-Z].+?) \|", DEPLOY, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert used <= listed


def test_every_use_of_the_environment_is_found():
    """By its name; where that is in a constant, by the constant's value."""
    for folder in PACKAGES:
        for path in folder.rglob("*.py"):
            for line in re.findall(r".*\b(?:os\.environ|getenv)\b.*", path.read_text(encoding="utf-8")):
                assert VARIABLE.search(line) or re.search(
                    r"DIRECTORY_VARIABLE|_THREADS|ONE_THREAD|\bname\b|path", line
                ), line


def test_versions_agree():
    root = FOLDER.parent
    assert re.search(
        rf"^version: {re.escape(sparsenet.__version__)}$", (root / "CITATION.cff").read_text("utf-8"), re.M
    )
    assert f"## {sparsenet.__version__}\n" in (root / "CHANGELOG.md").read_text("utf-8")
    assert f'version = "{sparsenet.__version__}"' in (root / "pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda page: page.stem)
def test_files_a_page_points_to_exist(page):
    for target in LINKS.findall(page.read_text(encoding="utf-8")):
        assert (FOLDER / target).is_file(), target
