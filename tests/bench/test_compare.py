import numpy as np
import pytest

from sparsenet.bench import Contender, compare
from sparsenet.bench.spoken_digits import days_per_s
from sparsenet.errors import SparsenetError


def scores_of(x):
    """Answer with the sample's own first pixel as the class."""
    return np.eye(4, dtype=np.float32)[x[:, 0].astype(int)]


def always_zero(x):
    return np.eye(4, dtype=np.float32)[np.zeros(len(x), int)]


def samples(n):
    return np.arange(n, dtype=np.float32)[:, None] % 4


def test_rows_come_by_batch_then_contender_with_their_right_answers():
    contenders = [
        Contender("good", "a", {1: scores_of, 8: scores_of}, "all"),
        Contender("bad", "b", {1: always_zero, 8: always_zero}, "few"),
    ]
    judged = (samples(10), np.arange(10) % 4)
    rows = compare(contenders, samples(64), judged, rounds=2)
    assert [(row.network, row.batch) for row in rows] == [("good", 1), ("bad", 1), ("good", 8), ("bad", 8)]
    assert [row.right for row in rows] == [10, 3, 10, 3]
    assert all(row.of == 10 for row in rows)
    assert [row.times_the_first for row in rows if row.network == "good"] == [1.0, 1.0]
    assert [row.accuracy for row in rows] == ["all", "few"] * 2


def test_derived_numbers_follow_from_the_median():
    row = compare([Contender("a", "a", {4: scores_of})], samples(64), (samples(3), np.arange(3)), rounds=3)[0]
    assert row.samples_per_s == pytest.approx(1e6 / row.sample_timing.median_us)
    assert days_per_s(row) == pytest.approx(row.samples_per_s / 86_400)


def test_every_sample_takes_its_turn_in_whole_batches():
    seen = []

    def spy(x):
        seen.append(x[:, 0].copy())
        return always_zero(x)

    inputs = np.arange(20, dtype=np.float32)[:, None]
    compare([Contender("a", "a", {8: spy})], inputs, (inputs[:1], np.zeros(1, int)), rounds=3)
    assert {batch[0] for batch in seen} >= {0.0, 8.0}
    assert all(len(batch) == 8 for batch in seen)


def test_too_few_samples_and_nobody_are_errors():
    with pytest.raises(SparsenetError, match="at least 8 samples"):
        compare([Contender("a", "a", {8: scores_of})], samples(4), (samples(1), np.zeros(1, int)))
    with pytest.raises(SparsenetError, match="at least one contender"):
        compare([], samples(4), (samples(1), np.zeros(1, int)))
