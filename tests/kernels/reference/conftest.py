"""torch as an independent opinion, and how far two float64 sums may lie apart."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def torch():
    return pytest.importorskip("torch", reason="torch is the independent opinion here; pip install sparsenet[train]")


@pytest.fixture(scope="session")
def assert_agree():
    """Compare with torch; every product that is summed must be at most 1 in size.

    Each of the two sums of `terms` such products is off by at most eps per addition, times a partial sum <= terms.
    """

    def check(ours, tensor, terms):
        theirs = tensor.numpy()
        assert ours.dtype == np.float64
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2 * terms**2 * np.finfo(np.float64).eps)

    return check
