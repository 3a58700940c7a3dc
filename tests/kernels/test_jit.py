"""How functions of kernels are compiled: which of them Python may call, and by what ways in."""

import os

import numpy as np
import pytest

from sparsenet_kernels.jit import compiled, helper, index
from sparsenet_kernels.registry import KernelCompileError, kernel, kernels, registered_temporarily

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


@helper
def length_of(x):
    """Ask for what no array has."""
    return x.there_is_no_such_thing


@compiling
def test_what_is_wrong_in_a_helper_is_told():
    def lengths_f32(x, out):
        out[0] = length_of(x)

    with registered_temporarily():
        kernel("lengths", arguments="x f32[B]; out f32[B]")(lengths_f32)
        with pytest.raises(
            KernelCompileError, match=r"^lengths_f32 cannot be compiled: Unknown attribute 'there_is_no"
        ):
            assert kernels()["lengths_f32"].step
