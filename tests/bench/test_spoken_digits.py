import numpy as np
import pytest

import sparsenet
from sparsenet.bench import spoken_digits
from sparsenet.bench.__main__ import as_markdown
from sparsenet.bench.spoken_digits import accuracy_text, compare_on_spoken_digits, varied


class ReferenceEngine:
    def __init__(self, network):
        self.network = network

    def __call__(self, x):
        return self.network.reference(x).astype(np.float32)


@pytest.fixture(scope="module")
def compared():
    """The comparison with engines that compute the reference, and no peers."""
    pytest.importorskip("soundfile", reason="needs the extra speech")
    steps = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparsenet, "compile", lambda net, **_: ReferenceEngine(net))
        patch.setattr(spoken_digits, "has_onnxruntime", lambda: False)
        patch.setattr(spoken_digits, "BATCHES", (1, 2))
        patch.setattr(spoken_digits, "SAMPLES", 4)
        return compare_on_spoken_digits(rounds=1, tell=steps.append), steps


def test_without_peers_the_twins_are_compared(compared):
    comparison, steps = compared
    assert [(row.network, row.engine, row.batch) for row in comparison.rows] == [
        (name, "sparsenet", batch) for batch in (1, 2) for name in spoken_digits.NAMES.values()
    ]
    assert all(row.right >= 15 and row.of == 18 and row.accuracy for row in comparison.rows)
    assert len(steps) == 2 * len(spoken_digits.NAMES) + 2
    assert "ONNX" not in " ".join(comparison.unequal)
    assert "k-winners" in comparison.unequal[0]
    assert "ReLU" in comparison.unequal[0]


def test_a_comparison_as_markdown(compared):
    comparison, _ = compared
    lines = as_markdown(comparison).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(comparison.rows)
    assert {line.count("|") for line in table} == {11}
    assert sum(line.startswith("* Not equal: ") for line in lines) == len(comparison.unequal)


def test_varied_recordings_differ_and_stay_near_what_they_were():
    waveforms = np.random.default_rng(0).standard_normal((3, 400)).astype(np.float32)
    made = varied(waveforms, 64)
    assert made.shape == (64, 400)
    assert made.dtype == np.float32
    assert len({row.tobytes() for row in made}) == 64
    for i, row in enumerate(made):
        best = min(np.abs(np.roll(waveforms[i % 3], by) - row).max() for by in range(-40, 41))
        assert best < 0.01  # the noise: six standard deviations of 1e-3
    np.testing.assert_array_equal(made, varied(waveforms, 64))


@pytest.mark.parametrize("said", [None, [], "high", [{"share_right": "x"}], {"a": 1}])
def test_accuracy_that_is_not_said_in_our_way_is_left_out(said):
    assert accuracy_text({"accuracy": said}) == ""
