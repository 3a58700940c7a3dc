"""The suite is shared out as it says: what is named exists, and nothing is asked of a machine that it lacks."""

from pathlib import Path

import pytest
import sharing

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("module", sorted({*sharing.FIRST, *sharing.APART}))
def test_modules_that_are_named_exist(module):
    assert (ROOT / module).is_file()


@pytest.mark.parametrize(
    ("cores", "free", "count"),
    [(1, None, 0), (2, None, 2), (2, 1_500_000_000, 0), (4, 3_999_999_999, 3), (99, None, 8)],
)
def test_as_many_processes_as_cores_and_memory_allow(monkeypatch, cores, free, count):
    monkeypatch.setattr("sparsenet.machine.cores.usable_cores", lambda: cores)
    monkeypatch.setattr("sparsenet.machine.available.available_bytes", lambda: free)
    assert sharing.workers() == count


def test_tests_that_take_longest_come_first():
    tests = ["tests/a.py::b", *(f"{module}::c" for module in reversed(sharing.FIRST))]
    assert [sharing.module_of(test) for test in sorted(tests, key=sharing.place_of)] == [*sharing.FIRST, "tests/a.py"]
