import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet.errors import AudioError, ModelFormatError
from sparsenet.layers import Flatten, Linear, LogSoftmax, ReLU, Softmax
from sparsenet.models import load
from sparsenet.network import Network
from sparsenet.speech import recognize as module
from sparsenet.speech.front_end import FrontEnd
from sparsenet.speech.recognize import confidences, front_end_of, recognize
from sparsenet.speech.recordings import recordings

soundfile = pytest.importorskip("soundfile", reason="needs the extra speech")

SMALL = FrontEnd(samples=1024, window=256, hop=256, bands=4, frames=4)


class ReferenceEngine:
    """Runs a network by its meaning; counts its calls."""

    def __init__(self, network):
        self.network = network
        self.calls = []

    def __call__(self, x):
        self.calls.append(x)
        return self.network.reference(x).astype(np.float32)


def loudest_band(*ending, labels=("low", "silence", "middle", "high"), front_end=SMALL):
    """A network whose score for each label is the sum of one band's features."""
    weight = np.repeat(np.eye(4), front_end.frames, axis=1)
    details = {"front_end": front_end.to_dict()}
    return Network.sequential(front_end.shape, [Flatten(), Linear(weight), *ending], labels, details)


def write(path, waveform, rate_hz=16_000):
    soundfile.write(path, waveform, rate_hz, subtype="FLOAT")
    return path


def tone(rate_hz, samples=1024):
    return 0.5 * np.sin(2 * np.pi * rate_hz * np.arange(samples) / 16_000).astype(np.float32)


def test_the_bundled_network_hears_most_bundled_recordings():
    engine = ReferenceEngine(load("spoken-digits"))
    heard = recognize([one.path for one in recordings()], engine)
    right = [one.label == answer.heard for one, answer in zip(recordings(), heard, strict=True)]
    human = [one.kind == "human" and one.label == one.said for one in recordings()]
    assert sum(np.logical_and(right, human)) >= 8
    assert sum(right) >= 16


def test_every_file_has_an_answer_in_order(tmp_path):
    paths = [write(tmp_path / f"{name}.wav", tone(rate)) for name, rate in (("b", 100), ("a", 7000))]
    heard = recognize(paths, ReferenceEngine(loudest_band()))
    assert [one.file for one in heard] == [str(path) for path in paths]
    assert [one.heard for one in heard] == ["low", "high"]
    assert all(0 < one.confidence <= 1 and one.time_us > 0 and one.at_s == 0 for one in heard)


def test_a_folder_stands_for_its_files(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / f"{name}.wav", tone(100))
    steps = []
    heard = recognize(tmp_path, ReferenceEngine(loudest_band()), lambda done, of: steps.append((done, of)))
    assert len(heard) == 2
    assert steps == [(1, 2), (2, 2)]


def test_a_long_file_answers_with_its_most_telling_window(tmp_path):
    quiet = 1e-3 * np.random.default_rng(0).standard_normal(4096).astype(np.float32)
    quiet[2048:3072] += tone(7000)
    engine = ReferenceEngine(loudest_band())
    heard = recognize(write(tmp_path / "long.wav", quiet), engine)[0]
    assert heard.heard == "high"
    assert heard.at_s == pytest.approx(2048 / 16_000, abs=512 / 16_000)
    assert [len(x) for x in engine.calls] == [1] * 7  # windows overlap by half


def test_the_last_window_ends_with_the_file(tmp_path):
    waveform = np.concatenate([1e-4 * np.ones(1500, np.float32), tone(7000)])
    net = loudest_band(labels=("silence", "x", "y", "high"))
    assert recognize(write(tmp_path / "a.wav", waveform), ReferenceEngine(net))[0].at_s == 1500 / 16_000


@given(shares=st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=6))
def test_silence_answers_only_when_nothing_else_is_heard(shares):
    labels = ("silence", "yes", "no")
    shares = np.array(shares)
    window, label = module._most_telling(shares, labels)
    assert label == shares[window].argmax()
    spoken = [row.max() for row in shares if labels[row.argmax()] != "silence"]
    if spoken:
        assert labels[label] != "silence"
        assert shares[window, label] == max(spoken)
    else:
        assert shares[window, label] == shares.max()


@pytest.mark.parametrize("ending", [(), (Softmax(),), (LogSoftmax(),)], ids=["scores", "softmax", "log-softmax"])
def test_confidence_is_the_same_whatever_the_last_layer(ending):
    scores = np.random.default_rng(1).standard_normal((5, 1, 4, 4)) * 20
    expected = confidences(loudest_band(), loudest_band().reference(scores))
    net = loudest_band(*ending)
    np.testing.assert_allclose(confidences(net, net.reference(scores)), expected, rtol=1e-9)
    np.testing.assert_allclose(expected.sum(axis=1), 1)


def test_confidence_of_huge_scores_is_finite():
    assert confidences(loudest_band(), [[1e30, -1e30, 0, 1e30]]).tolist() == [[0.5, 0, 0, 0.5]]


def test_a_network_without_labels_answers_with_numbers(tmp_path):
    net = loudest_band(labels=())
    assert recognize(write(tmp_path / "a.wav", tone(7000)), ReferenceEngine(net))[0].heard == "3"


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Network.sequential((4,), [ReLU()]), "whose details say its front_end"),
        (Network.sequential((4,), [ReLU()], details={"front_end": {}}), "expected a network from features of shape"),
        (Network.sequential((4,), [ReLU()], details={"front_end": {"hop": 0}}), "hop"),
        (Network.sequential((4,), [ReLU()], details={"front_end": {"unknown": 1}}), "unknown"),
        (Network.sequential((1, 32, 32), [ReLU()], details={"front_end": {}}), "one score per label"),
    ],
)
def test_a_network_that_was_not_made_for_sound(net, message):
    with pytest.raises(ModelFormatError, match=message):
        front_end_of(net)


def test_errors(tmp_path):
    engine = ReferenceEngine(loudest_band())
    with pytest.raises(AudioError):
        recognize(tmp_path / "missing.wav", engine)
    (tmp_path / "text.wav").write_text("not sound")
    with pytest.raises(AudioError):
        recognize(tmp_path / "text.wav", engine)
    with pytest.raises(TypeError, match="expected an engine, a network or its name"):
        recognize(write(tmp_path / "a.wav", tone(100)), 5)
    with pytest.raises(FileNotFoundError, match="spoken-digits"):
        recognize(tmp_path / "a.wav", "no-such-network")
