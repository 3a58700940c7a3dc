import builtins
import math
import os
import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenet import errors
from sparsenet.speech import find_audio, read_audio, recordings, windows

STEP = 1 / 32_768  # of a 16-bit sample


def tone(frequency_hz, rate_hz, duration_s=1.0, channels=1):
    time_s = np.arange(int(rate_hz * duration_s)) / rate_hz
    wave = 0.5 * np.sin(2 * math.pi * frequency_hz * time_s)
    return np.repeat(wave[:, None], channels, axis=1)


def write(path, samples, rate_hz=16_000, **options):
    soundfile.write(path, samples, rate_hz, **options)
    return path


# Reading


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(1, 3_000),
    channels=st.integers(1, 3),
    suffix=st.sampled_from([".wav", ".flac"]),
    seed=st.integers(0, 99),
)
def test_reads_what_was_written(tmp_path_factory, n, channels, suffix, seed):
    samples = np.random.default_rng(seed).integers(-32_768, 32_768, (n, channels), dtype=np.int16)
    path = write(tmp_path_factory.mktemp("sound") / f"a{suffix}", samples, subtype="PCM_16")
    heard = read_audio(path)
    assert heard.dtype == np.float32
    np.testing.assert_allclose(heard, samples.mean(axis=1) / 32_768, atol=1e-7)


def test_reads_ogg(tmp_path):
    path = write(tmp_path / "a.ogg", tone(440.0, 16_000), format="OGG", subtype="VORBIS")
    np.testing.assert_allclose(read_audio(path), tone(440.0, 16_000)[:, 0], atol=0.02)  # a lossy format


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_converts_rates(tmp_path, rate_hz, channels):
    path = write(tmp_path / "a.wav", tone(440.0, rate_hz, channels=channels), rate_hz)
    heard = read_audio(path)
    assert heard.shape == (16_000,)
    inner = slice(500, -500)  # the filter rings where the tone starts and ends
    np.testing.assert_allclose(heard[inner], tone(440.0, 16_000)[inner, 0], atol=5e-3)


def test_length_after_conversion_is_rounded_up(tmp_path):
    path = write(tmp_path / "a.wav", np.full(1, 0.5), 48_000)
    assert read_audio(path).shape == (1,)
    assert read_audio(path, rate_hz=96_000).shape == (2,)


def test_takes_the_mean_of_the_channels(tmp_path):
    path = write(tmp_path / "a.wav", np.array([[0.5, -0.5], [0.5, 0.25]]))
    np.testing.assert_allclose(read_audio(path), [0.0, 0.375], atol=STEP)


def test_keeps_floating_point_samples_beyond_one(tmp_path):
    path = write(tmp_path / "a.wav", np.array([3.0, -2.0], np.float32), subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path), [3.0, -2.0])


def test_suffix_does_not_count(tmp_path):
    path = write(tmp_path / "clip.bin", np.array([0.5]), format="WAV")
    np.testing.assert_array_equal(read_audio(str(path)), [0.5])


@pytest.mark.skipif(os.name != "posix", reason="only POSIX file names can be bytes that are not text")
def test_reads_files_whose_names_are_not_text(tmp_path):
    path = write(tmp_path / "a.wav", np.array([0.5]))
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.wav")
    try:
        os.rename(path, strange)
    except OSError:
        pytest.skip("this file system refuses names that are not text")
    np.testing.assert_array_equal(read_audio(strange), [0.5])


@pytest.mark.parametrize(
    "content", [b"", b"R", b"RIFF\x00\x00\x00\x00WAVE", b"not a sound file\n" * 100, b"\x00" * 4_096]
)
def test_refuses_what_is_no_sound_file(tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(errors.AudioError, match="expected"):
        read_audio(path)


def test_refuses_missing_files_folders_and_headerless_samples(tmp_path):
    with pytest.raises(errors.AudioError, match="found nothing at"):
        read_audio(tmp_path / "missing.wav")
    with pytest.raises(errors.AudioError, match="found a folder at"):
        read_audio(tmp_path)
    (tmp_path / "a.raw").write_bytes(b"1234")
    with pytest.raises(errors.AudioError, match="without their rate"):
        read_audio(tmp_path / "a.raw")


def test_refuses_a_file_without_samples(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(0))
    with pytest.raises(errors.AudioError, match="no samples"):
        read_audio(path)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_refuses_samples_that_are_not_finite(tmp_path, value):
    path = write(tmp_path / "a.wav", np.array([0.0, value], np.float32), subtype="FLOAT")
    with pytest.raises(errors.AudioError, match="NaN or infinity"):
        read_audio(path)


def test_refuses_other_formats(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(10), format="AIFF")
    with pytest.raises(errors.AudioError, match="found AIFF"):
        read_audio(path)


def test_limits_the_length_to_an_hour(tmp_path):
    hour = np.zeros(3_600_000, np.int16)
    assert read_audio(write(tmp_path / "hour.flac", hour, 1_000), rate_hz=1_000).shape == (3_600_000,)
    with pytest.raises(errors.AudioError, match="one hour"):
        read_audio(write(tmp_path / "longer.flac", np.append(hour, hour[:1]), 1_000))


@pytest.mark.parametrize("rate_hz", [100, 400_000])
def test_refuses_rates_that_are_no_sound(tmp_path, rate_hz):
    path = write(tmp_path / "a.wav", np.zeros(10), rate_hz)
    with pytest.raises(errors.AudioError, match=f"found {rate_hz}"):
        read_audio(path)


def test_refuses_absurd_wanted_rates():
    path = recordings()[0].path
    with pytest.raises(errors.SparsenetError, match="expected rate_hz from"):
        read_audio(path, rate_hz=0)
    with pytest.raises(TypeError, match="integer"):
        read_audio(path, rate_hz=16e3)


@settings(deadline=None, max_examples=150)
@given(data=st.data(), kind=st.sampled_from(["wav", "flac", "ogg"]))
def test_damaged_files_give_sound_or_the_one_error(tmp_path_factory, data, kind):
    path = tmp_path_factory.mktemp("damaged") / f"a.{kind}"
    content = bytearray(write(path, tone(300.0, 16_000, 0.02)).read_bytes())
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it ends early
            heard = read_audio(path)
    except errors.AudioError:
        return
    assert heard.dtype == np.float32
    assert heard.ndim == 1
    assert len(heard) >= 1
    assert np.isfinite(heard).all()


def test_says_how_to_get_soundfile(monkeypatch):
    path = recordings()[0].path
    real_import = builtins.__import__

    def without_soundfile(name, *rest, **options):
        if name == "soundfile":
            raise ModuleNotFoundError("No module named 'soundfile'")
        return real_import(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without_soundfile)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "sparsenet\[speech\]"'):
        read_audio(path)


# Windows


@settings(deadline=None)
@given(n=st.integers(1, 60), samples=st.integers(1, 20), data=st.data())
def test_windows_cover_everything_and_end_where_the_recording_ends(n, samples, data):
    hop = data.draw(st.integers(1, samples))
    waveform = np.arange(1, n + 1, dtype=np.float32)
    cut = windows(waveform, samples, hop)
    assert cut.dtype == np.float32
    assert cut.shape[1] == samples
    assert set(cut[cut > 0]) == set(waveform)
    if n <= samples:
        assert len(cut) == 1
        before = (samples - n) // 2
        np.testing.assert_array_equal(cut[0], np.pad(waveform, (before, samples - n - before)))
    else:
        assert len(cut) == 1 + math.ceil((n - samples) / hop)
        np.testing.assert_array_equal(cut[:-1, 0], np.arange(len(cut) - 1) * hop + 1)
        np.testing.assert_array_equal(cut[-1], waveform[-samples:])
        assert (np.diff(cut, axis=1) == 1.0).all()


def test_default_windows_are_a_second_every_half_second():
    assert windows(np.zeros(16_000)).shape == (1, 16_000)
    assert windows(np.zeros(16_001)).shape == (2, 16_000)
    assert windows(np.zeros(32_000)).shape == (3, 16_000)


def test_windows_are_a_copy():
    waveform = np.ones(20, np.float32)
    cut = windows(waveform, 10, 5)
    cut[:] = 0.0
    assert (waveform == 1.0).all()
    assert not np.shares_memory(windows(waveform, 20), waveform)


@pytest.mark.parametrize("waveform", [[], [[0.0, 1.0]], 3.0])
def test_windows_refuse_what_is_no_waveform(waveform):
    with pytest.raises(errors.AudioError, match="n >= 1"):
        windows(waveform)


@pytest.mark.parametrize(("samples", "hop"), [(0, None), (10, 0), (10, 11), (-5, 1)])
def test_windows_refuse_lengths_out_of_range(samples, hop):
    with pytest.raises(errors.SparsenetError, match="hop"):
        windows(np.zeros(5), samples, hop)


def test_windows_refuse_to_fill_the_memory():
    with pytest.raises(errors.SparsenetError, match="larger hop"):
        windows(np.zeros(200_000, np.float32), 16_000, 1)


# Finding


def test_finds_sound_files_in_files_and_folders(tmp_path):
    for name in ("b.wav", "A.FLAC", "deep/er/c.ogg", ".hidden.wav", "notes.txt", "odd"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    in_folder = [tmp_path / "A.FLAC", tmp_path / "b.wav", tmp_path / "deep" / "er" / "c.ogg"]
    assert find_audio([tmp_path]) == in_folder
    assert find_audio(str(tmp_path)) == in_folder
    assert find_audio([tmp_path / "odd", tmp_path, tmp_path / "b.wav"]) == [tmp_path / "odd", *in_folder]


def test_finding_nothing_is_an_error(tmp_path):
    with pytest.raises(errors.AudioError, match="found none in"):
        find_audio([tmp_path])
    with pytest.raises(errors.AudioError, match="found nothing at"):
        find_audio([tmp_path / "missing"])
    with pytest.raises(errors.AudioError, match="empty list"):
        find_audio([])
