"""How many cores compile at once."""

import pytest

from sparsenet.engine import program
from sparsenet_kernels.parallel_compile import HELPER_BYTES


@pytest.mark.parametrize(
    ("left_bytes", "expected"), [(None, 8), (10**12, 8), (4 * HELPER_BYTES, 3), (HELPER_BYTES, 1), (0, 1)]
)
def test_no_more_cores_compile_than_half_of_the_memory_has_room_for(monkeypatch, left_bytes, expected):
    asked = []
    monkeypatch.setattr(program, "usable_cores", lambda: 8)
    monkeypatch.setattr(program, "available_bytes", lambda: left_bytes)
    monkeypatch.setattr(program, "compile_together", lambda kernels, cores: asked.append(cores) or iter(()))
    program.compile_kernels([])
    assert asked == [expected]
