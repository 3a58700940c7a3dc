"""The tests beside this one once more, in a process of their own where Numba simulates a GPU.

The quick form takes those of whole networks; kernels alone and the study come with ``pytest -m long tests/cuda``.

The simulator must be asked for before Numba is imported. It has no types: what a GPU's compiler thinks of the kernels,
test_compiled.py asks.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba import config

HERE = Path(__file__).parent


pytestmark = pytest.mark.skipif(bool(config.ENABLE_CUDASIM), reason="this is such a process")


def assert_holds_in_the_simulator(tests):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    settings = {"NUMBA_ENABLE_CUDASIM": "1", "HYPOTHESIS_PROFILE": "brief"}
    arguments = ["-m", "pytest", str(tests), "-q", "-p", "no:cacheprovider", "-x"]
    ran = subprocess.run([sys.executable, *arguments], env=kept | settings, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert " passed" in ran.stdout


def test_networks_hold_in_the_simulator():
    assert_holds_in_the_simulator(HERE / "test_engine.py")


@pytest.mark.long
def test_everything_holds_in_the_simulator():
    assert_holds_in_the_simulator(HERE)
