"""The examples in the docstrings of reference/ run, and every public function has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest
from sparsenet_kernels import reference

MODULES = [f"{reference.__name__}.{module.name}" for module in pkgutil.iter_modules(reference.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", reference.__all__)
def test_every_operation_shows_an_example_and_claims_to_be_the_specification(name):
    documentation = inspect.getdoc(getattr(reference, name))
    assert ">>> " in documentation
    assert "This is the specification." in documentation
