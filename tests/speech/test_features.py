import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenet import errors
from sparsenet.speech import FrontEnd, log_mel, read_audio, recordings
from sparsenet.speech.features import _hann, _heard_filters, _hz_to_mel, _low_cut, _mel_filters, _mel_power, _mel_to_hz
from sparsenet.speech.gate import sounding

GOLDEN = Path(__file__).with_name("golden_log_mel.npz")
TOLERANCE = 1e-5  # of features in [-1, 1]: librosa keeps its filters in float32, which moves a value by 1e-7
SMALL = FrontEnd(sample_rate_hz=8_000, samples=400, window=64, hop=40, bands=6, frames=11)


def naive_log_mel(waveform, front_end):
    """The definition, one frame and one band at a time, with the sum of a Fourier transform written out."""
    half = front_end.window // 2
    waveform = waveform.astype(np.float64)
    padded = np.concatenate([np.zeros(half), waveform - waveform.mean(), np.zeros(half)])
    positions = np.arange(front_end.window)
    hann = 0.5 * (1 - np.cos(2 * math.pi * positions / front_end.window))
    filters = _mel_filters(front_end.sample_rate_hz, front_end.window, front_end.bands).toarray()
    mel = np.zeros((front_end.bands, front_end.frames))
    for frame in range(front_end.frames):
        piece = padded[frame * front_end.hop :][: front_end.window] * hann
        for k in range(half + 1):
            power = abs(np.sum(piece * np.exp(-2j * math.pi * k * positions / front_end.window))) ** 2
            heard = min(1.0, max(0.0, (k * front_end.sample_rate_hz / front_end.window - 70.0) / 16.0))
            mel[:, frame] += filters[:, k] * heard * power
    decibels = 10 * np.log10(np.maximum(mel, 1e-10))
    decibels = np.maximum(decibels - decibels.max(), front_end.floor_db)
    return (decibels + front_end.offset_db) / front_end.scale_db


def tone(frequency_hz, samples=16_000, rate_hz=16_000):
    return np.sin(2 * math.pi * frequency_hz / rate_hz * np.arange(samples)).astype(np.float32)


def noise(seed, B=1, samples=16_000):
    return np.random.default_rng(seed).standard_normal((B, samples)).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_equals_its_definition_written_out(seed):
    waveforms = noise(seed, B=2, samples=SMALL.samples)
    expected = np.stack([naive_log_mel(waveform, SMALL) for waveform in waveforms])[:, None]
    np.testing.assert_allclose(log_mel(waveforms, SMALL, keep_steady=True), expected, atol=1e-6)


def test_agrees_with_the_golden_features():
    paths = {recording.file: recording.path for recording in recordings()}
    with np.load(GOLDEN) as golden:
        assert len(golden.files) == 4
        for file in golden.files:
            features = log_mel(read_audio(paths[file])[None], keep_steady=True)[0, 0]
            np.testing.assert_allclose(features, golden[file], atol=TOLERANCE, err_msg=file)


@pytest.mark.parametrize("waveform", [tone(440.0), tone(3_000.0), noise(1)[0], noise(2)[0] * 1e-4, np.zeros(16_000)])
@pytest.mark.parametrize(("window", "hop", "bands", "frames"), [(2_048, 512, 32, 32), (400, 160, 40, 101)])
def test_agrees_with_librosa(waveform, window, hop, bands, frames):
    librosa = pytest.importorskip("librosa", reason="librosa, the peer this is compared with, is not installed")
    spectrum = librosa.stft(
        waveform.astype(np.float64) - waveform.mean(dtype=np.float64),
        n_fft=window,
        hop_length=hop,
        center=True,
        pad_mode="constant",
    )
    heard = np.square(np.abs(spectrum)) * _low_cut(16_000, window)[:, None]
    mel = librosa.feature.melspectrogram(S=heard, sr=16_000, n_fft=window, n_mels=bands)
    expected = (librosa.power_to_db(mel, ref=np.max, top_db=80.0) + 40.0) / 40.0
    front_end = FrontEnd(window=window, hop=hop, bands=bands, frames=frames)
    features = log_mel(waveform.astype(np.float32)[None], front_end, keep_steady=True)[0, 0]
    np.testing.assert_allclose(features, expected, atol=TOLERANCE)


@settings(deadline=None, max_examples=30)
@given(
    B=st.integers(0, 5), kind=st.sampled_from(["noise", "zeros", "impulse", "tiny", "loud"]), seed=st.integers(0, 99)
)
def test_features_have_their_shape_and_range(B, kind, seed):
    waveforms = noise(seed, B, SMALL.samples) * {"zeros": 0.0, "tiny": 1e-30, "loud": 1e30}.get(kind, 1.0)
    if kind == "impulse":
        waveforms = np.zeros_like(waveforms)
        waveforms[:, seed] = 1.0
    features = log_mel(waveforms, SMALL)
    assert features.shape == (B, *SMALL.shape)
    assert features.dtype == np.float32
    assert features.flags.c_contiguous
    assert ((features >= -1.0) & (features <= 1.0)).all()
    assert (features.max(axis=(1, 2, 3)) == 1.0).all()


def test_a_silent_clip_is_the_upper_value_everywhere():
    np.testing.assert_array_equal(log_mel(np.zeros((2, 16_000))), np.ones((2, 1, 32, 32)))


@pytest.mark.parametrize("B", [1, 2, 7])
def test_a_clip_does_not_depend_on_its_batch(B):
    waveforms = noise(3, B) * np.linspace(0, 1, 16_000, dtype=np.float32)
    together = log_mel(waveforms)
    for index in range(B):
        np.testing.assert_array_equal(log_mel(waveforms[index : index + 1])[0], together[index])


@pytest.mark.parametrize("gain", [0.25, 2.0, 1_024.0])
def test_loudness_does_not_count(gain):
    # Powers of two scale exactly, as long as nothing falls below the quietest power: white noise does not.
    waveforms = noise(4) * np.linspace(0, 1, 16_000, dtype=np.float32)  # which rises: else it would be silence
    np.testing.assert_allclose(log_mel(waveforms * np.float32(gain)), log_mel(waveforms), atol=1e-6)


@pytest.mark.parametrize("frequency_hz", [100.0, 440.0, 1_000.0, 2_500.0, 7_000.0])
def test_a_tone_is_loudest_in_the_band_around_it(frequency_hz):
    edges_hz = _mel_to_hz(np.linspace(0.0, _hz_to_mel(8_000.0), 34))
    loudest = int(log_mel(tone(frequency_hz)[None], keep_steady=True)[0, 0, :, 16].argmax())
    assert edges_hz[loudest] < frequency_hz < edges_hz[loudest + 2]


def test_a_click_is_loudest_in_the_frame_centred_on_it():
    waveforms = np.zeros((1, 16_000), np.float32)
    waveforms[0, 10 * 512 : 10 * 512 + 2] = 1.0, -1.0  # without a mean
    assert set(log_mel(waveforms)[0, 0].argmax(axis=1)) == {10}


def test_filters_have_unit_area_and_reach_from_zero_to_half_the_rate():
    # Wide bands, so that the sum over the frequencies of the transform is close to the integral of the triangle.
    filters = _mel_filters(16_000, 8_192, 8).toarray()
    np.testing.assert_allclose(filters.sum(axis=1) * 16_000 / 8_192, 1.0, rtol=1e-3)
    assert (np.count_nonzero(filters, axis=0) <= 2).all()
    assert (filters[:, 1:-1].sum(axis=0) > 0).all()


def test_white_noise_has_the_power_that_parseval_states():
    # E|FFT|^2 = sigma^2 * sum(hann^2) at every frequency; the filters then weigh it by their sum.
    front_end = FrontEnd()
    waveforms = noise(5, B=40)
    power = _mel_power(waveforms, sounding(waveforms), front_end)[0][:, 2:-2].mean(axis=(0, 1))
    expected = np.square(_hann(2_048)).sum() * _heard_filters(16_000, 2_048, 32).sum(axis=1)
    np.testing.assert_allclose(power, expected, rtol=0.1)  # 1120 frames of a few frequencies: about 2 % of spread


def test_mel_scale_bends_at_one_kilohertz_and_inverts():
    assert _hz_to_mel(1_000.0) == pytest.approx(15.0)
    assert _hz_to_mel(6_400.0) == pytest.approx(42.0)
    frequencies_hz = np.array([0.0, 20.0, 999.0, 1_000.0, 1_001.0, 8_000.0])
    mels = np.array([_hz_to_mel(float(frequency_hz)) for frequency_hz in frequencies_hz])
    np.testing.assert_allclose(_mel_to_hz(mels), frequencies_hz, rtol=1e-12)


def test_inputs_of_any_layout_are_read_and_not_written():
    wide = noise(6, B=4, samples=2 * SMALL.samples)
    strided = wide[::-1, ::2]
    strided = strided * np.linspace(0, 1, SMALL.samples, dtype=np.float32)
    strided = np.repeat(strided, 2, axis=1)[:, ::2]
    before = strided.copy()
    strided.flags.writeable = False
    np.testing.assert_array_equal(log_mel(strided, SMALL), log_mel(before, SMALL))
    np.testing.assert_array_equal(strided, before)
    np.testing.assert_array_equal(log_mel(before.astype(np.float64), SMALL), log_mel(before, SMALL))


@pytest.mark.parametrize("shape", [(16_000,), (1, 15_999), (1, 1, 16_000), (0,)])
def test_refuses_other_shapes(shape):
    with pytest.raises(errors.SparsenetError, match=r"expected waveforms of shape \(B, 16000\)"):
        log_mel(np.zeros(shape, np.float32))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39])
def test_refuses_what_is_not_finite(value):
    waveforms = np.zeros((1, 16_000))
    waveforms[0, 7] = value
    with pytest.raises(errors.SparsenetError, match="finite"):
        log_mel(waveforms)


def test_refuses_integers():
    with pytest.raises(TypeError, match="divide int16 by 32768"):
        log_mel(np.zeros((1, 16_000), np.int16))
