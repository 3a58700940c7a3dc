"""Whatever the file: a valid network or a ModelFormatError, within bounded memory, and never a crash."""

import base64
import json
import os
import random
import subprocess
import sys
from pathlib import Path

from hypothesis import settings

TESTS = Path(__file__).parents[1]


def test_broken_files_are_refused_and_nothing_else_happens(tmp_path):
    examples = 40 * settings().max_examples
    seed = 0 if settings().derandomize else random.SystemRandom().randrange(2**32)
    last = tmp_path / "last.safetensors"
    command = [sys.executable, "-W", "error", Path(__file__).with_name("fuzz_child.py"), str(examples), str(seed), last]
    # each thread of OpenBLAS takes address space of its own, which the child counts
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert child.returncode == 0, (
        f"the fuzzer ended with {child.returncode} (seed {seed}):\n{child.stderr[-5000:]}\n"
        f"the last file was, in base64:\n{base64.b64encode(last.read_bytes()).decode()}"
    )
    counts = json.loads(child.stdout)
    assert counts["refused"] + counts["loaded"] >= examples
    # the fuzzer reaches deep: some files survive, and the others are refused for many reasons
    assert counts["evaluated"] > examples // 200
    assert counts["messages"] > 40
