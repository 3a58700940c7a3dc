"""Functions made by one function have names of their own, so that cached machine code does not mix them up."""

import os
import platform
import subprocess
import sys

import pytest

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.registry import kernels

COMPILE = "import sys\nfrom sparsenet_kernels.registry import kernels\nfor name in sys.argv[1:]: kernels()[name].step"

CHECK = f"""{COMPILE}
from sparsenet_kernels.testing import check_kernel
for name in sys.argv[1:]:
    assert kernels()[name].step.cache_hits == 1, name
    check_kernel(name, max_examples=5)
"""

ALIKE = ("conv2d_i8_lookup_dense__narrow", "conv2d_pool2_i8_lookup_dense__narrow")


def adder(amount):
    @compiled
    def add(x):
        return x + amount

    return add


def twice(function):
    @compiled
    def apply(x):
        return function(function(x))

    return apply


def name_of(function):
    return getattr(function, "py_func", function).__qualname__


def test_names_tell_what_is_closed_over():
    assert name_of(adder(1)) == name_of(adder(1))
    assert name_of(adder(1)) != name_of(adder(2))
    assert name_of(twice(adder(1))) == name_of(twice(adder(1)))
    assert name_of(twice(adder(1))) != name_of(twice(adder(2)))


def test_no_two_kernels_share_a_name():
    names = [kernel.source.__qualname__ for kernel in kernels().values()]
    assert len(set(names)) == len(names)


def test_kernels_that_two_processes_cached_work_in_a_third(tmp_path):
    """Where LLVM calls helpers rather than inline them, as for the first x86-64, one kernel got the other's."""
    target = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""}
    if platform.machine().lower() not in ("x86_64", "amd64"):
        target = {}
    if "NUMBA_DISABLE_JIT" in os.environ:
        pytest.skip("nothing is compiled")
    environment = {**os.environ, **target, "SPARSENET_CACHE_DIR": str(tmp_path)}
    for code, names in ((COMPILE, ALIKE[:1]), (COMPILE, ALIKE[1:]), (CHECK, ALIKE)):
        command = [sys.executable, "-c", code, *names]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr[-3000:]
