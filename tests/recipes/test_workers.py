import os

import pytest

from sparsenet.errors import SparsenetError
from sparsenet.recipes.workers import work_through


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order(jobs):
    assert list(work_through(divmod, 1_000, list(range(1, 50)), jobs)) == [divmod(1_000, task) for task in range(1, 50)]


def test_processes_have_one_thread_and_leave_this_one_alone(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert list(work_through(os.getenv, "OMP_NUM_THREADS", ["unset"] * 2, 2)) == ["1", "1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_errors_arrive():
    with pytest.raises(ZeroDivisionError):
        list(work_through(divmod, 1, [1, 0, 1]))


def test_no_tasks_are_no_results():
    assert list(work_through(divmod, 1, [], 2)) == []


@pytest.mark.parametrize("jobs", [0, -1])
def test_refuses_no_processes(jobs):
    with pytest.raises(SparsenetError, match="jobs >= 1"):
        work_through(divmod, 1, [1], jobs)
