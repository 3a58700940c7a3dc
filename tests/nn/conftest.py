"""Every test here needs torch, begins from the same random state, and runs in one thread, as these are small sums."""

import pytest


@pytest.fixture(autouse=True)
def _same_for_all():
    torch = pytest.importorskip("torch", reason="needs the extra train")
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
