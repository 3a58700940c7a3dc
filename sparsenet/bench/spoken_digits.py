"""The spoken-digit network against its dense twin: here, and in ONNX Runtime where that is installed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.compare import Comparison, Contender, Row, Run, compare
from sparsenet.bench.peers import has_onnxruntime, in_onnxruntime
from sparsenet.graph.network import Network
from sparsenet.models import load
from sparsenet.renderer import as_record
from sparsenet.speech.audio import read_audio
from sparsenet.speech.features import log_mel
from sparsenet.speech.front_end import FrontEnd
from sparsenet.speech.recognize import front_end_of
from sparsenet.speech.recordings import recordings
from sparsenet.tables import kept_weights
from sparsenet.units import as_share

__all__ = ["accuracy_text", "bundled_waveforms", "compare_on_spoken_digits", "days_per_s", "record_of", "varied"]

FloatArray = npt.NDArray[np.float32]

NAMES = {
    "spoken-digits": "sparse twice, int8",
    "spoken-digits-float32": "sparse twice, float32",
    "spoken-digits-dense": "dense twin, float32",
}
BATCHES = (1, 64)
SAMPLES = 256
"""Different inputs that take turns: four whole batches of 64."""

THREADS = 1
SECONDS_PER_DAY = 86_400.0


def compare_on_spoken_digits(rounds: int = 100, tell: Callable[[str], object] = lambda step: None) -> Comparison:
    """Time the bundled networks on spoken digits and count their right answers.

    Everything takes turns in one process, with one thread each, on recordings that were shifted and mixed with noise so
    that no input comes twice in a row.

    Parameters
    ----------
    rounds : int
        See :func:`sparsenet.bench.interleave`; 100 take some ten seconds.
    tell : callable
        Is told in a few words what is done next.

    Returns
    -------
    Comparison
        The first contender is the network that is sparse twice, in this engine.
    """
    nets = {name: load(name) for name in NAMES}
    front_end = front_end_of(nets["spoken-digits"])
    tell("preparing sounds")
    waveforms, wanted = bundled_waveforms(front_end, nets["spoken-digits"].labels)
    samples = log_mel(varied(waveforms, SAMPLES), front_end)
    contenders = [_compiled_here(name, net, samples, tell) for name, net in nets.items()]
    if has_onnxruntime():
        floats = [name for name, net in reversed(nets.items()) if not net.byte_valued]
        contenders += [_in_onnxruntime(name, nets[name], tell) for name in floats]
    tell(f"timing {len(contenders)} contenders in turn")
    rows = compare(contenders, samples, (log_mel(waveforms, front_end), wanted), rounds)
    inputs = "bundled recordings, shifted and mixed with a little noise"
    return Comparison("spoken-digits", rows, inputs, SAMPLES, tuple(_unequal(nets)))


def days_per_s(row: Row) -> float:
    """Give the days of sound that are heard in a second, where a sample is a second of sound."""
    return row.samples_per_s / SECONDS_PER_DAY


def record_of(compared: Comparison) -> dict[str, Any]:
    """Give a comparison on spoken digits by its names, ready for JSON; a sample is a word, a second of sound."""
    rows = [
        as_record(row)
        | {"timing": as_record(row.sample_timing), "words_per_s": row.samples_per_s}
        | {"days_of_audio_per_s": days_per_s(row)}
        for row in compared.rows
    ]
    return compared.to_dict() | {"rows": rows, "threads": THREADS}


def varied(waveforms: FloatArray, count: int, seed: int = 0) -> FloatArray:
    """Make many different recordings of a few: each shifted by up to a tenth of its length, with a little noise.

    Parameters
    ----------
    waveforms : array (n, samples), float32
    count : int
    seed : int

    Returns
    -------
    array (count, samples), float32
    """
    random = np.random.default_rng(seed)
    chosen = waveforms[np.arange(count) % len(waveforms)]
    reach = waveforms.shape[1] // 10
    shifted = np.stack(
        [np.roll(one, by) for one, by in zip(chosen, random.integers(-reach, reach + 1, count), strict=True)]
    )
    noisy: FloatArray = shifted + np.float32(1e-3) * random.standard_normal(shifted.shape, np.float32)
    return noisy


def accuracy_text(details: Mapping[str, Any]) -> str:
    """Say the first accuracy that a network's details hold: how much was right, of how many.

    Examples
    --------
    >>> accuracy_text({"accuracy": [{"data": "voices", "share_right": 0.96, "samples": 1000}]})
    '96.0 % of 1,000'
    """
    match details.get("accuracy"):
        case [{"share_right": float(share), "samples": int(samples)}, *_]:
            return f"{as_share(share)} of {samples:,}"
    return ""


def _compiled_here(name: str, net: Network, examples: FloatArray, tell: Callable[[str], object]) -> Contender:
    import sparsenet

    runs: dict[int, Run] = {}
    for batch in BATCHES:
        tell(f"compiling {name} for batches of {batch}")
        runs[batch] = sparsenet.compile(net, batch=batch, threads=THREADS, examples=examples, progress=False)
    return Contender(NAMES[name], "sparsenet", runs, accuracy_text(net.details))


def _in_onnxruntime(name: str, net: Network, tell: Callable[[str], object]) -> Contender:
    tell(f"loading {name} into ONNX Runtime")
    run = in_onnxruntime(net, THREADS)
    return Contender(NAMES[name], "onnxruntime", dict.fromkeys(BATCHES, run), accuracy_text(net.details))


def bundled_waveforms(front_end: FrontEnd, labels: Sequence[str]) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Read the bundled recordings, and which label each should get."""
    known = [one for one in recordings() if one.label in labels]
    waveforms = [read_audio(one.path, front_end.sample_rate_hz) for one in known]
    return np.stack(waveforms), np.array([labels.index(one.label) for one in known])


def _unequal(nets: Mapping[str, Network]) -> list[str]:
    facts = [f"{NAMES[name]}: {_weights(net)} weights, {_activation(net)}" for name, net in nets.items()]
    said = [
        f"the networks are two functions of one architecture ({'; '.join(facts)}): compare speed at their accuracies",
    ]
    said.append(
        "the dense twin skips the inputs that ReLU has set to zero where that is faster, as any network does in "
        "sparsenet"
    )
    said += [f"the accuracy of the {NAMES[name]} is that of {text}" for name, text in _accuracies_of_others(nets)]
    if has_onnxruntime():
        said.append(
            "ONNX Runtime multiplies by zero weights too, and computes k-winners as TopK and ScatterElements; "
            "its rows of the sparse network show the same function in both engines"
        )
    return said


def _accuracies_of_others(nets: Mapping[str, Network]) -> list[tuple[str, str]]:
    return [(name, str(net.details["accuracy_of"])) for name, net in nets.items() if "accuracy_of" in net.details]


def _weights(net: Network) -> str:
    counts = [counted for node in net.nodes if (counted := kept_weights(node.layer)) is not None]
    return f"{sum(kept for kept, _ in counts):,} of {sum(weights for _, weights in counts):,}"


def _activation(net: Network) -> str:
    kinds = {type(node.layer).__name__ for node in net.nodes}
    return "k-winners" if "KWinners" in kinds else "ReLU"
