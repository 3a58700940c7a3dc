"""The convolutions of bytes once more, in processes that compile for other processors, or check every access."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from llvmlite import binding

KERNELS = Path(__file__).with_name("test_kernels.py")
INNER = "SPARSENET_INNER"
"""Set in the processes that this module starts, so that they do not start any themselves."""

AVX2 = "+avx,+avx2,+bmi,+bmi2,+fma,+lzcnt,+popcnt,+sse3,+sse4.1,+sse4.2,+ssse3"
SKYLAKE = f"{AVX2},+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl"
TARGETS = {"first x86-64": ("x86-64", ""), "AVX2": ("haswell", AVX2), "first AVX-512": ("skylake-avx512", SKYLAKE)}


@pytest.mark.parametrize("target", TARGETS)
def test_bytes_mean_the_same(target):
    name, features = TARGETS[target]
    skip_where_impossible(features)
    ran = run_tests(NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)
    assert "5 skipped" in ran.stdout  # the kernels for AMX


def test_no_vector_leaves_its_array():
    if INNER in os.environ:
        pytest.skip("this is such a process")
    run_tests(NUMBA_BOUNDSCHECK="1")


def run_tests(**environment):
    inner = {**os.environ, **environment, INNER: "1", "HYPOTHESIS_PROFILE": "brief"}
    command = [sys.executable, "-m", "pytest", str(KERNELS), "-q", "-p", "no:cacheprovider", "-x"]
    ran = subprocess.run(command, env=inner, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert " passed" in ran.stdout
    return ran


def skip_where_impossible(features):
    if INNER in os.environ:
        pytest.skip("this is such a process")
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip(f"{platform.machine()} cannot run code for x86-64")
    here = binding.get_host_cpu_features()
    missing = [feature for feature in features.replace("+", "").split(",") if feature and not here.get(feature)]
    if missing:
        pytest.skip(f"this processor lacks {', '.join(missing)}")
