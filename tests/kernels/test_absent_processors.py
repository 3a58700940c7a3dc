"""Kernels for processors that this one is not, as far as it can show.

* Tiles (AMX): each instruction calls Python, which does what Intel's manual says; so kernels run here.
* AVX-VNNI without AVX-512: the same way through the kernels, written with this processor's instructions.
* Everybody else: LLVM accepts every kernel, and the instructions that it should have are there. Nothing is run.

A few kernels in the quick form; all with ``pytest -m long tests/kernels/test_absent_processors.py``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from processors import ARM, PROCESSORS, X86, lacking, settings_of, this_one_with

from sparsenet_kernels.registry import kernels
from sparsenet_kernels.simd.amx import amx_available

HERE = Path(__file__).parent
KERNELS = HERE / "test_kernels.py"
BYTES = sorted(name for name, kernel in kernels().items() if kernel.dtype == "i8")
TILES = [name for name in BYTES if kernels()[name].variant == "amx"]
FEW = ("linear_f32_blocks_active", "linear_i8_dense_dense", "linear_i8_tiles_dense__amx")
QUICK = ("Alder Lake", "Sapphire Rapids")
ASSEMBLED = ("Alder Lake", "Ice Lake", "Zen 5", "Sapphire Rapids")
"""On the others of the list, or with features of theirs, test_targets.py runs the kernels."""

pytestmark = pytest.mark.skipif(not X86, reason="starts from code for x86-64")


def python(*arguments, **settings):
    """Run Python without the cache: what is compiled here is for nobody else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    own = {"SPARSENET_CACHE_DIR": "off", "SPARSENET_INNER": "1", "HYPOTHESIS_PROFILE": "brief", "PYTHONPATH": path}
    environment = {**kept, **own, **settings}
    ran = subprocess.run([sys.executable, *map(str, arguments)], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    return ran.stdout


def run_tests(plugin, tests, **settings):
    return python("-m", "pytest", "-q", "-x", "-p", plugin, "-p", "no:cacheprovider", *tests, **settings)


def cases(names):
    return [f"{KERNELS}::test_kernel_agrees_with_the_reference[{name}]" for name in names]


@pytest.mark.parametrize(
    "names", [pytest.param(TILES[:1], id="one kernel"), pytest.param(TILES, id="all kernels", marks=pytest.mark.long)]
)
def test_kernels_for_tiles_agree_with_the_reference(names):
    if amx_available():
        pytest.skip("this processor has tiles, test_kernels.py uses them")
    said = run_tests("amx_in_python", cases(names), **this_one_with("amx-tile", "amx-int8"))
    assert f"{len(names)} passed" in said
    assert "done in Python: ldtilecfg, tdpbusd, tileloadd64, tilerelease, tilestored64, tilezero" in said


@pytest.mark.parametrize(
    "tests",
    [
        pytest.param([HERE / "integer" / "test_bytes.py"], id="operations"),
        pytest.param(cases(sorted({*BYTES} - {*TILES})), id="kernels", marks=pytest.mark.long),
    ],
)
def test_bytes_on_processors_with_short_vectors_and_sums_of_products(tests):
    if missing := [feature for feature in lacking("Ice Lake") if feature in ("avx512vl", "avx512vnni")]:
        pytest.skip(f"this processor lacks {', '.join(missing)}, with which it could be done")
    assert " passed" in run_tests("short_avx_vnni", tests)


@pytest.mark.parametrize("processor", QUICK)
def test_a_few_kernels_have_the_instructions_of_their_processor(processor):
    check_x86(processor, FEW)


@pytest.mark.long
@pytest.mark.slowest
@pytest.mark.parametrize("processor", ASSEMBLED)
def test_all_kernels_have_the_instructions_of_their_processor(processor):
    check_x86(processor, sorted(kernels()))


def check_x86(processor, names):
    features = {*PROCESSORS[processor][1]}
    found = json.loads(python(HERE / "assemble.py", *names, **settings_of(processor)))
    for name, instructions in found.items():
        if not kernels()[name].features <= features:
            assert "expected a target with AMX tiles" in instructions
            continue
        assert instructions["bits of the widest vector"] <= (512 if "avx512f" in features else 256), name
        assert ("tdpbusd" in instructions) == (name in TILES), name
        if not features & {"avx512vnni", "avxvnni"}:
            assert "vpdpbusd" not in instructions, name
    products = "vpdpbusd" if features & {"avx512vnni", "avxvnni"} else "vpmaddwd"
    assert products in found["linear_i8_dense_dense"]
    assert any(name.startswith("vfmadd") for name in found["linear_f32_blocks_active"])


def test_a_few_kernels_can_be_compiled_for_arm():
    check_arm("Apple M1", FEW[:2])


@pytest.mark.long
@pytest.mark.slowest
@pytest.mark.parametrize("processor", ARM)
def test_all_kernels_can_be_compiled_for_arm(processor):
    check_arm(processor, sorted({*kernels()} - {*TILES}))


def check_arm(processor, names):
    found = json.loads(python(HERE / "assemble.py", "--arm", ARM[processor], *names, **settings_of("first x86-64")))
    assert all(isinstance(instructions, dict) for instructions in found.values()), found
    assert "fmla" in found["linear_f32_blocks_active"]
    assert {"smull", "smlal", "sdot", "usdot"} & {*found["linear_i8_dense_dense"]}
