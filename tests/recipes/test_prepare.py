import numpy as np
import pytest

from sparsenet.errors import AudioError, SparsenetError
from sparsenet.recipes.prepare import main, people_clips, prepare_words
from sparsenet.recipes.prepared import PreparedWords, bytes_of
from sparsenet.speech import SpeechCommands, batches, read_audio
from sparsenet.speech.splits import SPLITS

soundfile = pytest.importorskip("soundfile", reason="needs the extra speech")

SPEAKERS = {"train": ("ann", "bob"), "validation": ("cid",), "test": ("dee",)}
SILENCE = {"train": 3, "validation": 1, "test": 2}


def noise(seed, samples=16_000):
    """Make noise that swells: engines take noise that stands still for silence."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples) * np.linspace(0, 1, samples)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two words by four speakers, with lists, in the layout of Google Speech Commands."""
    root = tmp_path_factory.mktemp("corpus")
    for word in ("seven", "sheila", "_background_noise_"):
        (root / word).mkdir()
    for word in ("seven", "sheila"):
        for number, speaker in enumerate(name for names in SPEAKERS.values() for name in names):
            soundfile.write(root / word / f"{speaker}_nohash_0.wav", noise([number, len(word)]), 16_000)
    for split, name in (("validation", "validation_list.txt"), ("test", "testing_list.txt")):
        (root / name).write_text(f"seven/{SPEAKERS[split][0]}_nohash_0.wav\nsheila/{SPEAKERS[split][0]}_nohash_0.wav\n")
    soundfile.write(root / "_background_noise_" / "hiss.wav", noise(9, 40_000), 16_000)
    return root


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    soundfile.write(folder / "0_eve_0.wav", noise(7, 3_000), 8_000)
    soundfile.write(folder / "9_fay_12.wav", noise(8, 5_000), 8_000)
    return folder


@pytest.fixture(scope="module")
def prepared(corpus, people):
    return prepare_words(corpus, [people], views=2, silence=SILENCE)


def test_every_clip_is_there_with_its_split(prepared):
    said = [*zip(prepared.words.tolist(), prepared.speakers.tolist(), prepared.splits.tolist(), strict=True)]
    expected = [
        (word, speaker, split) for split in SPLITS for word in ("seven", "sheila") for speaker in SPEAKERS[split]
    ]
    assert said == [*expected, ("zero", "eve", "people"), ("nine", "fay", "people")]
    assert prepared.images.shape == (10, 3, 32, 32)
    assert prepared.silence_images.shape == (6, 32, 32)
    assert prepared.silence_splits.tolist() == ["train"] * 3 + ["validation"] + ["test"] * 2


def test_clean_views_are_the_features_that_engines_get(prepared, corpus):
    for split in SPLITS:
        clips = SpeechCommands(corpus).split(split)
        features = np.concatenate([features for features, _ in batches(clips)])
        np.testing.assert_array_equal(prepared.images[prepared.splits == split, 0], bytes_of(features[:, 0]))


def test_only_clips_that_train_have_views(prepared):
    for image, split in zip(prepared.images, prepared.splits, strict=True):
        assert len({view.tobytes() for view in image}) == (3 if split in ("train", "people") else 1)


def test_silence_has_all_kinds_of_noise(prepared):
    assert len({image.tobytes() for image in prepared.silence_images}) == 6


def test_processes_change_nothing(prepared, corpus, people):
    again = prepare_words(corpus, [people], views=2, silence=SILENCE, jobs=2)
    np.testing.assert_array_equal(again.images, prepared.images)
    np.testing.assert_array_equal(again.silence_images, prepared.silence_images)


def test_more_views_begin_with_the_same_ones(prepared, corpus, people):
    more = prepare_words(corpus, [people], views=3, silence={})
    np.testing.assert_array_equal(more.images[:, :3], prepared.images)
    assert len(more.silence_images) == 0


def test_no_views_and_no_people_are_fine(corpus):
    clean = prepare_words(corpus, views=0, silence={})
    assert clean.images.shape == (8, 1, 32, 32)


def test_progress_is_shown_where_it_is_asked_for(corpus, monkeypatch, capsys):
    monkeypatch.setattr("sparsenet.progress.PATIENCE_S", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    prepare_words(corpus, views=0, silence={}, progress=True)
    assert "computing features" in capsys.readouterr().err
    prepare_words(corpus, views=0, silence={}, progress=False)
    assert capsys.readouterr().err == ""


def test_people_are_named_by_their_files(people):
    assert [(clip.word, clip.speaker, clip.label) for clip in people_clips([people])] == [
        ("zero", "eve", "zero"),
        ("nine", "fay", "nine"),
    ]
    assert len(read_audio(people / "0_eve_0.wav")) == 6_000


@pytest.mark.parametrize("name", ["seven_ann_0.wav", "7_ann.wav", "77_ann_0.wav", "7_ann_0.flac"])
def test_people_need_the_right_names(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(AudioError, match=r"named <digit>_<speaker>_<take>\.wav, found"):
        people_clips([tmp_path])


def test_a_person_of_the_corpus_cannot_be_one_of_the_people(corpus, tmp_path):
    soundfile.write(tmp_path / "3_ann_0.wav", noise(1), 16_000)
    with pytest.raises(SparsenetError, match="'ann' is in train and people"):
        prepare_words(corpus, [tmp_path], views=0, silence={})


def test_lists_that_tear_a_speaker_apart_are_refused(tmp_path):
    for name in ("seven/ann_nohash_0.wav", "seven/ann_nohash_1.wav", "_background_noise_/hiss.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, noise(1, 20_000), 16_000)
    (tmp_path / "validation_list.txt").write_text("seven/ann_nohash_1.wav\n")
    (tmp_path / "testing_list.txt").write_text("")
    with pytest.raises(SparsenetError, match="'ann' is in train and validation"):
        prepare_words(tmp_path, views=0, silence={})


@pytest.mark.parametrize("samples", [None, 16_000])
def test_noise_must_be_there_and_long(tmp_path, samples):
    (tmp_path / "seven").mkdir()
    if samples is not None:
        (tmp_path / "_background_noise_").mkdir()
        soundfile.write(tmp_path / "_background_noise_" / "short.wav", noise(1, samples), 16_000)
    with pytest.raises(AudioError, match=r"expected recordings of noise in .*_background_noise_"):
        prepare_words(tmp_path)


def test_negative_views_are_refused(corpus):
    with pytest.raises(SparsenetError, match="views >= 0, got -1"):
        prepare_words(corpus, views=-1)


def test_an_empty_corpus_has_no_clips(tmp_path):
    (tmp_path / "seven").mkdir()
    (tmp_path / "_background_noise_").mkdir()
    soundfile.write(tmp_path / "_background_noise_" / "hiss.wav", noise(1, 20_000), 16_000)
    assert prepare_words(tmp_path, views=1, silence={}).images.shape == (0, 2, 32, 32)


def test_command_writes_a_file_that_training_loads(corpus, people, tmp_path, capsys):
    out = tmp_path / "words.npz"
    arguments = ["--corpus", str(corpus), "--people", str(people), "--views", "1", "--out", str(out), "--jobs", "1"]
    assert main(arguments) == 0
    loaded = PreparedWords.load(out)
    assert loaded.images.shape == (10, 2, 32, 32)
    assert len(loaded.silence_images) == 2_950
    assert "PreparedWords(clips=10" in capsys.readouterr().out


def test_command_prints_errors(tmp_path, capsys):
    assert main(["--corpus", str(tmp_path / "nowhere"), "--out", str(tmp_path / "words.npz")]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "words.npz").exists()
