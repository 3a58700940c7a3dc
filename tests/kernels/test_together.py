"""Kernels compiled by several processes at once: all are there in the end, whatever becomes of the helpers."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from sparsenet_kernels import parallel_compile as together
from sparsenet_kernels.cache import cache_directory
from sparsenet_kernels.registry import kernels

pytestmark = pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="nothing is compiled")

SMALL = ["relu_f32", "add_f32", "expand_f32", "linear_f32_csc_active", "linear_f32_csc_dense", "compact_f32"]

COMPILE = """
import subprocess, sys
from sparsenet_kernels.cache import cache_directory
from sparsenet_kernels.registry import kernels
from sparsenet_kernels.parallel_compile import compile_together

{before}
started, start = [], subprocess.Popen
subprocess.Popen = lambda *what, **how: started.append(start(*what, **how)) or started[-1]
wanted = [kernels()[name] for name in sys.argv[1:]]
assert {{kernel.name for kernel in compile_together(wanted, cores=2)}} == set(sys.argv[1:])
assert all(kernel.step.address for kernel in wanted)
assert len(list(cache_directory().iterdir())) == len(wanted)
assert all(process.returncode is not None for process in started), "a helper was left behind"
print(len(started))
"""


def run(tmp_path, code, *arguments, told=""):
    environment = {**os.environ, "SPARSENET_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, *code, *arguments]
    return subprocess.run(command, env=environment, input=told, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize(
    ("before", "helpers"),
    [
        ("", "1"),
        ("import pathlib; sys.path.append(pathlib.Path('nowhere'))", "1"),  # import ignores what is no string
        ("sys.executable = '/nowhere/python'", "0"),  # cannot be started
        ("sys.executable = '/usr/bin/blender'", "0"),  # must not be started
    ],
)
def test_all_kernels_are_there_in_the_end(tmp_path, before, helpers):
    ran = run(tmp_path, ["-c", COMPILE.format(before=before)], *SMALL)
    assert (ran.returncode, ran.stdout.strip()) == (0, helpers), ran.stderr[-3000:]


@pytest.mark.parametrize("options", [[], ["-O"]])
def test_a_helper_compiles_what_it_is_told(tmp_path, options):
    find = "from sparsenet_kernels.cache import cache_directory; print(cache_directory())"
    directory = run(tmp_path, ["-c", find]).stdout.strip()
    ran = run(tmp_path, [*options, "-m", together.__name__], directory, told="relu_f32\nadd_f32\n")
    assert ran.stdout.split() == ["ready", "done", "done"], ran.stderr[-3000:]
    assert sorted(path.split("-")[0] for path in os.listdir(directory)) == ["step_add_f32", "step_relu_f32"]


def test_a_helper_that_would_use_another_cache_leaves_at_once(tmp_path):
    ran = run(tmp_path, ["-m", together.__name__], str(tmp_path / "other"), told="relu_f32\n")
    assert (ran.returncode, ran.stdout) == (0, "")


def test_nothing_is_started_for_kernels_that_are_there(monkeypatch):
    wanted = [kernels()[name] for name in SMALL]
    assert all(kernel.step for kernel in wanted)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert list(together.compile_together(wanted, cores=64)) == []


@pytest.mark.skipif(cache_directory() is None, reason="helpers are for filling the cache")
def test_helpers_end_with_an_error(monkeypatch):
    """Whoever interrupts compiling is not left with processes that go on."""
    started, start = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *what, **how: started.append(start(*what, **how)) or started[-1])
    monkeypatch.setattr(together, "is_kept", lambda kernel: False)
    wanted = [replace(kernels()[name]) for name in SMALL]  # not compiled yet, unlike their originals
    compiling = together.compile_together(wanted, cores=2)
    next(compiling)
    compiling.close()
    assert [process.returncode is not None for process in started] == [True]
