"""Changed files of every kind of layer: a network that works, or a ModelFormatError; nothing else, and soon.

The short form runs with the other tests. The long one, a million files, is run by name, on as many cores as are given:
``PYTHONPATH=tests python tests/storage/test_mutated_files.py 1000000 2``.
"""

import base64
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import settings

TESTS = Path(__file__).parents[1]
EACH = 20_000
"""Files of one process."""


def run(files, seed, folder):
    """Try so many files in a process of its own; return what became of them."""
    last = Path(folder) / f"last{seed}.safetensors"
    command = [
        sys.executable,
        "-W",
        "error",
        Path(__file__).with_name("mutation_child.py"),
        str(files),
        str(seed),
        last,
    ]
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    # each thread of OpenBLAS takes address space of its own, which the child counts
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == 0, (
        f"ended with {child.returncode} (seed {seed}):\n{child.stderr[-5000:]}\n"
        f"the last file was, in base64:\n{base64.b64encode(last.read_bytes()).decode()}"
    )
    return Counter(json.loads(child.stdout))


def test_changed_files_give_networks_that_work_or_are_refused(tmp_path):
    files = 20 * settings().max_examples
    seed = 0 if settings().derandomize else random.SystemRandom().randrange(2**32)
    counts = run(files, seed, tmp_path)
    assert counts["refused"] + counts["loaded"] == files
    # it steers well: many files survive, some are compiled, and the others are refused for many reasons
    assert counts["loaded"] > files // 5
    assert counts["compared"] > files // 40
    assert counts["messages"] > 40


def main(files, processes):
    """Try so many files in processes beside each other, and say what became of them as they go."""
    totals, failures, seed = Counter(), 0, random.SystemRandom().randrange(2**31)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(processes) as pool:
        asked = [pool.submit(run, EACH, seed + number, folder) for number in range(-(-files // EACH))]
        for one in asked:
            try:
                totals += one.result()
            except AssertionError as failure:
                failures += 1
                print(failure)
            print(json.dumps({**totals, "failures": failures}), flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])) != 0)
