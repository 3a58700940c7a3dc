import collections
import hashlib

import pytest

from sparsenet.recipes.corpus import VOICES, WORDS, Voice
from sparsenet.recipes.corpus.synthesizers import synthesizers
from sparsenet.recipes.corpus.voices import BABBLE_VOICES
from sparsenet.speech.dataset import LABELS
from sparsenet.speech.splits import SPLITS


def test_no_speaker_is_in_two_splits():
    splits_of = collections.defaultdict(set)
    for voice in VOICES:
        splits_of[voice.speaker].add(voice.split)
    assert len(splits_of) == len(VOICES), "two voices share the name of a speaker"
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert len({(voice.engine, voice.name) for voice in VOICES}) == len(VOICES)


def test_every_split_has_voices_and_the_test_has_an_engine_of_its_own():
    engines = {split: {voice.engine for voice in VOICES if voice.split == split} for split in SPLITS}
    assert all(engines.values())
    assert engines["test"] - engines["train"] - engines["validation"] == {"piper"}


def test_every_voice_has_a_synthesizer():
    assert {voice.engine for voice in VOICES} == {one.name for one in synthesizers()}


@pytest.mark.parametrize(("split", "clips"), [("train", 19_775), ("validation", 630), ("test", 1_260)])
def test_the_plan_is_the_one_that_the_documents_count(split, clips):
    assert sum(voice.takes for voice in VOICES if voice.split == split) * len(WORDS) == clips


def test_words_are_those_of_speech_commands():
    assert len(WORDS) == len(set(WORDS)) == 35
    assert list(WORDS) == sorted(WORDS)
    assert set(LABELS[2:]) < set(WORDS)


def test_background_talkers_are_heard_in_training_only():
    split_of = {voice.name: voice.split for voice in VOICES if voice.engine == "espeak"}
    assert {split_of[name] for name in BABBLE_VOICES} == {"train"}


def test_speakers_are_named_as_in_speech_commands():
    voice = Voice("espeak", "Alex", "train", 5)
    assert voice.speaker == hashlib.sha1(b"espeak/Alex").hexdigest()[:8]
