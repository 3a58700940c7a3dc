import dataclasses
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet.errors import SparsenetError
from sparsenet.recipes.prepared import PREPARED_SPLITS, PreparedWords, bytes_of, features_of

FIELDS = [field.name for field in dataclasses.fields(PreparedWords)]


def arrays(clips=4, views=2, silence=3):
    draw = np.random.default_rng(clips)
    return {
        "images": draw.integers(0, 256, (clips, 1 + views, 32, 32), dtype=np.uint8),
        "words": np.array(["seven"] * clips, np.str_),
        "speakers": np.array([f"s{number}" for number in range(clips)], np.str_),
        "splits": np.array([PREPARED_SPLITS[number % 4] for number in range(clips)], np.str_),
        "silence_images": draw.integers(0, 256, (silence, 32, 32), dtype=np.uint8),
        "silence_splits": np.array(["test"] * silence, np.str_),
    }


@given(clips=st.integers(0, 5), views=st.integers(0, 2), silence=st.integers(0, 3))
def test_what_is_saved_is_loaded(tmp_path_factory, clips, views, silence):
    path = tmp_path_factory.mktemp("prepared") / "words.npz"
    saved = PreparedWords(**arrays(clips, views, silence))
    saved.save(path)
    loaded = PreparedWords.load(path)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(saved, name))
    assert [entry.name for entry in path.parent.iterdir()] == ["words.npz"]
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == set(FIELDS)


def test_shows_its_sizes_not_its_contents():
    assert repr(PreparedWords(**arrays())) == "PreparedWords(clips=4, views=2, words=1, speakers=4, silence=3)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((4, 32, 32), np.uint8)}, "images of shape"),
        ({"images": np.zeros((4, 0, 32, 32), np.uint8)}, "images of shape"),
        ({"images": np.zeros((3, 3, 32, 32), np.uint8)}, r"words of shape \(3,\)"),
        ({"silence_images": np.zeros((3, 32, 31), np.uint8)}, r"silence_images of shape \(m, \*\(32, 32\)\)"),
        ({"silence_splits": np.array(["test"])}, "silence_splits of shape"),
        ({"silence_splits": np.array(["people"] * 3)}, "got 'people'"),
        ({"splits": np.array(["train", "valid", "test", "test"])}, "got 'valid'"),
        ({"speakers": np.array(["s0", "s1", "s2", "s0"])}, "'s0' is in train and people"),
    ],
)
def test_refuses_what_does_not_fit(tmp_path, changes, message):
    wrong = {**arrays(), **changes}
    with pytest.raises(SparsenetError, match=message):
        PreparedWords(**wrong)
    np.savez(tmp_path / "wrong.npz", **wrong)
    with pytest.raises(SparsenetError, match=rf"wrong.npz holds no prepared words: .*{message}"):
        PreparedWords.load(tmp_path / "wrong.npz")


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(
    "value", [np.zeros(4), None, [1], np.array([b"seven"])], ids=["float", "none", "list", "bytes"]
)
def test_refuses_other_types(name, value):
    with pytest.raises(TypeError, match=f"expected {name} as an array of"):
        PreparedWords(**{**arrays(), name: value})


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        PreparedWords.load(tmp_path / "nothing.npz")


@pytest.mark.parametrize("missing", FIELDS)
def test_refuses_an_archive_without_a_field(tmp_path, missing):
    np.savez(tmp_path / "less.npz", **{name: array for name, array in arrays().items() if name != missing})
    with pytest.raises(SparsenetError, match=r"python -m sparsenet\.recipes\.prepare makes such a file"):
        PreparedWords.load(tmp_path / "less.npz")


def test_never_unpickles(tmp_path):
    np.savez(tmp_path / "pickled.npz", **{**arrays(), "words": np.array(["seven", 7, None, {}], object)})
    with pytest.raises(SparsenetError, match="allow_pickle"):
        PreparedWords.load(tmp_path / "pickled.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"words", b"\x93NUMPY\x01\x00v\x00{'descr'"])
def test_refuses_other_files(tmp_path, content):
    (tmp_path / "other.npz").write_bytes(content)
    with pytest.raises(SparsenetError, match="expected prepared words"):
        PreparedWords.load(tmp_path / "other.npz")


def test_refuses_a_single_array(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(SparsenetError, match="expected prepared words"):
        PreparedWords.load(tmp_path / "one.npy")


def saved_bytes():
    file = io.BytesIO()
    np.savez(file, **{name: array[:2] for name, array in arrays(clips=2).items()})
    return file.getvalue()


@given(st.data())
def test_damaged_files_give_the_one_error_or_valid_words(tmp_path_factory, data):
    content = bytearray(saved_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "words.npz"
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2]))])
    try:
        loaded = PreparedWords.load(path)
    except SparsenetError:
        return
    assert loaded.images.dtype == np.uint8


@given(st.lists(st.floats(-1, 1, width=32), min_size=1))
def test_bytes_stand_for_features(values):
    features = np.array(values, np.float32)
    # Half a step of 1/127.5; a whole one at the upper end, where 255.5 is cut to 255; and the rounding of float32.
    np.testing.assert_allclose(features_of(bytes_of(features)), features, atol=0.5 / 127.5 + 1e-6)


def test_bytes_clip_and_survive_a_second_rounding():
    assert bytes_of([-3.0, 3.0]).tolist() == [0, 255]
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(bytes_of(features_of(every)), every)
