"""The notebooks are small, hold no results, and run from top to bottom as a new user would run them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
LONG = ("01", "02", "06", "08", "09")
"""Those that take longest; they run in the long form, ``pytest -m long``."""

MOST_CELLS = 15
CELL_S = 300
"""The longest that one cell may take, compiling included."""

NOTEBOOK_S = 900
"""The longest that a whole notebook may take."""


def cells(path, kind=None):
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if kind is None or cell["cell_type"] == kind]


def text_of(cell):
    return "".join(cell["source"])


def test_they_are_numbered_from_one_to_ten():
    assert [name[:2] for name in NAMES] == [f"{number:02}" for number in range(1, 11)]


def test_the_index_lists_every_notebook_and_page():
    targets = re.findall(r"\]\((.+?)\)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    pages = {path.name for path in (*FOLDER.glob("*.md"), *FOLDER.glob("*.py"))} - {"README.md"}
    assert sorted(targets) == sorted({path.name for path in NOTEBOOKS} | pages)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_is_small_and_stripped(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    assert len(content["cells"]) <= MOST_CELLS
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])
    for cell in cells(path, "code"):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_the_first_cell_says_the_idea(path):
    first = cells(path)[0]
    assert first["cell_type"] == "markdown"
    assert text_of(first).startswith(f"# {path.stem[:2]} ")
    assert len(text_of(first).split()) > 40


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_all_code_is_python(path):
    for number, cell in enumerate(cells(path, "code")):
        python = re.sub(r"^%.*$", "", text_of(cell), flags=re.MULTILINE)  # magics are IPython's
        compile(python, f"{path.name}, code cell {number}", "exec")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_the_notebooks_that_one_points_to_exist(path):
    for cell in cells(path, "markdown"):
        for target in re.findall(r"\]\(([^)]+\.ipynb)\)", text_of(cell)):
            assert (FOLDER / target).is_file(), target


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.long] * path.stem.startswith(LONG), id=path.stem) for path in NOTEBOOKS],
)
def test_a_notebook_runs_and_shows_one_figure(path, tmp_path):
    if path.stem.startswith("04"):
        pytest.importorskip("torch", reason="needs the extra train")
    said = outputs_of(run(path, tmp_path))
    assert not [output["text"] for output in said if output.get("name") == "stderr"]
    assert not [text for output in said for text in texts_of(output) if "<progress" in text or "Warning" in text]
    pictures = [output for output in said if "image/png" in output.get("data", {})]
    assert len(pictures) == 1


def run(path, folder):
    """Run a copy of a notebook as anybody would, away from the repository; the copy holds its outputs."""
    copy = Path(shutil.copy(path, folder))
    nbmake = "--nbmake", "--overwrite", f"--nbmake-timeout={CELL_S}"
    command = sys.executable, "-m", "pytest", f"--rootdir={folder}", "-W", "default", *nbmake, str(copy)
    ran = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=NOTEBOOK_S, check=False
    )
    assert ran.returncode == 0, ran.stdout.decode("utf-8", "replace")
    return copy


def outputs_of(path):
    return [output for cell in cells(path, "code") for output in cell["outputs"]]


def texts_of(output):
    shown = output.get("data", {})
    return ["".join(shown.get(kind, "")) for kind in ("text/html", "text/plain")]
