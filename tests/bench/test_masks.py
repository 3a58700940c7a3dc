"""Masks keep what their names say, and the comparison names and times what it should."""

import numpy as np
import pytest

from sparsenet.bench import masks
from sparsenet.layers import KWinners, ReLU
from sparsenet.timing import Timing

pytestmark = pytest.mark.long  # whole sweeps

DENSITIES = {
    "4 of 64 at 20": (0.05, 0.05),
    "3 of 25": (0.12, 0.0325),
    "6 of 25": (0.24, 0.0325),
    "1 of 8 groups": (0.125, 0.0325),
    "2 of 8 groups": (0.25, 0.0325),
    "convolution dense": (1.0, 0.0325),
    "unstructured": (0.05, 0.05),
    "16 outputs share inputs": (0.05, 0.05),
}


@pytest.mark.parametrize("kind", masks.KINDS, ids=lambda kind: kind.name)
def test_masks_are_as_dense_as_they_say(kind):
    net = masks.reference_network(kind)
    conv2, linear = next(pair for part, pair in DENSITIES.items() if part in kind.name)
    assert (net["conv2d2"].weight != 0).mean() == pytest.approx(conv2)
    assert (net["linear1"].weight != 0).mean() == pytest.approx(linear)
    assert sum(isinstance(node.layer, KWinners) for node in net.nodes) == 3


def test_taps_are_kept_whole_and_shared_by_16_outputs():
    kept = masks.reference_network(masks.KINDS[2])["conv2d2"].weight.reshape(4, 16, 64, 25) != 0
    assert np.array_equal(kept.all(axis=(1, 2)), kept.any(axis=(1, 2)))
    assert (kept.all(axis=(1, 2)).sum(axis=1) == 6).all()


@pytest.mark.parametrize(("kind", "groups"), [(3, 1), (4, 2)])
def test_groups_of_channels_are_kept_at_every_tap_and_shared_by_16_outputs(kind, groups):
    kept = masks.reference_network(masks.KINDS[kind])["conv2d2"].weight.reshape(4, 16, 8, 8, 25) != 0
    assert np.array_equal(kept.all(axis=(1, 3, 4)), kept.any(axis=(1, 3, 4)))
    assert (kept.all(axis=(1, 3, 4)).sum(axis=1) == groups).all()


def test_the_peer_runs_the_dense_network():
    net = masks.reference_network(None)
    assert all(not isinstance(node.layer, KWinners) for node in net.nodes)
    assert sum(isinstance(node.layer, ReLU) for node in net.nodes) == 3
    assert (net["linear1"].weight != 0).all()


def test_every_kind_runs_and_is_timed(monkeypatch):
    monkeypatch.setattr(masks, "KINDS", (masks.KINDS[1], masks.KINDS[-1]))
    monkeypatch.setattr(masks, "BATCHES", (1, 3))
    timings = masks.time_masks(rounds=1)
    for batch in (1, 3):
        assert {kind.name for kind in masks.KINDS} <= set(timings[batch])
        assert all(timing.samples > 0 for timing in timings[batch].values())


def test_the_table_divides_by_the_batch_and_by_the_peer():
    timings = {
        64: {"mine": Timing(0, 128.0, 0, 0, 1), masks.PEER: Timing(0, 6400.0, 0, 0, 1)},
        1: {"mine": Timing(0, 2.0, 0, 0, 1), masks.PEER: Timing(0, 20.0, 0, 0, 1)},
    }
    assert "| mine | 2.00 | 50.0 | 2.00 | 10.0 |" in masks.as_markdown(timings)
    without = {1: {"mine": Timing(0, 2.0, 0, 0, 1)}}
    assert "| mine | 2.00 |  |" in masks.as_markdown(without)
