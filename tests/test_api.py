"""What is public: its index is up to date, ``dir`` shows it, and modules that need an extra come when asked for."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import sparsenet as sn
from sparsenet.api import MODULES, entries_of, index
from sparsenet.ops import OPERATIONS

PAGE = Path(__file__).parent.parent / "notebooks" / "api.md"


def test_the_page_is_what_the_command_writes():
    assert PAGE.read_text(encoding="utf-8") == index(), "run: python -m sparsenet.api > notebooks/api.md"


def test_everything_has_its_sentence():
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", index(), re.MULTILINE)
    assert len(rows) > 150
    assert not [name for name, sentence in rows if not re.match(r"[A-Z0-9`].*[.!]$", sentence)]


@pytest.mark.parametrize("module", MODULES)
def test_every_name_is_there(module):
    if module == "sparsenet.nn":
        pytest.importorskip("torch", reason="needs the extra train")
    if module.startswith("sparsenet.speech"):
        pytest.importorskip("soundfile", reason="needs the extra speech")
    home = __import__(module, fromlist=["__all__"])
    for entry in entries_of(module):
        first, _, method = entry.name.partition(".")
        assert hasattr(getattr(home, first), method) if method else hasattr(home, first), entry.name


def test_dir_shows_no_inner_modules():
    modules = {name for name in dir(sn) if isinstance(getattr(sn, name, None), ModuleType)}
    assert modules == {"layers", "packing", "speech"} | ({"nn"} if find_spec("torch") else set())
    assert set(dir(sn)) - modules == set(sn.__all__)


@pytest.mark.parametrize("module", ["layers", "packing", "graph", "engine", "storage"])
def test_inner_modules_are_reached_all_the_same(module):
    assert isinstance(getattr(sn, module), ModuleType)


def test_torch_comes_when_its_modules_are_used():
    pytest.importorskip("torch", reason="needs the extra train")
    script = (
        "import sys, sparsenet as sn; assert 'torch' not in sys.modules; dir(sn); assert 'torch' not in sys.modules\n"
        "sn.nn.KWinners; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_without_torch_its_modules_say_how_to_get_it():
    script = "import sys; sys.modules['torch'] = None; import sparsenet as sn; sn.nn"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1].startswith("ModuleNotFoundError: sparsenet.nn needs PyTorch")
    assert 'pip install "sparsenet[train]"' in ran.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("quantise", "did you mean 'quantize'"),
        ("from_tflite", r"only torch modules and ONNX models can be imported yet: sn.from_torch\("),
        ("xyz", "has no attribute 'xyz'$"),
    ],
)
def test_names_that_are_not_there_lead_on(name, message):
    with pytest.raises(AttributeError, match=message):
        getattr(sn, name)


def test_the_list_of_layers_is_whole():
    assert {kind.__name__ for kind in sn.layers.LAYERS} == set(OPERATIONS)
    assert all(getattr(sn, kind.__name__) is kind for kind in sn.layers.LAYERS)
