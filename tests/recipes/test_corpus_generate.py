import filecmp
import re

import numpy as np
import pytest
from tone_synthesizer import VOICES, is_not_there, nothing, synthesizer, whisper

from sparsenet.errors import AudioError, SparsenetError
from sparsenet.recipes.corpus import Voice, __main__, make_corpus, noises
from sparsenet.recipes.corpus.sound import read_wav
from sparsenet.speech import SpeechCommands
from sparsenet.speech.splits import SPLITS

WORDS = ("seven", "yes")
CLIPS = {"train": 4, "validation": 2, "test": 6}


def make(root, **changes):
    return make_corpus(root, **{"words": WORDS, "voices": VOICES, "engines": [synthesizer()], **changes})


@pytest.fixture(scope="module", autouse=True)
def short_noises():
    """Two seconds of each noise instead of thirty, in all tests here: they take longer than everything else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noises, "_LENGTH", 32_000)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus") / "new"
    return root, make(root)


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_says_every_word_in_every_voice(made):
    root, report = made
    assert (report.clips, report.written, report.failed, report.missing) == (CLIPS, 12, 0, ())
    for path in root.glob("*/*_nohash_*.wav"):
        sound = read_wav(path)
        assert (len(sound.waveform), sound.rate_hz) == (16_000, 16_000)
        assert np.abs(sound.waveform).max() > 0.05


def test_is_read_as_speech_commands_with_speakers_in_one_split(made):
    data = SpeechCommands(made[0])
    speakers = {name: {clip.speaker for clip in data.split(name)} for name in SPLITS}
    assert {name: len(data.split(name)) for name in SPLITS} == CLIPS
    assert speakers == {name: {voice.speaker for voice in VOICES if voice.split == name} for name in SPLITS}
    assert len(data.background_noise()) == 5


def test_writes_down_who_speaks(made):
    lines = (made[0] / "speakers.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["speaker", "engine", "voice", "split"]
    assert [line.split("\t")[1:] for line in lines[1:]] == [["tones", one.name, one.split] for one in VOICES]


def test_the_same_seed_makes_the_same_files_in_two_processes(made, tmp_path):
    make(tmp_path / "again", jobs=2)
    assert contents(tmp_path / "again") == contents(made[0])


def test_another_seed_makes_other_files(made, tmp_path):
    make(tmp_path / "other", seed=1)
    file = f"seven/{VOICES[0].speaker}_nohash_0.wav"
    assert not filecmp.cmp(tmp_path / "other" / file, made[0] / file, shallow=False)


def test_goes_on_where_it_stopped(made, tmp_path):
    root = tmp_path / "stopped"
    make(root, words=("yes",))
    first, second = sorted((root / "yes").glob("*.wav"))[:2]
    first.unlink()
    kept = second.stat().st_mtime_ns
    report = make(root)
    assert report.written == 1 + 6
    assert second.stat().st_mtime_ns == kept
    assert contents(root) == contents(made[0])


def test_fewer_words_do_not_move_the_others_to_another_split(tmp_path):
    make(tmp_path)
    make(tmp_path, words=("yes",))
    assert {name: len(SpeechCommands(tmp_path).split(name)) for name in SPLITS} == CLIPS


def test_scale_multiplies_the_takes(tmp_path):
    assert make(tmp_path, scale=0.5).clips == {"train": 2, "validation": 2, "test": 4}


def test_progress_is_shown_where_it_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sparsenet.progress.PATIENCE_S", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    make(tmp_path, progress=True)
    assert "speaking" in capsys.readouterr().err


@pytest.mark.parametrize("speak", [nothing, whisper])
def test_voices_that_say_nothing_are_told(tmp_path, speak):
    report = make(tmp_path, engines=[synthesizer(speak)])
    assert (report.clips, report.written, report.failed) == ({"train": 0, "validation": 0, "test": 0}, 0, 12)
    assert report.missing[0] == "tones low said nothing; is this voice installed?"
    assert len(report.missing) == 3


def test_missing_synthesizers_are_skipped_and_told(tmp_path):
    absent = synthesizer(is_installed=is_not_there)
    report = make(tmp_path, engines=[synthesizer(), type(absent)("flite", *list(vars(absent).values())[1:])])
    assert report.missing == ("flite is not installed, skipped: build a tone generator",)
    assert report.clips == CLIPS


def test_no_synthesizer_is_an_error_that_says_how_to_get_one(tmp_path):
    with pytest.raises(AudioError, match="found none installed\ntones is not installed, skipped: build a tone"):
        make(tmp_path / "new", engines=[synthesizer(is_installed=is_not_there)])
    assert not (tmp_path / "new").exists()


def test_refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "seven").mkdir()
    with pytest.raises(AudioError, match="found other files there"):
        make(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["seven"]


def test_refuses_another_seed_in_the_same_folder(made):
    with pytest.raises(AudioError, match=r"expected the seed 0 .* got 1; choose another folder"):
        make(made[0], seed=1)


@pytest.mark.parametrize("words", [[], ["Seven"], ["two words"], ['"'], ["../up"], ["", "yes"]])
def test_refuses_what_is_no_word(tmp_path, words):
    with pytest.raises(SparsenetError, match="expected words"):
        make(tmp_path, words=words)


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_refuses_strange_scales(tmp_path, scale):
    with pytest.raises(SparsenetError, match="expected scale"):
        make(tmp_path, scale=scale)


def test_refuses_a_speaker_in_two_splits(tmp_path):
    with pytest.raises(SparsenetError, match="espeak Alex is in two"):
        make(tmp_path, voices=[Voice("espeak", "Alex", "test", 1)])


def test_command_prints_what_it_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(__main__, "synthesizers", lambda npm: [synthesizer()])
    monkeypatch.setattr(__main__, "make_corpus", lambda out, **options: make(out, words=options["words"]))
    assert __main__.main(["--out", str(tmp_path / "new"), "--words", "yes", "--jobs", "1"]) == 0
    assert re.search(r"new: 2 train, 1 validation, 3 test; 6 written now, 0 failed\n$", capsys.readouterr().out)


def test_command_prints_errors(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(__main__, "synthesizers", lambda npm: [synthesizer(is_installed=is_not_there)])
    assert __main__.main(["--out", str(tmp_path / "new")]) == 1
    assert "found none installed" in capsys.readouterr().err
