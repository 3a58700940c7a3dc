"""Sounds without a voice are silence; voices stay what they were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenet.models import BUNDLED, load
from sparsenet.speech import FrontEnd, log_mel, read_audio, recordings, windows
from sparsenet.speech.gate import sounding
from sparsenet.speech.recognize import confidences

SAMPLES = 16_000
TIME_S = np.arange(SAMPLES) / SAMPLES
VOICES = [one for one in recordings() if one.said]


def hum(frequency_hz, phase=0.0):
    return np.sin(2 * np.pi * (frequency_hz * TIME_S + phase))


def sawtooth(frequency_hz, phase=0.0):
    return 2 * ((frequency_hz * TIME_S + phase) % 1) - 1


def square(frequency_hz, phase=0.0):
    return np.sign(hum(frequency_hz, phase))


def rectified(frequency_hz, phase=0.0):
    return np.abs(hum(frequency_hz, phase))


def harmonics(frequency_hz, phase=0.0):
    return sum(hum(n * frequency_hz, n * phase) / n**1.5 for n in (1, 2, 3, 5, 7, 9))


def silence(waveforms):
    """Tell which clips have the features of zeros."""
    return (log_mel(np.float32(waveforms)) == 1).all(axis=(1, 2, 3))


@settings(deadline=None, max_examples=60)
@given(
    shape=st.sampled_from([hum, sawtooth, square, rectified, harmonics]),
    frequency_hz=st.sampled_from([16.7, 49.5, 50, 60, 60.4, 100, 120]),
    phase=st.floats(0, 1),
    loudness=st.sampled_from([1e-3, 0.02, 0.3, 1.0]),
    offset=st.sampled_from([0.0, -0.3, 0.01]),
    noise_db=st.sampled_from([-200, -60, -40, -20]),
    seed=st.integers(0, 9),
)
def test_hum_of_any_shape_is_silence(shape, frequency_hz, phase, loudness, offset, noise_db, seed):
    noise = np.random.default_rng(seed).standard_normal(SAMPLES) * 10 ** (noise_db / 20)
    assert silence(loudness * (shape(frequency_hz, phase) + noise)[None] + offset).all()


@settings(deadline=None, max_examples=40)
@given(
    frequency_hz=st.floats(10, 130),
    begin=st.integers(0, 8_000),
    samples=st.integers(6_000, 8_000),
    phase=st.floats(0, 1),
)
def test_a_burst_of_hum_is_silence(frequency_hz, begin, samples, phase):
    burst = np.zeros((1, SAMPLES))
    burst[0, begin : begin + samples] = hum(frequency_hz, phase)[:samples]
    assert silence(burst).all()


@pytest.mark.parametrize("level", [0.9, 0.3, 0.01, 1e-5])
def test_offsets_steps_and_drift_are_silence(level):
    at = np.arange(SAMPLES)
    shapes = [np.full(SAMPLES, 1.0), at >= 9_000, np.where(at < 5_000, -1, 1), TIME_S, TIME_S**2, np.exp(-5 * TIME_S)]
    assert silence(level * np.array(shapes, np.float64)).all()


def test_noise_that_stands_still_is_silence_whatever_the_offset():
    noise = np.random.default_rng(0).standard_normal((4, SAMPLES)) * 1e-3
    assert silence(noise + np.array([[0.0], [0.3], [-0.9], [1e-3]])).all()


@pytest.mark.parametrize("name", BUNDLED)
def test_the_bundled_networks_hear_no_digit_in_hum(name):
    net = load(name)
    sounds = np.float32([0.1 * hum(50), 0.1 * hum(60), np.full(SAMPLES, 0.3), 0.1 * hum(100) + 0.2, 0.3 * sawtooth(50)])
    shares = confidences(net, net.reference(log_mel(sounds)))
    assert [net.labels[share.argmax()] for share in shares] == ["silence"] * len(sounds)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_word_is_heard_through_hum_and_offset(name):
    """At 16 of 17 words or more: before, an offset of 0.2 or hum as loud as the word changed one answer in fourteen."""
    pytest.importorskip("soundfile", reason="needs the extra speech")
    net = load(name)
    words = np.stack([windows(read_audio(one.path))[0] for one in VOICES])
    loudness = words.std(axis=1, keepdims=True) * np.sqrt(2)
    clear, *others = (
        net.reference(log_mel(np.float32(sound))).argmax(1)
        for sound in (
            *(words, words + 0.2, words + loudness * hum(50, 0.2), words + loudness * hum(60, 0.7)),
            *(words + 4 * loudness * hum(50, 0.2), words + 4 * loudness * hum(60, 0.7)),
        )
    )
    for heard in others:
        assert (heard == clear).sum() >= len(words) - 1


def test_words_are_no_silence():
    pytest.importorskip("soundfile", reason="needs the extra speech")
    words = np.stack([windows(read_audio(one.path))[0] for one in VOICES])
    assert not silence(words).any()
    loudness = words.std(axis=1, keepdims=True) * np.sqrt(2)
    assert not silence(words + loudness * hum(50)).any()


def test_what_stands_still_keeps_its_features_when_asked():
    tone = np.float32(hum(440))[None]
    assert silence(tone).all()
    assert log_mel(tone, keep_steady=True).min() == -1


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, 1e-30]), min_size=1, max_size=9))
def test_sound_lies_between_its_first_and_last_sample_that_is_not_zero(samples):
    ((begin, end),) = sounding(np.array([samples], np.float32))
    sounds = np.flatnonzero(np.float32(samples))
    assert (begin, end) == ((sounds[0], sounds[-1] + 1) if len(sounds) else (0, len(samples)))


@pytest.mark.parametrize("front_end", [FrontEnd(window=400, hop=160, frames=98, bands=40), FrontEnd(bands=128)])
def test_other_front_ends_have_the_same_gate(front_end):
    sounds = np.float32([hum(50), np.full(SAMPLES, 0.3), hum(120) + 0.1])
    assert (log_mel(sounds, front_end) == 1).all()


def test_the_loudest_samples_do_not_overflow():
    loud = np.where(np.random.default_rng(0).random((1, SAMPLES)) < 0.9, 3.4e38, -3.4e38)
    assert np.isfinite(log_mel(np.float32(loud))).all()
