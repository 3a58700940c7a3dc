"""Means of many numbers: a float32 sum of more than 2**24 ones stops growing."""

import numpy as np
import pytest

from sparsenet_kernels.registry import kernels


@pytest.mark.parametrize("shape", [(4200, 4200), (1, 2**24 + 2**20), (2**24 + 2**20, 1)])
def test_the_mean_of_ones_is_one(shape):
    x, out = np.ones((1, *shape, 1), np.float32), np.zeros((1, 1, 1, 1), np.float32)
    kernels()["avg_pool2d_f32"].function(x, *shape, *shape, 0, 0, out)
    np.testing.assert_allclose(
        out, 1, rtol=1e-3
    )  # far more than the parts' roundings, far less than what stops growing
