"""The examples in all docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

import sparsenet
import sparsenet_kernels


def modules():
    for package in (sparsenet, sparsenet_kernels):
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                yield module.name


def examples(module):
    return [test for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("name", list(modules()))
def test_examples(name):
    if name.startswith(("sparsenet.speech", "sparsenet.bench.spoken_digits")):
        pytest.importorskip("soundfile", reason="needs the extra speech")
    if name.startswith("sparsenet.exchange.onnx"):
        pytest.importorskip("onnx", reason="needs the extra onnx")
    if name.startswith(("sparsenet.exchange.torch", "sparsenet.nn", "sparsenet.recipes.training.")):
        pytest.importorskip("torch", reason="needs the extra train")
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in examples(importlib.import_module(name)):
        runner.run(test)
    assert runner.failures == 0


def test_there_are_examples():
    """The finder finds them: the public functions have one each."""
    found = {test.name for test in examples(importlib.import_module("sparsenet.engine.compiling"))}
    assert "sparsenet.engine.compiling.compile" in found
