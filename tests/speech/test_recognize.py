import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet.errors import AudioError, ModelFormatError
from sparsenet.graph.network import Network
from sparsenet.layers import Flatten, Linear, LogSoftmax, ReLU, Softmax
from sparsenet.models import load
from sparsenet.speech import recognize as module
from sparsenet.speech.audio import read_audio
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
    """Make a tone that swells: one that stands still would be silence."""
    swelling = np.linspace(0, 1, samples)
    return (0.5 * swelling * np.sin(2 * np.pi * rate_hz * np.arange(samples) / 16_000)).astype(np.float32)


def test_the_bundled_network_hears_most_bundled_recordings():
    engine = ReferenceEngine(load("spoken-digits"))
    heard = recognize([one.path for one in recordings()], engine)
    right = [one.label == answer.heard for one, answer in zip(recordings(), heard, strict=True)]
    human = [one.kind == "human" and one.label == one.said for one in recordings()]
    assert sum(np.logical_and(right, human)) >= 8
    assert sum(right) >= 16


def test_every_file_has_an_answer_in_order(tmp_path):
    paths = [write(tmp_path / f"{name}.wav", tone(rate)) for name, rate in (("b", 500), ("a", 7000))]
    heard = recognize(paths, ReferenceEngine(loudest_band()))
    assert [one.file for one in heard] == [str(path) for path in paths]
    assert [one.heard for one in heard] == ["low", "high"]
    assert all(0 < one.confidence <= 1 and one.time_us > 0 and one.at_s == 0 for one in heard)


GOOD = {"a.wav": "low", "z.wav": "high"}


def nothing(path):
    path.write_bytes(b"")


def garbage(path):
    path.write_bytes(b"RIFF1234WAVEfmt garbage")


def no_samples(path):
    write(path, np.zeros(0, np.float32))


def not_finite(path):
    write(path, np.full(900, np.nan, np.float32))


def leads_nowhere(path):
    path.symlink_to(path.with_name("gone"))


def leads_to_itself(path):
    path.symlink_to(path)


def pipe(path):
    os.mkfifo(path)


def cut_flac(path):
    soundfile.write(path, tone(500, 16_000), 16_000, format="FLAC")
    path.write_bytes(path.read_bytes()[:2000])


BAD = (nothing, garbage, no_samples, not_finite, leads_nowhere, leads_to_itself, pipe, cut_flac)


def good_and_bad(folder, make):
    for name, rate in zip(GOOD, (500, 7000), strict=True):
        write(folder / name, tone(rate))
    make(folder / "b.wav")


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are made as on POSIX")
@pytest.mark.parametrize("make", BAD)
def test_one_bad_file_loses_nothing(tmp_path, make):
    good_and_bad(tmp_path, make)
    found = recognize(tmp_path, ReferenceEngine(loudest_band()))
    assert [os.path.basename(one.file) for one in found] == ["a.wav", "b.wav", "z.wav"]
    assert {os.path.basename(one.file): one.heard for one in found if not one.error} == GOOD
    (failed,) = (one for one in found if one.error)
    assert "b.wav" in failed.error
    assert (failed.heard, failed.confidence) == ("", 0.0)


def test_paths_that_are_not_there_lose_nothing(tmp_path):
    write(tmp_path / "a.wav", tone(500))
    heard, missing = recognize([tmp_path / "a.wav", tmp_path / "missing.wav"], ReferenceEngine(loudest_band()))
    assert heard.heard == "low"
    assert "found nothing at" in missing.error


def test_a_file_that_goes_while_others_are_heard_loses_nothing(tmp_path, monkeypatch):
    good_and_bad(tmp_path, lambda path: write(path, tone(500)))
    real = module.hear_file

    def hear_file(path, rate_hz):
        if path.name == "b.wav":
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return real(path, rate_hz)

    monkeypatch.setattr(module, "hear_file", hear_file)
    found = recognize(tmp_path, ReferenceEngine(loudest_band()))
    assert [bool(one.error) for one in found] == [False, True, False]
    assert "No such file" in found[1].error


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root and Windows may read every folder")
def test_a_folder_that_may_not_be_read_loses_nothing(tmp_path):
    write(tmp_path / "a.wav", tone(500))
    (tmp_path / "locked").mkdir(mode=0)
    heard, locked = recognize(tmp_path, ReferenceEngine(loudest_band()))
    (tmp_path / "locked").chmod(0o700)
    assert heard.heard == "low"
    assert "may be read" in locked.error


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    write(tmp_path / "a.wav", tone(500))
    real = os.walk

    def walk(path, onerror):
        onerror(PermissionError(13, "Permission denied", str(tmp_path / "locked")))
        return real(path)

    monkeypatch.setattr("sparsenet.speech.finding.os.walk", walk)
    heard, locked = recognize(tmp_path, ReferenceEngine(loudest_band()))
    assert heard.heard == "low"
    assert locked.error == f"expected a folder that may be read, found {tmp_path / 'locked'}: Permission denied"


def test_a_file_that_ends_early_is_heard_and_said(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(7000, 1024), 16_000)
    path.write_bytes(path.read_bytes()[:1844])
    (heard,) = recognize(path, ReferenceEngine(loudest_band()))
    assert heard.heard == "high"
    assert heard.warning == "the file ends early: of 2,048 bytes of sound 1,800 are there, and are read"
    with pytest.warns(UserWarning, match=r"a\.wav: the file ends early"):
        assert len(read_audio(path)) == 900


def test_an_empty_path_is_not_the_current_folder(tmp_path, monkeypatch):
    write(tmp_path / "a.wav", tone(500))
    monkeypatch.chdir(tmp_path)
    for paths in ("", [""], ["a.wav", ""]):
        with pytest.raises(AudioError, match="empty path"):
            recognize(paths, ReferenceEngine(loudest_band()))


def test_a_folder_stands_for_its_files(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / f"{name}.wav", tone(500))
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
    with pytest.raises(AudioError, match=r"text\.wav"):
        recognize(tmp_path / "text.wav", engine)
    with pytest.raises(AudioError, match="and 1 others that cannot be heard"):
        recognize([tmp_path / "text.wav", tmp_path / "missing.wav"], engine)
    with pytest.raises(TypeError, match="expected an engine, a network or its name"):
        recognize(write(tmp_path / "a.wav", tone(500)), 5)
    with pytest.raises(FileNotFoundError, match="spoken-digits"):
        recognize(tmp_path / "a.wav", "no-such-network")
