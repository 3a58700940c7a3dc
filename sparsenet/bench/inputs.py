"""What a network is fed with while it is timed: sounds where it was made for sounds, noise otherwise."""

from dataclasses import dataclass
from importlib.util import find_spec
from math import prod

import numpy as np
import numpy.typing as npt

from sparsenet.bench.spoken_digits import bundled_waveforms, varied
from sparsenet.graph.network import Network
from sparsenet.made_inputs import noise
from sparsenet.speech.features import log_mel
from sparsenet.speech.recognize import front_end_of

__all__ = ["Inputs", "inputs_for"]

FloatArray = npt.NDArray[np.float32]

LARGEST_BYTES = 2**26
MOST_SAMPLES, CALIBRATION_SAMPLES = 256, 128


@dataclass(frozen=True)
class Inputs:
    """Inputs for timing and for calibration, which are different ones, and what they are."""

    timed: FloatArray
    calibration: FloatArray
    text: str


def inputs_for(net: Network, largest_batch: int) -> Inputs:
    """Make inputs for a network: at least two batches of the largest size.

    Parameters
    ----------
    net : Network
    largest_batch : int

    Returns
    -------
    Inputs
    """
    affordable = LARGEST_BYTES // (4 * prod(net.input_shape))
    count = max(2 * largest_batch, min(MOST_SAMPLES, affordable), 2)
    calibration = max(8, min(CALIBRATION_SAMPLES, affordable))
    if "front_end" in net.details and find_spec("soundfile") is not None:
        return _sounds(net, count, calibration)
    x = noise((count + calibration, *net.input_shape))
    return Inputs(x[:count], x[count:], "random numbers from -1 to 1")


def _sounds(net: Network, count: int, calibration: int) -> Inputs:
    front_end = front_end_of(net)
    waveforms, _ = bundled_waveforms(front_end, net.labels)
    timed = log_mel(varied(waveforms, count), front_end)
    text = "bundled recordings, shifted and mixed with a little noise"
    return Inputs(timed, log_mel(varied(waveforms, calibration, seed=1), front_end), text)
