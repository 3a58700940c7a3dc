"""Load changed files for as long as asked: ``python mutation_child.py FILES SEED LAST_FILE``.

Every file gives a network or a ModelFormatError, within LONGEST_S and GROWTH_BYTES. Some of the networks are compiled
and, where they are small, called: an engine's answer lies within the bound of float32, or it is an error of ours. Each
file is written to LAST_FILE before it is loaded, so that what ends the process is known. Prints JSON.
"""

import json
import signal
import sys
from collections import Counter
from math import prod

import numpy as np
from error_bound import bounded_outputs
from storage.fuzz_child import LIMIT_BYTES, is_quick, limit_memory, note_refusal
from storage.mutations import Mutator

import sparsenet as sn
from sparsenet.errors import ModelFormatError, SparsenetError
from sparsenet.storage import from_bytes

LONGEST_S = 120
"""No file may take longer, on however busy a machine; a file that does ends the process by a signal."""

MOST_ELEMENTS = 2**18
"""Of all values together, where a network is called: the bound holds several numbers for each."""

COMPILED = 0.25
"""The share of networks that are compiled."""


def check(data, counts, chance):
    """Load one file, and use the network that it holds."""
    try:
        net = from_bytes(data, LIMIT_BYTES)
    except ModelFormatError as error:
        note_refusal(str(error), counts)
        return
    counts["loaded"] += 1
    if chance < COMPILED:
        compare(net, counts, np.random.default_rng(int(chance * 2**40)))


def compare(net, counts, r):
    """Compile a network; call it where it is small, and hold the answer against the reference."""
    try:
        engine = sn.compile(net, batch=3, threads=1, planner="predict", progress=False)
        counts["compiled"] += 1
        if not is_quick(net) or sum(map(prod, net.shapes.values())) > MOST_ELEMENTS:
            return
        x = {name: numbers_for(one, r) for name, one in net.inputs.items()}
        y = engine(x)
    except SparsenetError as error:
        counts[f"a {type(error).__name__}"] += 1
        return
    with np.errstate(all="ignore"):
        for name, expected in bounded_outputs(net, x).items():
            compare_output(y if len(net.outputs) == 1 else y[name], expected)
    counts["compared"] += 1


def numbers_for(declared, r):
    """Draw three samples of an input."""
    numbers = r.integers(-8, 9, (3, *declared.shape))
    return (numbers / 4).astype(np.float32) if declared.dtype == "float32" else numbers.astype(declared.dtype)


def compare_output(y, expected):
    allowed = expected.error + np.abs(expected.value) * 2.0**-24
    beyond = np.abs(y - expected.value) > allowed
    assert y.shape == expected.value.shape
    assert np.isfinite(y).all(), "an answer that is no number"
    assert not beyond[expected.decided].any(), f"{y} instead of {expected.value}, allowed {allowed}"


def main(files, seed, path):
    counts, mutator = Counter(), Mutator(seed)
    with open(path, "wb") as last:
        for data in mutator.files:
            check(data, counts, 0.0)  # all kinds are compiled and compared; what is imported late is there
        assert counts["compared"] == len(mutator.files), counts
        limit_memory()
        counts.clear()
        for _ in range(files):
            data, chance = mutator.next(), mutator.random.random()
            last.seek(0)
            last.write(data)
            last.truncate()
            last.flush()
            if hasattr(signal, "alarm"):
                signal.alarm(LONGEST_S)
            check(data, counts, chance)
    if hasattr(signal, "alarm"):
        signal.alarm(0)
    named = ("refused", "loaded", "compiled", "compared", *(name for name in counts if name.startswith("a ")))
    totals = {name: counts.pop(name, 0) for name in named}
    print(json.dumps({**totals, "messages": len(counts)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
