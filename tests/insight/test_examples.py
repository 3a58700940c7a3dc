"""The examples in docstrings run."""

import doctest
import importlib

import pytest

MODULES = [
    "sparsenet.bench.interleave",
    "sparsenet.bench.words",
    "sparsenet.info",
    "sparsenet.insight.work",
    "sparsenet.planner.cores",
    "sparsenet.planner.machine",
    "sparsenet.speech.recognize",
    "sparsenet.tables",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name.startswith(("sparsenet.speech", "sparsenet.bench.words")):
        pytest.importorskip("soundfile", reason="needs the extra speech")
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
