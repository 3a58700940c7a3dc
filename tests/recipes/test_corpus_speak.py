"""Real synthesizers, each where it is installed; nobody needs them for anything but making a corpus."""

import os
from pathlib import Path

import numpy as np
import pytest

from sparsenet.recipes.corpus import VOICES
from sparsenet.recipes.corpus.speak import Saying, espeak
from sparsenet.recipes.corpus.synthesizers import synthesizers

NPM = Path(os.environ.get("SPARSENET_TEST_NPM", "."))
ENGINES = {one.name: one for one in synthesizers(NPM)}
FIRST_VOICE = {voice.engine: voice.name for voice in reversed(VOICES)}


def said(engine, word="seven", takes=2, seed=0):
    if not ENGINES[engine].is_installed():
        pytest.skip(f"{engine} is not installed: {ENGINES[engine].install}")
    return ENGINES[engine].speak(Saying(engine, FIRST_VOICE[engine], word, takes, seed))


@pytest.mark.parametrize("engine", ENGINES)
def test_takes_are_words_that_differ(engine):
    takes = said(engine, takes=4)
    assert len(takes) == 4
    for take in takes:
        assert 8_000 <= take.rate_hz <= 48_000
        assert 0.2 < len(take.waveform) / take.rate_hz < 5
        assert 0.01 < np.abs(take.waveform).max() <= 1
    # At least two: flite rounds the length of a word to whole frames, so that two speeds may sound the same.
    assert len({take.waveform.tobytes() for take in takes}) >= 2


@pytest.mark.parametrize("engine", ENGINES)
def test_a_take_is_the_same_whatever_was_said_before_and_comes_after(engine):
    (alone,), _, (first, _) = said(engine, takes=1), said(engine, "yes", 1), said(engine, takes=2)
    np.testing.assert_array_equal(alone.waveform, first.waveform)


@pytest.mark.parametrize("engine", ["espeak", "festival", "flite"])
def test_programs_that_are_missing_say_nothing(engine, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ENGINES[engine].speak(Saying(engine, FIRST_VOICE[engine], "seven", 2, 0)) == [None, None]
    assert not ENGINES[engine].is_installed()


@pytest.mark.skipif(os.name != "posix", reason="the failing program is a shell script")
def test_programs_that_fail_say_nothing(monkeypatch, tmp_path):
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\necho no sound; exit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert espeak(Saying("espeak", "Alex", "seven", 2, 0)) == [None, None]


def test_gnuspeech_needs_its_folder(tmp_path):
    assert not {one.name: one for one in synthesizers()}["gnuspeech"].is_installed()
    assert not {one.name: one for one in synthesizers(tmp_path)}["gnuspeech"].is_installed()
