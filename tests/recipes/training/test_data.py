import numpy as np
import pytest
from recipes.training.toy import WORDS, toy_recipe, toy_words

from sparsenet.errors import SparsenetError
from sparsenet.recipes.training.data import SILENCE, UNKNOWN, epoch_of, masked, measuring_sets, training_data
from sparsenet.speech import LABELS


def drawn_from(words, images):
    """Find which clips images are views of: their index in ``words``."""
    known = {view.tobytes(): clip for clip, views in enumerate(words.images) for view in views}
    return [known[image.tobytes()] for image in images if image.tobytes() in known]


def test_no_speaker_both_trains_and_measures():
    words, recipe = toy_words(), toy_recipe()
    trained = set()
    for epoch in range(5):
        clips = drawn_from(words, epoch_of(training_data(words, recipe), recipe, epoch).images)
        trained |= set(words.speakers[clips])
    measured = {name: set() for name in measuring_sets(words, recipe)}
    for name, samples in measuring_sets(words, recipe).items():
        measured[name] = set(words.speakers[drawn_from(words, samples.images)])
    assert trained == {"v1", "v2", "ann"}
    assert measured == {"validation": {"v3"}, "test": {"v4"}, "bob": {"bob"}}


def test_silence_of_another_split_is_not_trained_on():
    words, recipe = toy_words(), toy_recipe(silence_share=1.0)
    others = {image.tobytes() for image in words.silence_images[words.silence_splits != "train"]}
    epoch = epoch_of(training_data(words, recipe), recipe, 0)
    heard = [image.tobytes() for image in epoch.images[epoch.classes == SILENCE]]
    assert heard
    assert not others & set(heard)


def test_epoch_has_every_digit_once_and_the_shares_asked_for():
    words, recipe = toy_words(), toy_recipe(unknown_share=0.25, silence_share=0.5)
    data = training_data(words, recipe)
    epoch = epoch_of(data, recipe, 3)
    digits = 3 * 2 * 4  # speakers, digits, takes
    assert np.count_nonzero(epoch.classes > UNKNOWN) == digits
    assert np.count_nonzero(epoch.classes == UNKNOWN) == round(0.25 * digits)
    assert np.count_nonzero(epoch.classes == SILENCE) == round(0.5 * digits)
    clips = drawn_from(words, epoch.images[epoch.classes > UNKNOWN])
    assert len(set(clips)) == digits


def test_epochs_are_the_same_for_the_same_seed_and_differ_otherwise():
    data = training_data(toy_words(), toy_recipe())
    first, again, later, other = (
        epoch_of(data, toy_recipe(seed=seed), epoch) for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    )
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.images, later.images)
    assert not np.array_equal(first.images, other.images)


def test_classes_are_those_of_the_labels():
    words = toy_words()
    samples = measuring_sets(words, toy_recipe())["bob"]
    wanted = [LABELS.index(word) if word in LABELS else UNKNOWN for word in np.repeat(WORDS, 4)]
    assert samples.classes.tolist() == wanted


def test_masking_blanks_whole_bands_and_frames_and_leaves_the_original():
    r = np.random.default_rng(0)
    images = r.integers(1, 255, (3, 32, 32), np.uint8)
    before = images.copy()
    seen = set()
    for _ in range(40):
        blanked = masked(images, r) == 0
        bands, frames = blanked.all((0, 2)), blanked.all((0, 1))
        assert np.array_equal(blanked, np.broadcast_to(bands[:, None] | frames[None, :], blanked.shape))
        seen |= {(int(bands.sum()), int(frames.sum()))}
    assert {count for pair in seen for count in pair} == set(range(6))
    assert np.array_equal(images, before)


def test_unknown_person_is_refused():
    with pytest.raises(SparsenetError, match="held_out among ann, bob; got 'eve'"):
        training_data(toy_words(), toy_recipe(held_out=("eve",)))
