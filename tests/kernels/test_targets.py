"""The kernels once more, each time in a process of their own: bounds checked, uncompiled, and for lesser processors."""

import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INNER = "SPARSENET_INNER"
"""Set in the processes that this module starts, so that they do not start any themselves."""

HASWELL = "+avx,+avx2,+bmi,+bmi2,+cx16,+f16c,+fma,+lzcnt,+movbe,+popcnt,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3"

SETTINGS = {
    "bounds checked": {"NUMBA_BOUNDSCHECK": "1"},
    "uncompiled": {"NUMBA_DISABLE_JIT": "1"},
    "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": HASWELL},
    "first x86-64": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
    "generic": {"NUMBA_CPU_NAME": "generic"},
}
NEEDS_X86 = {"avx2", "first x86-64"}
ELSEWHERE = {"generic"}
"""On x86-64 the first of that line is as generic as it gets."""


def possible(setting):
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return INNER not in os.environ and setting not in (ELSEWHERE if x86 else NEEDS_X86)


POSSIBLE = [setting for setting in SETTINGS if possible(setting)]

pytestmark = pytest.mark.skipif(INNER in os.environ, reason="this is such a process")


def inner(arguments, setting):
    """Run Python in a process of its own, with a setting."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment = {**kept, **SETTINGS[setting], INNER: "1", "HYPOTHESIS_PROFILE": "brief"}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def runs():
    """Start the kernels' tests with every setting that is possible here, two at a time."""
    suite = ["-m", "pytest", str(HERE / "test_kernels.py"), str(HERE / "simd"), "-q", "-p", "no:cacheprovider", "-x"]
    with ThreadPoolExecutor(2) as pool:
        yield {setting: pool.submit(inner, suite, setting) for setting in POSSIBLE}


@pytest.mark.parametrize("setting", POSSIBLE)
def test_kernels_agree_with_the_reference(runs, setting):
    ran = runs[setting].result()
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert " passed" in ran.stdout


TARGET = "from numba.core.registry import cpu_target; print(*cpu_target.target_context.codegen().magic_tuple()[1:])"


@pytest.mark.parametrize("setting", [setting for setting in POSSIBLE if "NUMBA_CPU_NAME" in SETTINGS[setting]])
def test_the_setting_reaches_the_compiler(setting):
    name, *features = inner(["-c", TARGET], setting).stdout.split()
    assert name == SETTINGS[setting]["NUMBA_CPU_NAME"]
    assert "avx512" not in "".join(features)
