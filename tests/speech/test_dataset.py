import collections
import hashlib
import os
import re

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sparsenet import errors
from sparsenet.speech import LABELS, Clip, FrontEnd, SpeechCommands, batches, label_of, log_mel, read_audio, recordings
from sparsenet.speech.splits import SPLITS, hashed_split, speaker_of

SPEAKERS = [f"{number * 2_654_435_761 % 2**32:08x}" for number in range(60)]


@pytest.fixture
def root(tmp_path):
    """Sixty speakers who say three words, twice each; the files are empty, since listing must not open them."""
    for word in ("seven", "zero", "sheila"):
        (tmp_path / word).mkdir()
        for speaker in SPEAKERS:
            for take in range(2):
                (tmp_path / word / f"{speaker}_nohash_{take}.wav").touch()
    (tmp_path / "_background_noise_").mkdir()
    (tmp_path / "_background_noise_" / "tap.wav").touch()
    (tmp_path / "_background_noise_" / "README.md").touch()
    (tmp_path / "README.md").touch()
    return tmp_path


def published_rule(file_name):
    """The rule as the data set's README words it, step by step."""
    hashed = int(hashlib.sha1(re.sub(r"_nohash_.*$", "", file_name).encode()).hexdigest(), 16)
    largest = 134_217_727
    percentage = (hashed % (largest + 1)) * (100.0 / largest)
    return "validation" if percentage < 10 else "test" if percentage < 20 else "train"


def test_splits_share_no_clip_and_lose_none(root):
    clips = [clip for name in SPLITS for clip in SpeechCommands(root).split(name)]
    assert len(clips) == len({clip.path for clip in clips}) == 3 * 60 * 2


def test_speakers_never_cross_splits(root):
    splits_of = collections.defaultdict(set)
    for name in SPLITS:
        clips = SpeechCommands(root).split(name)
        assert clips, f"sixty speakers should reach the split {name}"
        for clip in clips:
            splits_of[clip.speaker].add(name)
    assert set(splits_of) == set(SPEAKERS)
    assert all(len(names) == 1 for names in splits_of.values())


@given(st.text(st.characters(exclude_characters="/\0\n", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_hash_rule_is_the_published_one(name):
    path = SpeechCommandsPath(f"{name}_nohash_3.wav")
    assert hashed_split(path) == published_rule(path.name)
    assert speaker_of(path.name) == name.split("_nohash_")[0]


class SpeechCommandsPath:
    """A path of which only the name is known: names that hypothesis draws are not all legal on this system."""

    def __init__(self, name):
        self.name = name


def test_hash_rule_gives_about_a_tenth_to_each_of_two_splits():
    names = [hashed_split(SpeechCommandsPath(f"{number:08x}_nohash_0.wav")) for number in range(5_000)]
    shares = collections.Counter(names)
    # Five standard deviations of a share of a tenth among 5000: 0.021.
    assert shares["validation"] / 5_000 == pytest.approx(0.1, abs=0.021)
    assert shares["test"] / 5_000 == pytest.approx(0.1, abs=0.021)


def test_lists_decide_where_they_exist(root):
    first, second, third = (f"seven/{speaker}_nohash_0.wav" for speaker in SPEAKERS[:3])
    (root / "validation_list.txt").write_text(f"{first}\n\n")
    (root / "testing_list.txt").write_text(f"{second}\r\nseven\\{third.split('/')[1]}\nseven/absent_nohash_0.wav\n")
    data = SpeechCommands(root)
    assert [clip.path for clip in data.split("validation")] == [root / first]
    assert {clip.path for clip in data.split("test")} == {root / second, root / third}
    assert len(data.split("train")) == 3 * 60 * 2 - 3


def test_one_list_alone_is_an_error(root):
    (root / "testing_list.txt").write_text("")
    with pytest.raises(errors.AudioError, match=r"expected both .* found testing_list.txt"):
        SpeechCommands(root).split("train")


def test_a_clip_in_both_lists_is_an_error(root):
    for name in ("validation_list.txt", "testing_list.txt"):
        (root / name).write_text(f"seven/{SPEAKERS[0]}_nohash_0.wav\n")
    with pytest.raises(errors.AudioError, match="in both lists"):
        SpeechCommands(root).split("train")


def test_clips_know_their_word_speaker_and_label(root):
    clips = SpeechCommands(root).split("train")
    assert {(clip.word, clip.label) for clip in clips} == {("seven", "seven"), ("zero", "zero"), ("sheila", "unknown")}
    assert clips == tuple(sorted(clips, key=lambda clip: (clip.word, clip.path.name)))
    assert clips[0].path.name.startswith(clips[0].speaker + "_nohash_")


def test_labels_of_a_network_decide(root):
    data = SpeechCommands(root, labels=["_silence_", "_unknown_", "sheila"])
    assert {(clip.word, clip.label) for clip in data.split("train")} == {
        ("seven", "_unknown_"),
        ("zero", "_unknown_"),
        ("sheila", "sheila"),
    }


def test_background_noise_is_listed_apart(root):
    assert SpeechCommands(root).background_noise() == (root / "_background_noise_" / "tap.wav",)
    assert all(clip.word != "_background_noise_" for name in SPLITS for clip in SpeechCommands(root).split(name))


def test_noise_may_be_absent(tmp_path):
    (tmp_path / "seven").mkdir()
    assert SpeechCommands(tmp_path).background_noise() == ()
    assert SpeechCommands(tmp_path).split("train") == ()


def test_odd_names_are_clips_too(tmp_path):
    (tmp_path / "seven").mkdir()
    for name in ("plain.wav", "Ünïcode_nohash_1.FLAC", ".hidden_nohash_0.wav", "notes.txt", "_nohash_0.wav"):
        (tmp_path / "seven" / name).touch()
    data = SpeechCommands(tmp_path)
    speakers = sorted(clip.speaker for name in SPLITS for clip in data.split(name))
    assert speakers == ["", "plain.wav", "Ünïcode"]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX file names can be bytes that are not text")
def test_names_that_are_not_text_have_a_split(tmp_path):
    (tmp_path / "seven").mkdir()
    try:
        open(os.fsencode(tmp_path) + b"/seven/\xff_nohash_0.wav", "wb").close()
    except OSError:
        pytest.skip("this file system refuses names that are not text")
    assert sum(len(SpeechCommands(tmp_path).split(name)) for name in SPLITS) == 1


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(errors.AudioError, match=r"one folder for each word at .*nowhere"):
        SpeechCommands(tmp_path / "nowhere")
    with pytest.raises(errors.AudioError, match="expected a folder for each word"):
        SpeechCommands(tmp_path).split("train")


def test_unknown_splits_are_refused(root):
    with pytest.raises(errors.SparsenetError, match="expected a split of train, validation, test, got 'valid'"):
        SpeechCommands(root).split("valid")


@pytest.mark.parametrize("labels", [[], ["silence", "zero"], ["unknown", "zero"]])
def test_labels_must_have_silence_and_unknown(root, labels):
    with pytest.raises(errors.SparsenetError, match="among the labels"):
        SpeechCommands(root, labels=labels)


def test_every_digit_has_its_label():
    assert LABELS[:2] == ("silence", "unknown")
    assert [label_of(word) for word in LABELS[2:]] == list(LABELS[2:])


@given(st.text(max_size=12), st.booleans())
def test_any_word_has_a_label(word, underlined):
    labels = [f"_{label}_" if underlined and label in LABELS[:2] else label for label in LABELS]
    label = label_of(word, labels)
    assert label in labels
    assert label.strip("_") == "unknown" or label == word or word.strip("_") == "silence"


@pytest.mark.parametrize("word", ["_background_noise_", "silence", "_silence_"])
def test_silence_has_many_names(word):
    assert label_of(word) == "silence"
    assert label_of(word, ["zero", "_unknown_", "_silence_"]) == "_silence_"


# Batches


@pytest.mark.parametrize("batch", [1, 4, 18, 100])
def test_batches_give_each_clip_once_in_order(batch):
    clips = [Clip(recording.path, recording.said, recording.speaker, recording.label) for recording in recordings()]
    parts = list(batches(clips, batch=batch))
    assert [len(labels) for _, labels in parts[:-1]] == [batch] * (len(parts) - 1)
    features = np.concatenate([features for features, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    assert labels.dtype == np.int64
    assert [LABELS[label] for label in labels] == [clip.label for clip in clips]
    np.testing.assert_array_equal(features, log_mel(np.stack([read_audio(clip.path) for clip in clips])))


def test_batches_fit_clips_of_any_rate_and_length(tmp_path):
    for name, samples, rate_hz in (("short", 100, 8_000), ("long", 50_000, 16_000), ("exact", 16_000, 16_000)):
        wave = np.random.default_rng(0).uniform(-0.5, 0.5, samples)
        soundfile.write(tmp_path / f"{name}.wav", wave, rate_hz)
    clips = [Clip(path, "one", "someone", "one") for path in sorted(tmp_path.iterdir())]
    front_end = FrontEnd(bands=20, frames=30)
    ((features, labels),) = batches(clips, front_end)
    assert features.shape == (3, 1, 20, 30)
    assert labels.tolist() == [LABELS.index("one")] * 3
    first_second = read_audio(tmp_path / "long.wav")[None, :16_000]
    np.testing.assert_array_equal(features[1], log_mel(first_second, front_end)[0])


def test_batches_of_no_clips_are_none():
    assert list(batches([])) == []


def test_batches_refuse_at_once():
    recording = recordings()[0]
    with pytest.raises(errors.SparsenetError, match="batch >= 1"):
        batches([], batch=0)
    with pytest.raises(errors.SparsenetError, match="has 'sheila'"):
        batches([Clip(recording.path, "sheila", "someone", "sheila")])


def test_batches_name_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"nothing to hear")
    ready = batches([Clip(tmp_path / "broken.wav", "one", "someone", "one")])
    with pytest.raises(errors.AudioError, match=r"broken\.wav"):
        next(ready)
