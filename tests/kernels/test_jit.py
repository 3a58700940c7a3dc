"""How functions of kernels are compiled: which of them Python may call, and by what ways in."""

import os

import numpy as np
import pytest

from sparsenet_kernels.jit import compiled, helper, index
from sparsenet_kernels.registry import kernels

compiling = pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="nothing is compiled")


@helper
def halved(x):
    """Halve a number."""
    return x / 2


@compiled
def quartered(x):
    return halved(halved(x))


def test_a_helper_is_a_python_function_for_python_and_compiled_for_kernels():
    assert halved(3.0) == 1.5
    assert quartered(np.float32(3.0)) == 0.75
    assert index(7) == 7


@compiling
def test_a_step_holds_no_way_in_but_its_own():
    """Each way in takes as long to compile as a small helper does."""
    library = kernels()["relu_f32"].compile_step(kept=False)._library
    entries = [name for name in (function.name for function in library.get_defined_functions()) if "cpython" in name]
    assert entries == []
