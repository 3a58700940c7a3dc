"""The kernels that work on bytes; tests/kernels/test_kernels.py holds them to the same, this is quick to run alone."""

import numpy as np
import pytest

import sparsenet as sn
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


@pytest.mark.parametrize("ties", [255, 256, 257, 300, 319, 320, 600])
def test_any_number_of_ties_wins(ties):
    """More ties than a byte counts: of 960, where 256 to 319 were still to come, none of the next 64 won."""
    x = np.full((2, 1, 960), 7, np.uint8)
    x[:, :, 100:105] = 9
    net = sn.Network.sequential((960,), [sn.Quantize(1.0), sn.KWinners(ties + 5), sn.Dequantize(1.0)])
    y = sn.compile(net, 2, 1, planner="predict")(x[:, 0].astype(np.float32))
    np.testing.assert_array_equal(y, net.reference(x[:, 0]))


@pytest.mark.parametrize("name", NAMES)
def test_kernel_agrees_with_the_reference(name):
    if not can_run(kernels()[name]):
        pytest.skip("this processor or system has no AMX, or NUMBA_DISABLE_JIT is set")
    check_kernel(name)
