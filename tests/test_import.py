"""Importing does nothing: nothing is compiled, probed or read, and nothing optional is pulled in."""

import os
import subprocess
import sys
import textwrap

import pytest

UNUSED = tuple(f"sparsenet.{room}" for room in ("bench", "nn", "packing", "speech", "recipes", "explain", "commands"))
KERNELS = "sparsenet_kernels.cpu", "sparsenet_kernels.cuda"
OPTIONAL = ("torch", "onnx", "onnxruntime", "soundfile", "matplotlib", "ray", "rich", "typer", "scipy.signal")

SCRIPT = """
    import sys
    import sparsenet
    from numba.core.dispatcher import Dispatcher
    import gc
    compiled = [thing for thing in gc.get_objects() if isinstance(thing, Dispatcher) and thing.signatures]
    assert not compiled, compiled
    loaded = [name for name in sys.argv[1:] if name in sys.modules]
    assert not loaded, loaded
"""


def test_importing_does_nothing(tmp_path):
    cache = tmp_path / "cache"
    environment = {**os.environ, "SPARSENET_CACHE_DIR": str(cache)}
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), *OPTIONAL, *UNUSED, *KERNELS], env=environment, check=True
    )
    assert not cache.exists()


@pytest.mark.parametrize("name", sorted(set(__import__("sparsenet").__all__)))
def test_every_public_name_is_there(name):
    assert hasattr(__import__("sparsenet"), name)


def test_numba_keeps_its_settings():
    """Other users of Numba in the process are left alone: our cache is our kernels' own."""
    script = (
        "from numba import config; before = dict(vars(config)); import sparsenet; assert dict(vars(config)) == before"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_without_torch_its_modules_say_how_to_get_it():
    script = "import sys; sys.modules['torch'] = None; import sparsenet.nn"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: sparsenet.nn needs PyTorch" in ran.stderr
    assert 'pip install "sparsenet[train]"' in ran.stderr


def test_without_hypothesis_the_kernel_kit_says_what_to_install():
    script = "import sys; sys.modules['hypothesis'] = None; from sparsenet_kernels import kernel, check_kernel"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "pip install hypothesis" in ran.stderr
