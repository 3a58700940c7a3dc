import pytest

from sparsenet.bench import interleave
from sparsenet.bench.interleave import Prepared
from sparsenet.errors import SparsenetError


class FakeMachine:
    """A clock that only moves when a call runs, and a log of who ran with which input."""

    def __init__(self, durations_us):
        self.durations_us = durations_us
        self.now_ns = 0
        self.log = []

    def clock(self):
        return self.now_ns

    def calls(self):
        return {name: self._call(name) for name in self.durations_us}

    def _call(self, name):
        def run(index):
            self.log.append((name, index))
            self.now_ns += int(self.durations_us[name] * 1000)

        return run

    def run(self, **settings):
        return interleave(self.calls(), clock=self.clock, **settings)


def test_times_are_those_of_the_clock():
    timings = FakeMachine({"fast": 10.0, "slow": 250.0}).run(rounds=5)
    assert list(timings) == ["fast", "slow"]
    for name, expected in (("fast", 10.0), ("slow", 250.0)):
        timing = timings[name]
        assert timing.median_us == timing.minimum_us == timing.p90_us == timing.p99_us == pytest.approx(expected)


def test_blocks_last_about_as_long_as_asked():
    timings = FakeMachine({"fast": 10.0, "slow": 250.0, "slowest": 9000.0}).run(rounds=7, block_us=1000.0)
    assert [timing.samples for timing in timings.values()] == [7 * 100, 7 * 4, 7]


def test_calls_shorter_than_the_clock_can_tell_are_read_several_at_a_time():
    machine = FakeMachine({"tiny": 0.1})
    timing = machine.run(rounds=1, block_us=32.0)["tiny"]
    assert timing.median_us == pytest.approx(0.1)
    assert timing.samples == 10  # of 32 calls, which take 3.2 us and so more than the shortest reading
    assert len(machine.log) > 320


def test_a_call_that_takes_no_time_at_all_ends():
    assert FakeMachine({"nothing": 0.0}).run(rounds=1)["nothing"].median_us == 0.0


def test_every_call_sees_the_next_input():
    machine = FakeMachine({"a": 30.0, "b": 70.0})
    machine.run(rounds=4, block_us=300.0)
    for name in "ab":
        indices = [index for who, index in machine.log if who == name]
        assert indices == list(range(len(indices)))


def test_the_order_changes_from_round_to_round_and_nobody_is_left_out():
    machine = FakeMachine({"a": 1000.0, "b": 1000.0, "c": 1000.0})
    machine.run(rounds=30, block_us=1000.0)
    rounds = [tuple(name for name, _ in machine.log[-90:][start : start + 3]) for start in range(0, 90, 3)]
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert len(set(rounds)) == 6


def test_the_order_repeats_with_the_seed():
    logs = []
    for seed in (1, 1, 2):
        machine = FakeMachine({"a": 1000.0, "b": 1000.0})
        machine.run(rounds=20, seed=seed)
        logs.append(machine.log)
    assert logs[0] == logs[1] != logs[2]


@pytest.mark.parametrize(("calls", "rounds"), [({}, 5), ({"a": print}, 0)])
def test_nothing_to_time_is_an_error(calls, rounds):
    with pytest.raises(SparsenetError, match="expected at least one call and one round"):
        interleave(calls, rounds=rounds)


def test_percentiles_of_a_call_that_varies():
    durations = iter([5.0] * 4 + [float(i) for i in range(10, 110)])  # the first four go into warming up
    now = [0]

    def call(_):
        now[0] += int(next(durations) * 1000)

    timing = interleave({"a": call}, rounds=100, block_us=1.0, clock=lambda: now[0])["a"]
    assert (timing.minimum_us, timing.median_us, timing.samples) == (10.0, 59.5, 100)
    assert timing.p90_us == pytest.approx(99.1)
    assert timing.p99_us == pytest.approx(108.01)


def test_preparation_is_not_timed():
    now, log = [0], []

    def take(name, duration_us):
        def run(index):
            log.append((name, index))
            now[0] += duration_us * 1000

        return run

    calls = {"a": Prepared(take("prepare", 500), take("call", 20))}
    timing = interleave(calls, rounds=2, block_us=100.0, clock=lambda: now[0])["a"]
    assert (timing.minimum_us, timing.median_us, timing.samples) == (20.0, 20.0, 2 * 5)
    assert [name for name, _ in log[::2]] == ["prepare"] * (len(log) // 2)
    assert all(before == (("prepare", index)) for before, (_, index) in zip(log[::2], log[1::2], strict=True))


def test_no_round_begins_after_the_longest_time():
    rounds = []
    machine = FakeMachine({"a": 1000.0, "b": 3000.0})
    timings = machine.run(rounds=100, block_us=1.0, longest_s=0.010, after_round=rounds.append)
    assert rounds == [1, 2, 3]  # of four milliseconds each: the third begins after eight
    assert timings["a"].samples == 3


def test_the_first_round_is_made_in_any_case():
    assert FakeMachine({"a": 1000.0}).run(rounds=5, block_us=1.0, longest_s=0.0)["a"].samples == 1


def test_after_a_rest_comes_a_call_that_is_not_timed():
    machine = FakeMachine({"a": 1000.0})
    timing = machine.run(rounds=4, block_us=1.0, rest_s=1e-6)["a"]
    assert timing.samples == 4
    assert len(machine.log) == 1 + 3 + 4 * 2
