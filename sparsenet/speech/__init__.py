"""From a recording to a spoken word: sound files, log-mel features, spoken-word data sets, bundled recordings.

Reading sound files needs the extra ``speech`` (``pip install "sparsenet[speech]"``); the features need only NumPy and
SciPy. How the bundled networks were trained is in :mod:`sparsenet.recipes`.
"""

from sparsenet.speech.audio import read_audio
from sparsenet.speech.dataset import LABELS, Clip, SpeechCommands, batches, label_of
from sparsenet.speech.features import log_mel
from sparsenet.speech.finding import find_audio
from sparsenet.speech.front_end import FrontEnd
from sparsenet.speech.recordings import Recording, recordings
from sparsenet.speech.windowing import windows

__all__ = [
    "LABELS",
    "Clip",
    "FrontEnd",
    "Recording",
    "SpeechCommands",
    "batches",
    "find_audio",
    "label_of",
    "log_mel",
    "read_audio",
    "recordings",
    "windows",
]
