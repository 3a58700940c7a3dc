"""The convolutions of bytes; tests/kernels/test_kernels.py holds them to the same, this is quick to run alone."""

import pytest

from sparsenet_kernels.registry import kernels
from sparsenet_kernels.testing import can_run, check_kernel

NAMES = sorted(
    name for name, kernel in kernels().items() if kernel.operation.startswith("conv2d") and kernel.dtype == "i8"
)


@pytest.mark.parametrize("name", NAMES)
def test_kernel_agrees_with_the_reference(name):
    if not can_run(kernels()[name]):
        pytest.skip("this processor or system has no AMX, or NUMBA_DISABLE_JIT is set")
    check_kernel(name)
