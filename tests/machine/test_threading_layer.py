import types

import numba
import pytest

from sparsenet.machine import threading_layer as asking


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


def test_tbb_is_looked_for_where_pip_puts_it(monkeypatch, tmp_path):
    looked_for = []

    def load(name, mode=None):
        looked_for.append(name)
        raise OSError

    monkeypatch.setattr(asking.ctypes, "CDLL", load)
    monkeypatch.setattr(asking.sys, "prefix", str(tmp_path))
    assert not asking.has_tbb()
    assert looked_for[0] == asking.TBB
    assert looked_for[1].startswith(str(tmp_path))


@pytest.mark.parametrize(("version", "enough"), [(12050, False), (12060, True), (12150, True)])
def test_old_versions_of_tbb_do_not_count(monkeypatch, version, enough):
    library = types.SimpleNamespace(TBB_runtime_interface_version=lambda: version)
    monkeypatch.setattr(asking.ctypes, "CDLL", lambda name: library)
    assert asking.has_tbb() is enough


def test_some_layer_can_be_loaded_here(nothing_ran):
    assert asking._loads("workqueue")
    assert not asking._loads("nonsense")
