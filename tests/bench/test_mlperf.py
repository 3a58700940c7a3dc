import numpy as np
import pytest

from sparsenet.bench.mlperf import LEAST_S, OFFLINE_SAMPLES, STREAM_QUERIES, offline, single_stream
from sparsenet.errors import SparsenetError


class FakeEngine:
    """Each call takes the next of its durations; the clock moves with nothing else."""

    def __init__(self, *durations_s):
        self.durations_s = durations_s
        self.now_s = 100.0
        self.seen = []

    def clock(self):
        return round(self.now_s * 1e9)

    def __call__(self, x):
        self.now_s += self.durations_s[len(self.seen) % len(self.durations_s)]
        self.seen.append(x.copy())


def inputs(count, batch=1):
    return [np.full((batch, 3), i, np.float32) for i in range(count)]


def test_a_fast_engine_is_asked_for_a_minute():
    engine = FakeEngine(0.01)
    found = single_stream(engine, inputs(4), clock=engine.clock)
    assert found.duration_s >= LEAST_S
    assert found.queries == pytest.approx(6_000, abs=1)
    assert found.by_the_rules
    assert (found.p90_us, found.minimum_us) == (pytest.approx(10_000.0), pytest.approx(10_000.0))


def test_a_slow_engine_is_asked_often_enough():
    engine = FakeEngine(1.0)
    found = single_stream(engine, inputs(4), clock=engine.clock)
    assert (found.queries, found.by_the_rules) == (STREAM_QUERIES, True)
    assert found.duration_s == pytest.approx(STREAM_QUERIES)


def test_the_90th_percentile_is_that_of_all_queries():
    engine = FakeEngine(*[1.0] * 8, 5.0, 9.0)
    found = single_stream(engine, inputs(3), queries=1_000, clock=engine.clock)
    assert found.median_us == pytest.approx(1e6)
    assert found.p90_us == pytest.approx(5.4e6)  # between the ninth and the tenth of ten
    assert not found.by_the_rules  # too few


def test_queries_take_turns_after_one_that_is_not_counted():
    engine = FakeEngine(1.0)
    found = single_stream(engine, inputs(3), queries=7, least_s=0, clock=engine.clock)
    assert [int(x[0, 0]) for x in engine.seen] == [0, 0, 1, 2, 0, 1, 2, 0]
    assert (found.queries, found.duration_s) == (7, 7.0)


def test_offline_counts_samples_for_long_enough():
    engine = FakeEngine(0.5)
    found = offline(engine, inputs(2, batch=256), clock=engine.clock)
    assert (found.samples, found.batch, found.by_the_rules) == (120 * 256, 256, True)
    assert found.samples_per_s == pytest.approx(512.0)


def test_offline_of_a_slow_engine_sees_enough_samples():
    engine = FakeEngine(10.0)
    found = offline(engine, inputs(2, batch=64), clock=engine.clock)
    assert found.samples == OFFLINE_SAMPLES
    assert found.duration_s == pytest.approx(10.0 * OFFLINE_SAMPLES / 64)


def test_less_than_a_minute_is_not_by_the_rules():
    engine = FakeEngine(0.001)
    assert not offline(engine, inputs(2, 64), least_s=10, clock=engine.clock).by_the_rules
    assert not single_stream(engine, inputs(2), least_s=10, clock=engine.clock).by_the_rules


def test_progress_never_goes_back_and_ends_at_one():
    engine, shares = FakeEngine(0.1), []
    offline(engine, inputs(2, 64), clock=engine.clock, tell=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("settings", [{"least_s": -1}, {"least_s": float("nan")}])
@pytest.mark.parametrize("scenario", [single_stream, offline])
def test_what_cannot_be_run_is_an_error(scenario, settings):
    with pytest.raises(SparsenetError, match="expected inputs"):
        scenario(FakeEngine(1.0), inputs(1), **settings)
    with pytest.raises(SparsenetError, match="expected inputs"):
        scenario(FakeEngine(1.0), [])
