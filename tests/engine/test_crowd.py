"""Sixteen threads that compile, call, fork and make mistakes: no crash, no hang, no other bit.

The short form is ``pytest -m long tests/engine/test_crowd.py``. The long one is run with its seconds:
``PYTHONPATH=tests python tests/engine/crowd_child.py 3600 0 16``.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parents[1]


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="nothing is compiled")
def test_a_crowd_of_threads_gets_the_answers_of_one():
    seconds = settings().max_examples / 12
    seed = 0 if settings().derandomize else random.SystemRandom().randrange(2**20)
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, Path(__file__).with_name("crowd_child.py"), str(seconds), str(seed), "16"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, f"seed {seed}: {done.stdout}\n{done.stderr}"
    assert {"call", "compile_and_call", "fork"} <= json.loads(done.stdout).keys()
