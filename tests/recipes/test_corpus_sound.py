import itertools
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet.recipes.corpus.noises import babble, clatter, coloured, hum, write_noises
from sparsenet.recipes.corpus.rooms import in_room, recorded, through_microphone
from sparsenet.recipes.corpus.sound import SampledSound, at_rate, draws, read_wav, trimmed, write_wav
from sparsenet.speech import read_audio


def tone(frequency_hz=440, samples=8_000, rate_hz=16_000):
    return np.sin(2 * np.pi * frequency_hz * np.arange(samples) / rate_hz).astype(np.float32)


def rising(waveform, octaves=5):
    """Mean power of each octave below 8 kHz, in decibels, lowest first."""
    power = np.abs(np.fft.rfft(waveform)) ** 2
    edges = [len(power) >> octave for octave in range(octaves, -1, -1)]
    return [10 * np.log10(power[low:high].mean()) for low, high in itertools.pairwise(edges)]


def test_random_numbers_come_from_the_key_alone():
    assert draws(0, "espeak", "Alex").integers(2**62) == draws(0, "espeak", "Alex").integers(2**62)
    assert draws(0, "espeak", "Alex").integers(2**62) != draws(1, "espeak", "Alex").integers(2**62)
    # Written down: other numbers would be another corpus.
    assert draws(0, "fx", "espeak", "Alex", "seven", 0).integers(10**9) == 87461335


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "new" / "a.wav"
    write_wav(path, tone())
    sound = read_wav(path)
    assert sound.rate_hz == 16_000
    np.testing.assert_allclose(sound.waveform, tone(), atol=2 / 32_768)  # cut to a step, and 32767 steps of 1/32768
    np.testing.assert_array_equal(read_audio(path), sound.waveform)
    np.testing.assert_array_equal(read_wav(path.read_bytes()).waveform, sound.waveform)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.wav"]


def test_headers_may_claim_more_than_there_is(tmp_path):
    write_wav(tmp_path / "a.wav", tone())
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[40:44] = (2**31 - 36).to_bytes(4, "little")
    np.testing.assert_array_equal(read_wav(bytes(content)).waveform, read_wav(tmp_path / "a.wav").waveform)


def test_the_first_channel_counts(tmp_path):
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(np.array([[1, 5], [2, 6], [3, 7]], "<i2").tobytes())
    sound = read_wav(tmp_path / "stereo.wav")
    assert (sound.waveform * 32_768).tolist() == [1, 2, 3]
    assert sound.rate_hz == 8_000


def test_other_widths_are_refused(tmp_path):
    with wave.open(str(tmp_path / "bytes.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8_000)
        file.writeframes(b"123")
    with pytest.raises(wave.Error, match="16-bit"):
        read_wav(tmp_path / "bytes.wav")


@pytest.mark.parametrize(("rate_hz", "faster"), [(22_050, 1.0), (44_100, 1.1), (16_000, 0.9)])
def test_another_rate_keeps_the_tone(rate_hz, faster):
    heard = at_rate(SampledSound(tone(1_000, rate_hz, rate_hz), rate_hz), faster)
    assert len(heard) == pytest.approx(16_000 / faster, rel=1e-3)
    pitch_hz = np.abs(np.fft.rfft(heard)).argmax() * 16_000 / len(heard)
    assert pitch_hz == pytest.approx(1_000 * faster, rel=3e-3)


def test_silence_is_trimmed_and_the_word_is_not():
    padded = np.concatenate([np.zeros(5_000, np.float32), tone(), np.zeros(7_000, np.float32)])
    word = trimmed(padded)
    assert 8_000 <= len(word) <= 8_000 + 6 * 160 + 2 * 160
    assert np.square(word).sum() == pytest.approx(np.square(padded).sum())
    assert len(trimmed(np.zeros(100, np.float32))) == 100


@given(
    seed=st.integers(0, 2**32), samples=st.sampled_from([800, 8_000, 40_000]), rate_hz=st.sampled_from([8_000, 22_050])
)
def test_recordings_are_one_second_neither_clipped_nor_silent(seed, samples, rate_hz):
    noises = [coloured(20_000, slope, draws(slope)) for slope in (0, 1)]
    sound = SampledSound(tone(300, samples, rate_hz), rate_hz)
    heard = recorded(sound, np.random.default_rng(seed), noises, 0.12)
    assert heard.shape == (16_000,)
    assert heard.dtype == np.float32
    loudest_db = 20 * np.log10(np.abs(heard).max())
    assert -22 - 1e-3 <= loudest_db <= -0.5 + 1e-3
    np.testing.assert_array_equal(heard, recorded(sound, np.random.default_rng(seed), noises, 0.12))


@given(seed=st.integers(0, 2**32))
def test_rooms_keep_the_direct_sound_and_add_what_follows(seed):
    click = np.zeros(1_000, np.float32)
    click[0] = 1
    heard = in_room(click, np.random.default_rng(seed))
    assert heard[0] == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(heard[1:8], 0, atol=1e-5)
    assert len(heard) > len(click)
    assert 0 < np.square(heard[8:]).sum() <= 10**-0.3 + 1e-3


def test_microphones_tilt_the_spectrum():
    click = np.zeros(100, np.float32)
    click[0] = 1
    tilts = [through_microphone(click, np.random.default_rng(seed))[1] for seed in range(20)]
    assert min(tilts) < -0.2
    assert max(tilts) > 0.2
    assert max(np.abs(tilts)) <= 0.6


@pytest.mark.parametrize("slope", [0, 1, 2])
def test_noise_has_its_colour(slope):
    levels = rising(coloured(2**16, slope, np.random.default_rng(slope)))
    np.testing.assert_allclose(np.diff(levels), -3.01 * slope, atol=1.0)  # octaves of 1000 and more draws: 0.3 dB


@pytest.mark.parametrize("noise", [hum, clatter])
def test_noises_are_loud_and_come_from_their_seed(noise):
    heard = noise(32_000, np.random.default_rng(0))
    assert heard.shape == (32_000,)
    assert heard.dtype == np.float32
    assert 0.5 < np.abs(heard).max() <= 1.01
    np.testing.assert_array_equal(heard, noise(32_000, np.random.default_rng(0)))
    assert not np.array_equal(heard, noise(32_000, np.random.default_rng(1)))


def test_babble_is_made_of_its_sources():
    heard = babble(32_000, [tone(700)], np.random.default_rng(0))
    assert np.abs(heard).max() == pytest.approx(1)
    assert np.abs(np.fft.rfft(heard)).argmax() * 16_000 / 32_000 == pytest.approx(700, abs=2)


def test_noises_are_written_without_babble_where_nobody_talks(tmp_path):
    write_noises(tmp_path / "alone", 0, [])
    names = [path.stem for path in sorted((tmp_path / "alone").iterdir())]
    assert names == ["brown", "clatter", "hum", "pink", "white"]
    write_noises(tmp_path / "party", 0, [tone()])
    assert (tmp_path / "party" / "babble.wav").is_file()
    for name in names:
        contents = [(tmp_path / place / f"{name}.wav").read_bytes() for place in ("alone", "party")]
        assert contents[0] == contents[1]
        assert len(read_wav(contents[0]).waveform) == 30 * 16_000
