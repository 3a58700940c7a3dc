"""Runs the command line in this process, with networks computed by their meaning unless a test wants the engine."""

from dataclasses import dataclass

import numpy as np
import pytest

import sparsenet
from sparsenet.cli import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


class ReferenceEngine:
    """Stands in for a compiled engine: the same answers, no compiling."""

    def __init__(self, network):
        self.network = network

    def __call__(self, x):
        return self.network.reference(x).astype(np.float32)


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the command line with some arguments; give its exit code and what it wrote."""
    monkeypatch.setenv("COLUMNS", "150")

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(one) for one in arguments])
        captured = capsys.readouterr()
        return Outcome(left.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def by_meaning(monkeypatch):
    """Compile nothing: engines compute the reference."""
    monkeypatch.setattr(sparsenet, "compile", lambda net, **_: ReferenceEngine(net))
