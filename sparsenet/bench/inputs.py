"""What a network is fed with while it is timed: sounds where it was made for sounds, noise otherwise."""

from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.spoken_digits import bundled_waveforms, varied
from sparsenet.engine.examples import drawn_inputs
from sparsenet.graph.network import Network
from sparsenet.graph.parts import expect_one_to_one, is_one_to_one
from sparsenet.made_inputs import noise
from sparsenet.speech.features import log_mel
from sparsenet.speech.recognize import front_end_of

__all__ = ["Inputs", "inputs_by_name_for", "inputs_for"]

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

    Raises
    ------
    GraphError
        When the network has not one input, float32, and one output.
    """
    expect_one_to_one(net, "this measurement")
    count, calibration = _counts(net, largest_batch)
    if "front_end" in net.details and find_spec("soundfile") is not None:
        return _sounds(net, count, calibration)
    x = noise((count + calibration, *net.input_shape))
    return Inputs(x[:count], x[count:], "random numbers from -1 to 1")


def inputs_by_name_for(net: Network, largest_batch: int) -> tuple[Any, Any]:
    """Make inputs for timing and for calibration, for what takes any network: arrays, or mappings of them by name."""
    if is_one_to_one(net):
        made = inputs_for(net, largest_batch)
        return made.timed, made.calibration
    count, calibration = _counts(net, largest_batch)
    drawn = drawn_inputs(net, count + calibration)
    timed = {name: array[:count] for name, array in drawn.items()}
    return timed, {name: array[count:] for name, array in drawn.items()}


def _counts(net: Network, largest_batch: int) -> tuple[int, int]:
    """Say how many samples are made, for timing and for calibration."""
    affordable = LARGEST_BYTES // (4 * sum(prod(one.shape) for one in net.inputs.values()))
    count = max(2 * largest_batch, min(MOST_SAMPLES, affordable), 2)
    return count, max(8, min(CALIBRATION_SAMPLES, affordable))


def _sounds(net: Network, count: int, calibration: int) -> Inputs:
    front_end = front_end_of(net)
    waveforms, _ = bundled_waveforms(front_end, net.labels)
    timed = log_mel(varied(waveforms, count), front_end)
    text = "bundled recordings, shifted and mixed with a little noise"
    return Inputs(timed, log_mel(varied(waveforms, calibration, seed=1), front_end), text)
