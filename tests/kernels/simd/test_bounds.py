"""With NUMBA_BOUNDSCHECK=1, vector operations that leave their array raise IndexError; those at its very end do not."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    "SPARSENET_INNER" in os.environ, reason="these tests set their processes up themselves; once is enough"
)

BEGIN = """
import json
import numpy as np
from sparsenet_kernels.jit import compiled
from sparsenet_kernels.simd.ops import load, load_first, splat, store, store_first
from sparsenet_kernels.simd.tile import (
    tile_add_outer, tile_add_scaled, tile_from_row, tile_store, tile_store_all
)

def outcome(access, at):
    out = np.zeros(32, np.float32)
    try:
        access(np.ones(32, np.float32), np.ones(3, np.float32), out, at)
    except IndexError as error:
        return f"IndexError: {error}"
    return "fine"

found = {}
"""

CASE = """
@compiled
def access_{number}(x, scales, out, at):
    {statement}

found[{call!r}] = [outcome(access_{number}, at) for at in {places}]
"""

ROW = "tile = tile_from_row(2, 1, x, 0); "

# what is called, a last good place, a place one too far, a place before the beginning
CALLS = {
    "load": ("store(out, 0, load(x, at))", 16, 17, -1),
    "store": ("store(out, at, load(x, 0))", 16, 17, -1),
    "load_first": ("store(out, 0, load_first(x, at, 5, 0.0))", 27, 28, -1),
    "load_first of more than 16": ("store(out, 0, load_first(x, at, 99, 0.0))", 16, 17, -1),
    "store_first": ("store_first(out, at, splat(np.float32(1)), 5)", 27, 28, -1),
    "tile_from_row": ("tile_store(tile_from_row(1, 1, x, at), out, 0, 0, 1)", 16, 17, -1),
    "tile_add_outer, scales": (ROW + "tile_store(tile_add_outer(tile, scales, at, 1, x, 0), out, 0, 0, 1)", 1, 2, -1),
    "tile_add_outer, row": (ROW + "tile_store(tile_add_outer(tile, scales, 0, 1, x, at), out, 0, 0, 1)", 16, 17, -1),
    "tile_add_scaled": (ROW + "tile_store(tile_add_scaled(tile, x[0], x, at), out, 0, 0, 1)", 0, 1, -1),
    "tile_store": (ROW + "tile_store(tile, out, at, 10, 10)", 12, 13, -1),
    "tile_store_all": (ROW + "tile_store_all(tile, out, at)", 0, 1, -1),
}

# counts of zero or less touch nothing, so no place is wrong for them
NEVER = {
    "load_first of nothing": "store(out, 0, load_first(x, at, 0, 0.0))",
    "store_first of less than nothing": "store_first(out, at, splat(np.float32(1)), -3)",
    "tile_store of nothing": ROW + "tile_store(tile, out, at, 10, 0)",
}


@pytest.fixture(scope="module")
def outcomes():
    """Run all calls, in one process that checks bounds."""
    cases = CALLS | {call: (statement, 0, 1000, -1000) for call, statement in NEVER.items()}
    parts = [
        CASE.format(number=number, statement=statement, call=call, places=places)
        for number, (call, (statement, *places)) in enumerate(cases.items())
    ]
    script = "".join([BEGIN, *parts, "print(json.dumps(found))"])
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_DISABLE_JIT": "0"}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("call", CALLS)
def test_access_outside_raises(outcomes, call):
    wrong = "IndexError: vector access outside of the array"
    assert outcomes[call] == ["fine", wrong, wrong]


@pytest.mark.parametrize("call", NEVER)
def test_access_to_nothing_is_never_outside(outcomes, call):
    assert outcomes[call] == ["fine", "fine", "fine"]
