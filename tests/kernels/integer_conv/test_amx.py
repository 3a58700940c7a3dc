"""The right to use AMX tiles, each case in a process of its own: what goes wrong there ends the process."""

import os
import platform
import subprocess
import sys

import pytest

from sparsenet_kernels.simd.amx import amx_available

RUN = """
import numpy as np
from sparsenet_kernels.registry import kernels
from sparsenet_kernels.testing.suites import suite_of
from sparsenet_kernels.testing.call import complaints

def wrong():
    # two of them will do: every process compiles them anew
    found = [kernels()[f"conv2d_pool2_i8_tiles_{inputs}__amx"] for inputs in ("dense", "pixels")]
    return [word for kernel in found for word in complaints(kernel, one_case(kernel))]

def one_case(kernel):
    suite = suite_of(kernel)
    return suite.case(kernel, next(iter(suite.edges(kernel).values())))
"""

AVAILABLE = "from sparsenet_kernels.simd.amx import amx_available\nassert amx_available()\n"


def python(code, **environment):
    """Run code in a fresh process that compiles anew, and return its exit status and what it wrote."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    ran = subprocess.run([sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True)
    return ran.returncode, ran.stdout + ran.stderr


def needs_amx():
    if not amx_available():
        pytest.skip("this processor, system or target has no AMX")


def test_asking_once_is_enough():
    needs_amx()
    assert python(f"{AVAILABLE}{RUN}assert wrong() == []") == (0, "")


def test_threads_started_before_may_use_tiles():
    needs_amx()
    code = f"""{RUN}
import threading
asked, results = threading.Event(), []
def work():
    asked.wait()
    results.append(wrong())
threads = [threading.Thread(target=work) for _ in range(2)]
[thread.start() for thread in threads]
{AVAILABLE}
asked.set()
[thread.join() for thread in threads]
assert results == [[], []]
"""
    assert python(code) == (0, "")


def test_forked_children_may_use_tiles():
    needs_amx()
    code = f"""{AVAILABLE}{RUN}
import os
assert wrong() == []
child = os.fork()
if child == 0:
    os._exit(0 if wrong() == [] else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    assert python(code) == (0, "")


def test_another_target_has_no_amx_and_says_so():
    code = f"""{RUN}
from sparsenet_kernels.simd.amx import amx_available
assert not amx_available()
for kernel in kernels().values():
    if kernel.variant == "amx":
        try:
            kernel.step
        except Exception as error:
            assert "expected a target with AMX tiles" in str(error), error
        else:
            raise AssertionError(f"{{kernel.name}} compiled")
"""
    assert python(code, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == (0, "")


def test_importing_asks_for_nothing():
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux can be asked what a process was given")
    code = """
import ctypes
import sparsenet_kernels.cpu, sparsenet_kernels.registry
sparsenet_kernels.registry.load_all()
given = ctypes.c_uint64(0)
failed = ctypes.CDLL(None).syscall(ctypes.c_long(158), ctypes.c_long(0x1022), ctypes.byref(given))
assert failed or not given.value >> 18 & 1
"""
    if platform.machine() != "x86_64":
        pytest.skip("the system call has this number on x86-64 only")
    assert python(code) == (0, "")
