import numpy as np
import pytest
import soundfile

from sparsenet.errors import AudioError
from sparsenet.recipes.training.noise import LEVELS, noisy_features, people_waveforms
from sparsenet.speech import LABELS, log_mel


@pytest.fixture
def recordings(tmp_path):
    for digit in (0, 7):
        for speaker in ("ann", "bob"):
            time = np.arange(4000)
            sound = 0.3 * np.sin(time * (0.4 + digit / 50)) * (time % 1600 < 800)  # what stands still is silence
            soundfile.write(tmp_path / f"{digit}_{speaker}_3.wav", sound, 8_000)
    return tmp_path


def test_only_the_people_asked_for_are_read(recordings):
    waveforms, classes = people_waveforms(recordings, ["bob"])
    assert waveforms.shape == (2, 16_000)
    assert [LABELS[index] for index in classes] == ["zero", "seven"]
    with pytest.raises(AudioError, match="of eve in"):
        people_waveforms(recordings, ["eve"])


def test_noise_grows_from_none(recordings):
    waveforms, _ = people_waveforms(recordings, ["ann"])
    found = dict(noisy_features(waveforms))
    assert tuple(found) == LEVELS
    assert (LEVELS[0], LEVELS[-1]) == (0.0, 0.5)
    assert np.array_equal(found[0.0], log_mel(waveforms))
    far = [float(np.square(features - found[0.0]).mean()) for features in found.values()]
    assert far == sorted(far)
