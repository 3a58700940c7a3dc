"""Every test here needs torch, begins from the same random state, and uses one thread: the modules are tiny."""

import pytest


@pytest.fixture(autouse=True)
def _seeded():
    torch = pytest.importorskip("torch", reason="needs the extra train")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
