import numba
import pytest

from sparsenet.planner import threading_layer as asking


@pytest.fixture
def nothing_ran(monkeypatch):
    def not_yet():
        raise ValueError("Threading layer is not initialized.")

    monkeypatch.setattr(numba, "threading_layer", not_yet)


def choose(monkeypatch, choice, installed, platform="linux"):
    monkeypatch.setattr(numba.config, "THREADING_LAYER", choice)
    monkeypatch.setattr(numba.config, "THREADING_LAYER_PRIORITY", ["tbb", "omp", "workqueue"])
    monkeypatch.setattr(asking.sys, "platform", platform)
    monkeypatch.setattr(asking, "_loads", lambda layer: layer in installed)
    return asking.threading_layer()


@pytest.mark.parametrize(
    ("choice", "installed", "name"),
    [
        ("default", ("tbb", "omp", "workqueue"), "tbb"),
        ("default", ("omp", "workqueue"), "omp"),
        ("default", ("workqueue",), "workqueue"),
        ("safe", ("omp", "workqueue"), None),
        ("threadsafe", ("omp", "workqueue"), "omp"),
        ("forksafe", ("omp", "workqueue"), "workqueue"),
        ("workqueue", ("tbb", "workqueue"), "workqueue"),
        ("nonsense", ("tbb",), None),
    ],
)
def test_the_layer_follows_numbas_setting(nothing_ran, monkeypatch, choice, installed, name):
    assert choose(monkeypatch, choice, installed).name == name


@pytest.mark.parametrize(
    ("name", "platform", "thread_safe", "fork_safe"),
    [
        ("tbb", "linux", True, True),
        ("omp", "linux", True, False),
        ("omp", "darwin", True, True),
        ("workqueue", "linux", False, True),
    ],
)
def test_what_each_layer_survives(nothing_ran, monkeypatch, name, platform, thread_safe, fork_safe):
    layer = choose(monkeypatch, name, (name,), platform)
    assert (layer.thread_safe, layer.fork_safe) == (thread_safe, fork_safe)


def test_the_layer_that_runs_is_the_answer(monkeypatch):
    monkeypatch.setattr(numba, "threading_layer", lambda: "workqueue")
    assert asking.threading_layer().name == "workqueue"


def test_some_layer_can_be_loaded_here(nothing_ran):
    assert asking._loads("workqueue")
    assert not asking._loads("nonsense")
