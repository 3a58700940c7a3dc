"""The kernels that work on bytes; tests/kernels/test_kernels.py holds them to the same, this is quick to run alone."""

import pytest

from sparsenet_kernels.registry import kernels
from sparsenet_kernels.testing import can_run, check_kernel

NAMES = [
    "kwta_i8",
    "linear_i8_blocks_active",
    "linear_i8_dense_dense",
    "linear_i8_lookup_dense",
    "linear_i8_tiles_dense__amx",
    "linear_i8_tiles_dense__narrow",
    "linear_i8_tiles_dense__wide",
    "max_pool2d_i8",
    "quantize_i8",
]


@pytest.mark.parametrize("name", NAMES)
def test_kernel_agrees_with_the_reference(name):
    if not can_run(kernels()[name]):
        pytest.skip("this processor or system has no AMX, or NUMBA_DISABLE_JIT is set")
    check_kernel(name)
