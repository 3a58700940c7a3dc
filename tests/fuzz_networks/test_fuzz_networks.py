"""The short form of ``python -m fuzz_networks``: a few networks on this machine, and the long one on each target."""

import sys

import numpy as np
import pytest

from fuzz_networks import runs
from fuzz_networks.networks import case_of
from fuzz_networks.runs import Outcome, possible_targets, try_seeds

NETWORKS = 60
"""So many of this machine in the short form; ten thousand are tried by a program of their own."""


def test_networks_are_right_or_refused():
    assert_right_or_refused("native", range(NETWORKS))


@pytest.mark.long
@pytest.mark.slowest
@pytest.mark.parametrize("target", possible_targets())
def test_networks_of_every_target_are_right_or_refused(target):
    assert_right_or_refused(target, range(NETWORKS, 3 * NETWORKS))


def assert_right_or_refused(target, seeds):
    outcome = try_seeds(target, seeds, said=lambda *told, **how: None)
    assert not outcome.failures, f"cd tests && python -m fuzz_networks --targets {target}: {outcome.failures}"
    assert sum(outcome.counts.values()) == len(seeds)
    assert outcome.counts["right"] > len(seeds) // 2


def test_a_seed_makes_the_same_case_again():
    for seed in range(0, 40, 7):
        one, other = case_of(seed), case_of(seed)
        assert np.array_equal(one.x, other.x)
        assert [node.inputs for node in one.net.nodes] == [node.inputs for node in other.net.nodes]
        assert (one.settings, one.cuts) == (other.settings, other.cuts)


CHILD = """
import json, os, sys, time
first, end, step = map(int, sys.argv[1:])
for seed in range(first, end, step):
    print(json.dumps([seed, "began", ""]), flush=True)
    if seed == 2:
        os.abort()
    if seed == 4:
        time.sleep(60)
    print(json.dumps([seed, "failed" if seed == 5 else "right", "wrong" if seed == 5 else ""]), flush=True)
"""


def test_what_dies_hangs_or_fails_is_told_with_its_seed_and_the_rest_is_tried(monkeypatch, tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    monkeypatch.setattr(runs, "CHILD", [sys.executable, str(tmp_path / "child.py")])
    told = []
    outcome = try_seeds("native", range(8), said=lambda line, **how: told.append(line), longest_s=5.0)
    assert outcome.counts == {"right": 5, "raised": 0, "failed": 3}
    assert sorted(outcome.failures) == [2, 4, 5]
    assert "ended with -6 in this network" in outcome.failures[2]
    assert outcome.failures[4] == "still running after 5 s"
    assert [line.partition(" on ")[0] for line in told] == ["seed 2", "seed 4", "seed 5"]
    assert told[2].endswith("wrong; again: python -m fuzz_networks --seed 5 --targets native")


def test_the_summary_counts():
    outcome = Outcome("native", {"right": 5, "raised": 0, "failed": 3})
    assert outcome.summary == "native: 8 networks, 5 right, 0 raised, 3 failed"
