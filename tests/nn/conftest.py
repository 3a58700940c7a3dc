import pytest

collect_ignore_glob = []
try:
    import torch  # noqa: F401
except ImportError:
    collect_ignore_glob = []


@pytest.fixture(autouse=True)
def seeded():
    torch = pytest.importorskip("torch", reason="needs the extra train")
    torch.manual_seed(0)
