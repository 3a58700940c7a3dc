"""The examples in the docstrings of formats/ run, and every public function has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest
from sparsenet_kernels import formats

MODULES = [f"{formats.__name__}.{module.name}" for module in pkgutil.iter_modules(formats.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", [name for name in formats.__all__ if inspect.isfunction(getattr(formats, name))])
def test_every_function_shows_an_example(name):
    assert ">>> " in inspect.getdoc(getattr(formats, name))
