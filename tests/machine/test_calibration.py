"""How fast a core is beside the reference, with and without measured limits."""

from dataclasses import replace

from sparsenet.lowering.float_cost import DENSE_DENSE, predict
from sparsenet.lowering.float_work import WeightedWork
from sparsenet.machine import calibration as pace
from sparsenet.machine import limits
from sparsenet.machine.facts import machine
from sparsenet.machine.limits import Limits

HALF = Limits(1.9e9, 5.95e10, {"L2": 8.8e10, "L3": 1.45e10, "memory": 1e9}, {"L2": 2**20, "L3": 2**24, "memory": 2**28})


def kept(monkeypatch, found):
    monkeypatch.setattr(pace, "kept_limits", lambda machine: found)
    pace.pace_of.cache_clear()


def test_without_measured_limits_the_width_of_vectors_decides(monkeypatch):
    kept(monkeypatch, None)
    assert pace.pace_of(replace(machine(), vector_bits=256)) == pace.Pace(1.0, 2.0, 1.0, 1.0)


def test_a_core_half_as_fast_takes_twice_as_long(monkeypatch):
    dense = WeightedWork(1, 1, 1, 1000, 1000, 1, 10**6, 1000.0, 1, 62_500)
    here = replace(machine(), vector_bits=512, l2_bytes=2**21)
    kept(monkeypatch, None)
    at_full_pace = predict(DENSE_DENSE, dense, here).us
    kept(monkeypatch, HALF)
    assert predict(DENSE_DENSE, dense, here).us / at_full_pace > 1.9
    kept(monkeypatch, None)


def test_nothing_is_measured_for_planning(monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "limits_path", lambda here: tmp_path / "nothing.json")
    monkeypatch.setattr(limits, "measure_limits", lambda *_: 1 / 0)
    pace.pace_of.cache_clear()
    assert pace.pace_of(machine()).scalar == 1.0
    pace.pace_of.cache_clear()
