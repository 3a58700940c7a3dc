"""The examples of the docstrings, run as they stand."""

import doctest
import importlib

import pytest

MODULES = ("audio", "dataset", "features", "front_end", "recordings", "splits")


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name):
    module = importlib.import_module(f"sparsenet.speech.{name}")
    assert doctest.testmod(module).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(f"sparsenet.speech.{name}") for name in MODULES]
    assert sum(bool(test.examples) for module in modules for test in finder.find(module)) >= 8
