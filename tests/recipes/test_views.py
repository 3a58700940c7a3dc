import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet.errors import SparsenetError
from sparsenet.recipes.views import at_speed, in_noise, narrowband, random_view, shifted


def noise(seed, samples=16_000):
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


def tone(frequency_hz, samples=16_000):
    return np.sin(2 * np.pi * frequency_hz * np.arange(samples) / 16_000).astype(np.float32)


def loudness(waveform):
    return np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))


def loudest_hz(waveform):
    return np.abs(np.fft.rfft(waveform)).argmax() * 16_000 / len(waveform)


@given(seed=st.integers(0, 2**32), samples=st.sampled_from([16_000, 5_000]))
def test_views_are_clips_and_come_from_their_seed(seed, samples):
    clip, background = noise(0, samples), [noise(1, samples + 1), noise(2, 30_000)]
    clip.flags.writeable = False
    view = random_view(clip, np.random.default_rng(seed), background)
    assert view.shape == clip.shape
    assert view.dtype == np.float32
    assert np.isfinite(view).all()
    np.testing.assert_array_equal(view, random_view(clip, np.random.default_rng(seed), background))


def test_views_differ():
    views = [random_view(noise(0), np.random.default_rng(seed), [noise(1, 20_000)]) for seed in range(20)]
    assert len({view.tobytes() for view in views}) == 20


@pytest.mark.parametrize("noises", [[], [np.zeros(16_000, np.float32)]])
def test_noise_must_be_longer_than_the_clip(noises):
    with pytest.raises(SparsenetError, match="expected noises of more than 16000 samples"):
        random_view(noise(0), np.random.default_rng(0), noises)


@pytest.mark.parametrize("faster", [0.87, 0.999, 1.0, 1.001, 1.15])
def test_speed_changes_pitch_and_keeps_the_middle(faster):
    changed = at_speed(tone(1_000), faster)
    assert changed.shape == (16_000,)
    assert loudest_hz(changed) == pytest.approx(1_000 * faster, abs=2)
    click = np.zeros(16_000, np.float32)
    click[7_900:8_100] = 1
    assert np.average(np.arange(16_000), weights=at_speed(click, faster)) == pytest.approx(8_000, abs=2)


def test_the_speed_of_a_clip_itself_changes_nothing():
    np.testing.assert_array_equal(at_speed(noise(3), 1.0), noise(3))


@given(later=st.integers(-30, 30))
def test_shifts_bring_zeros(later):
    clip = np.arange(1, 21, dtype=np.float32)
    expected = [clip[at - later] if 0 <= at - later < 20 else 0 for at in range(20)]
    np.testing.assert_array_equal(shifted(clip, later), expected)


def test_narrowband_keeps_what_is_below_and_stops_what_is_above():
    both = tone(1_000) + tone(5_000)
    # The stopped band keeps 1e-4 of its amplitude.
    np.testing.assert_allclose(narrowband(both, 3_400), tone(1_000), atol=2e-4)


@pytest.mark.parametrize("quieter_db", [3.0, 20.0])
def test_noise_is_as_quiet_as_was_asked(quieter_db):
    clip = tone(440)
    added = in_noise(clip, noise(5) * 7, quieter_db) - clip
    assert 20 * np.log10(loudness(clip) / loudness(added)) == pytest.approx(quieter_db, abs=1e-3)
