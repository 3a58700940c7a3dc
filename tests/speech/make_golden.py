"""Write golden_log_mel.npz: features of a few bundled recordings, computed by librosa in float64.

Run by hand (``python tests/speech/make_golden.py``) when the front end is changed on purpose; needs librosa.
"""

from pathlib import Path

import librosa
import numpy as np

from sparsenet.speech import read_audio, recordings

GOLDEN = Path(__file__).with_name("golden_log_mel.npz")
FILES = ("seven_allison.flac", "hundred_allison.flac", "three_flite_rms.flac", "pink_noise.flac")


def reference(waveform):
    waveform = waveform.astype(np.float64)
    sounds = np.flatnonzero(waveform)  # what is zero before and behind is padding
    waveform[sounds[0] : sounds[-1] + 1] -= waveform[sounds[0] : sounds[-1] + 1].mean()
    spectrum = librosa.stft(waveform, n_fft=2_048, hop_length=512, center=True, pad_mode="constant")
    heard = np.clip((librosa.fft_frequencies(sr=16_000, n_fft=2_048) - 70) / 16, 0, 1)  # no mains hum
    power = np.square(np.abs(spectrum)) * heard[:, None]
    mel = librosa.feature.melspectrogram(S=power, sr=16_000, n_fft=2_048, n_mels=32)
    return ((librosa.power_to_db(mel, ref=np.max, top_db=80.0) + 40.0) / 40.0).astype(np.float32)


if __name__ == "__main__":
    paths = {recording.file: recording.path for recording in recordings()}
    np.savez_compressed(GOLDEN, **{file: reference(read_audio(paths[file])) for file in FILES})
