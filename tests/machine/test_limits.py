import json
import os
import stat
import sys
from dataclasses import replace

import pytest

from sparsenet.machine import limits as module
from sparsenet.machine import limits_file
from sparsenet.machine import measure_limits as measuring
from sparsenet.machine.facts import machine
from sparsenet.machine.limits import Limits, limits
from sparsenet.machine.measure_limits import measure_limits

SOME = Limits(4e9, 1e11, {"L1": 4e11, "memory": 1e10}, {"L1": 2**15, "memory": 2**28}, {"bytes": 4e11})


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty place to keep limits, and nothing remembered."""
    (tmp_path / "kernels-1").mkdir()
    monkeypatch.setattr(limits_file, "cache_directory", lambda: tmp_path / "kernels-1")
    limits.cache_clear()
    yield tmp_path / "limits"
    limits.cache_clear()


def test_limits_are_measured_for_every_level():
    told = []
    found = measure_limits(told.append, largest_bytes=2**22)
    assert {"L1", "L2", "memory"} <= set(found.read_bytes_per_s)
    assert found.read_bytes_per_s.keys() == found.level_bytes.keys()
    assert all(rate > 0 for rate in (found.clock_hz, found.multiply_adds_per_s, *found.read_bytes_per_s.values()))
    assert found.byte_multiply_adds_per_s["bytes"] > 0
    assert told == [
        "clock",
        "multiply-adds",
        "multiply-adds of bytes",
        *(f"reading {level}" for level in found.read_bytes_per_s),
    ]


@pytest.mark.parametrize(("left_bytes", "read_bytes"), [(0, 2**24), (2**27, 2**25), (None, 2**26)])
def test_no_more_than_a_quarter_of_the_memory_that_is_left_is_read(monkeypatch, left_bytes, read_bytes):
    monkeypatch.setattr(measuring, "available_bytes", lambda: left_bytes)
    here = replace(machine(), l2_bytes=2**20, l3_bytes=2**25)
    assert measuring._level_bytes(here, 2**30)["memory"] == (read_bytes, read_bytes)


def test_rates_are_those_of_the_clock():
    now_ns = [0]

    def run(turns):
        now_ns[0] += 250 * turns

    assert measuring._turns_per_s(run, lambda: now_ns[0]) == pytest.approx(4e6)


def test_limits_are_kept_and_read_again(fresh, monkeypatch):
    monkeypatch.setattr(module, "measure_limits", lambda *_: SOME)
    assert limits() == SOME
    (kept,) = fresh.iterdir()
    assert json.loads(kept.read_text())["clock_hz"] == 4e9
    if sys.platform != "win32":
        assert stat.S_IMODE(os.stat(fresh).st_mode) == 0o700
    limits.cache_clear()
    monkeypatch.setattr(module, "measure_limits", lambda *_: pytest.fail("measured twice"))
    assert limits() == SOME


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "nonsense",
        '{"clock_hz": -1, "multiply_adds_per_s": 1, "read_bytes_per_s": {"memory": 1}, "level_bytes": {"memory": 1}}',
        '{"clock_hz": 1, "multiply_adds_per_s": NaN, "read_bytes_per_s": {"memory": 1}, "level_bytes": {"memory": 1}}',
        '{"clock_hz": 1, "multiply_adds_per_s": 1, "read_bytes_per_s": {"L1": 1}, "level_bytes": {"L1": 1}}',
        '{"clock_hz": 1, "multiply_adds_per_s": 1, "read_bytes_per_s": {"memory": 1}, "level_bytes": {}}',
        '{"clock_hz": 1, "multiply_adds_per_s": 1, "read_bytes_per_s": [], "level_bytes": []}',
        '{"clock_hz": 1, "multiply_adds_per_s": 1, "read_bytes_per_s": {"memory": 1}, "level_bytes": {"memory": 1}}',
        '{"clock_hz": 1, "multiply_adds_per_s": 1, "read_bytes_per_s": {"memory": 1}, "level_bytes": {"memory": 1},'
        ' "byte_multiply_adds_per_s": {"tiles": 1}}',
    ],
)
def test_a_file_that_cannot_be_true_is_measured_over(fresh, monkeypatch, text):
    path = limits_file.limits_path(machine())
    path.parent.mkdir()
    path.write_text(text)
    monkeypatch.setattr(module, "measure_limits", lambda *_: SOME)
    assert limits() == SOME
    assert limits_file.read_limits(path) == SOME


def test_limits_measured_anew_replace_those_that_were_kept(fresh, monkeypatch):
    monkeypatch.setattr(module, "measure_limits", lambda *_: SOME)
    assert limits() == SOME
    later = replace(SOME, clock_hz=3e9)
    monkeypatch.setattr(module, "measure_limits", lambda *_: later)
    assert limits() == SOME
    assert module.limits_anew() == later
    assert limits() == later
    assert len(list(fresh.iterdir())) == 1


def test_a_unit_that_was_not_measured_has_no_rate():
    assert [SOME.rate_of(unit) for unit in ("float32", "bytes", "tiles")] == [1e11, 4e11, None]


def test_another_machine_is_another_file(fresh):
    here = machine()
    others = [replace(here, model="another"), replace(here, features=()), replace(here, l2_bytes=1), here]
    assert len({limits_file.limits_path(one) for one in others}) == 4


def test_without_a_place_to_keep_them_limits_are_measured(monkeypatch):
    monkeypatch.setattr(limits_file, "cache_directory", lambda: None)
    monkeypatch.setattr(module, "measure_limits", lambda *_: SOME)
    limits.cache_clear()
    assert limits() == SOME
    limits.cache_clear()
