"""The kernels once more, each time in a process of their own: bounds checked, uncompiled, and for lesser processors.

The quick form runs all vector operations with bounds checked and uncompiled, and every third kernel in one of these
ways. The long form, ``pytest -m long tests/kernels/test_targets.py``, runs everything with all settings.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processors import X86, lacking, settings_of

from sparsenet_kernels.registry import kernels

HERE = Path(__file__).parent
INNER = "SPARSENET_INNER"
"""Set in the processes that this module starts, so that they do not start any themselves."""

CHECKED = {"bounds checked": {"NUMBA_BOUNDSCHECK": "1"}, "uncompiled": {"NUMBA_DISABLE_JIT": "1"}}
LESSER = ("first x86-64", "Haswell", "Skylake-X")
TARGETS = {name: settings_of(name) for name in LESSER} if X86 else {"generic": {"NUMBA_CPU_NAME": "generic"}}
SETTINGS = CHECKED | TARGETS

VECTORS = (HERE / "simd", HERE / "integer" / "test_bytes.py")
KERNELS = HERE / "test_kernels.py"
NAMES = sorted(kernels())
QUICK = tuple(CHECKED)
SHARED_OUT = NAMES[::3]
"""In the quick form; of most kernels there are two or more that differ in how they are unrolled only."""

pytestmark = pytest.mark.skipif(INNER in os.environ, reason="this is such a process")


def inner(arguments, setting):
    """Run Python in a process of its own, with a setting."""
    if setting in LESSER and (missing := lacking(setting)):
        pytest.skip(f"this processor lacks {', '.join(missing)}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment = {**kept, **SETTINGS[setting], INNER: "1", "HYPOTHESIS_PROFILE": "brief"}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)


def assert_passes(tests, setting):
    ran = inner(["-m", "pytest", *map(str, tests), "-q", "-p", "no:cacheprovider", "-x"], setting)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert " passed" in ran.stdout


@pytest.mark.parametrize("setting", QUICK)
def test_vectors_and_a_share_of_the_kernels(setting):
    share = SHARED_OUT[QUICK.index(setting) :: len(QUICK)]
    cases = [f"{KERNELS}::test_kernel_agrees_with_the_reference[{name}]" for name in share]
    assert_passes([*VECTORS, *cases], setting)


SLOWEST = ("uncompiled", "first x86-64", "Skylake-X")
"""What .ci/run leaves out: it runs all kernels with bounds checked, and for AVX2."""


@pytest.mark.long
@pytest.mark.parametrize(
    "setting", [pytest.param(name, marks=[pytest.mark.slowest] * (name in SLOWEST)) for name in SETTINGS]
)
def test_vectors_and_kernels(setting):
    assert_passes([*VECTORS, KERNELS], setting)


TARGET = "from numba.core.registry import cpu_target; print(*cpu_target.target_context.codegen().magic_tuple()[1:])"


@pytest.mark.parametrize("setting", TARGETS)
def test_the_setting_reaches_the_compiler(setting):
    name, *features = inner(["-c", TARGET], setting).stdout.split()
    assert name == SETTINGS[setting]["NUMBA_CPU_NAME"]
    assert ("avx512" in "".join(features)) == ("avx512" in SETTINGS[setting].get("NUMBA_CPU_FEATURES", ""))
