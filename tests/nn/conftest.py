"""Every test here needs torch and begins from the same random state."""

import pytest


@pytest.fixture(autouse=True)
def _seeded():
    pytest.importorskip("torch", reason="needs the extra train").manual_seed(0)
