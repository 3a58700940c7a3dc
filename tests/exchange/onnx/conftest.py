"""Every test here needs onnx; none needs torch, whose settings the folder above makes."""

import pytest


@pytest.fixture(autouse=True)
def _seeded():
    pytest.importorskip("onnx", reason="needs the extra onnx")
