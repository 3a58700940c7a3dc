"""What the pages beside the notebooks show is true: drawings of masks, the first network, names of the environment."""

import ast
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
VARIABLE = re.compile(r"[A-Z][A-Z_]{3,}[A-Z]")
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


OTHER_CAPITALS = {"HELPER_BYTES", "NVIDIA", "SC_PAGE_SIZE", "SC_PHYS_PAGES", "CREATE_NO_WINDOW", "SETTINGS"}
"""What else is written in capitals in modules that look at the environment."""


def variables_of(path):
    """Find the words that can be names of variables: in modules that look at the environment, or Numba's anywhere."""
    code = path.read_text(encoding="utf-8")
    texts = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    named = (
        {text for text in texts if isinstance(text, str) and VARIABLE.fullmatch(text)} if "environ" in code else set()
    )
    return named | set(re.findall(r"\b(?:NUMBA|SPARSENET)_[A-Z][A-Z_]+\b", code))


def test_the_environment_variables_of_the_code_are_on_the_page():
    used = {name for folder in PACKAGES for path in folder.rglob("*.py") for name in variables_of(path)}
    assert {"SPARSENET_CACHE_DIR", "COLUMNS", "PYTHONPATH", "LOCALAPPDATA", "NUMBA_CPU_NAME"} <= used
    rows = re.findall(r"^\| (`[A-Z].+?) \|", DEPLOY, re.MULTILINE)
    assert used - OTHER_CAPITALS <= {name for row in rows for name in re.findall(r"`(\w+)`", row)}


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
