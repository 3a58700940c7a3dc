import pytest

from sparsenet_kernels.cuda.api import missing
from sparsenet_kernels.testing.device import hurried_simulator


@pytest.fixture
def device():
    """Ask for a GPU, or the simulator of one."""
    if why := missing():
        pytest.skip(f"no GPU here, see test_simulated.py: {why[:60]}")
    with hurried_simulator():
        yield
