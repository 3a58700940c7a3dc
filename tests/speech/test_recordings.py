import collections

import numpy as np
import pytest
import soundfile

from sparsenet.speech import LABELS, label_of, read_audio, recordings

TERMS = {  # what LICENSES.md says of each licence of the manifest
    "CC BY-SA 3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "BSD-like (CMU)": "BSD-like",
    "Apache-2.0": "| Apache-2.0 |",
    "no rights claimed": "no rights are claimed",
}


def test_every_file_is_in_the_manifest_and_the_reverse():
    listed = [recording.file for recording in recordings()]
    folder = recordings()[0].path.parent
    assert len(listed) == len(set(listed))
    assert {path.name for path in folder.glob("*.flac")} == set(listed)


@pytest.mark.parametrize("recording", recordings(), ids=lambda recording: recording.file)
def test_every_recording_is_complete(recording):
    assert recording.path.is_file()
    assert recording.kind in {"human", "synthetic", "noise"}
    assert recording.label in LABELS
    assert recording.label == label_of(recording.said or "silence")
    assert recording.speaker
    assert recording.licence
    assert recording.attribution


@pytest.mark.parametrize("recording", recordings(), ids=lambda recording: recording.file)
def test_every_recording_has_its_terms(recording):
    terms = (recording.path.parent / "LICENSES.md").read_text(encoding="utf-8")
    assert TERMS[recording.licence] in terms
    assert recording.file in terms or recording.file.endswith("_allison.flac")
    assert recording.speaker.split()[0] in terms or recording.kind == "noise"


@pytest.mark.parametrize("recording", recordings(), ids=lambda recording: recording.file)
def test_every_recording_is_a_second_at_16_khz(recording):
    header = soundfile.info(recording.path)
    assert (header.samplerate, header.channels, header.frames) == (16_000, 1, 16_000)
    assert np.abs(read_audio(recording.path)).max() > 0.01


def test_people_say_all_digits_and_something_else():
    human = [recording for recording in recordings() if recording.kind == "human"]
    assert len(human) >= 10
    assert {recording.label for recording in human} == set(LABELS[1:])


def test_all_kinds_are_there():
    kinds = collections.Counter(recording.kind for recording in recordings())
    assert kinds["synthetic"] >= 4
    assert kinds["noise"] >= 1


def test_recordings_stay_small():
    folder = recordings()[0].path.parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < 350_000
