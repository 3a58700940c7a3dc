"""The reference network's speed under each kind of mask: ``python -m sparsenet.bench.masks``.

The weights are random, so this says nothing about accuracy: it shows what each structure costs, beside ONNX Runtime in
float32 on the dense network with ReLU, in one interleaved run with one thread.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from sparsenet.bench.interleave import interleave
from sparsenet.bench.peers import has_onnxruntime, in_onnxruntime
from sparsenet.command_line import Json, print_json, run
from sparsenet.graph.network import Network
from sparsenet.info import info, machine_line
from sparsenet.layers import Conv2d, Flatten, KWinners, Layer, Linear, MaxPool2d, ReLU
from sparsenet.made_inputs import noise
from sparsenet.packing import Mask, blocks, partitioned, subsets, taps, uniform
from sparsenet.timing import Timing

__all__ = ["KINDS", "main", "reference_network", "time_masks"]

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
Run = Callable[[FloatArray], FloatArray]

BATCHES = (1, 64, 256)
SAMPLES = 256


@dataclass(frozen=True)
class Kind:
    """Masks for the second convolution and the linear layer, and the arithmetic they are timed in."""

    name: str
    conv2: Callable[[], Mask]
    linear: Callable[[], Mask]
    arithmetic: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    run(masks, "python -m sparsenet.bench.masks", arguments)


def masks(json: Json = False) -> None:
    """Time the reference network under each kind of mask, with random weights, and print a Markdown table."""
    timings = time_masks(tell=lambda step: print(f"{step} ...", file=sys.stderr))
    if json:
        rows = [
            {"batch": batch, "masks": name, "timing_of_a_call": asdict(timing)}
            for batch, row in timings.items()
            for name, timing in row.items()
        ]
        print_json({"rows": rows, "samples": SAMPLES, "info": info().to_dict()})
        return
    print(as_markdown(timings))
    print(f"\nRandom weights. Measured on {machine_line(info())}; one thread; {SAMPLES} inputs took turns.")


def time_masks(rounds: int = 60, tell: Callable[[str], object] = lambda step: None) -> dict[int, dict[str, Timing]]:
    """Time the reference network with every kind of mask.

    Parameters
    ----------
    rounds : int
        See :func:`sparsenet.bench.interleave`.
    tell : callable
        Is told in a few words what is done next.

    Returns
    -------
    dict of int to dict of str to Timing
        By batch size and name; times are of one call, of so many samples.
    """
    x = noise((SAMPLES, 1, 32, 32), seed=1)
    runs = {kind.name: _runs(kind, x, tell) for kind in KINDS}
    if has_onnxruntime():
        tell("loading the dense network into ONNX Runtime")
        runs[PEER] = dict.fromkeys(BATCHES, in_onnxruntime(reference_network(None), 1))
    timings = {}
    for batch in BATCHES:
        tell(f"timing batches of {batch}")
        timings[batch] = interleave({name: _call(run[batch], x, batch) for name, run in runs.items()}, rounds)
    return timings


def _runs(kind: Kind, x: FloatArray, tell: Callable[[str], object]) -> dict[int, Run]:
    import sparsenet

    tell(f"compiling {kind.name}")
    net = reference_network(kind)
    if kind.arithmetic == "int8":
        net = sparsenet.quantize(net, x, progress=False)
    return {batch: sparsenet.compile(net, batch=batch, threads=1, examples=x, progress=False) for batch in BATCHES}


def _call(run: Run, x: FloatArray, batch: int) -> Callable[[int], object]:
    return lambda index: run(x[index * batch % SAMPLES : index * batch % SAMPLES + batch])


def reference_network(kind: Kind | None, seed: int = 0) -> Network:
    """Make the network of the paper with random weights: under masks with k-winners, or dense with ReLU.

    Examples
    --------
    >>> reference_network(None).output_shape
    (12,)
    """
    r = np.random.default_rng(seed)
    keep = (
        np.ones((64, 1, 5, 5), bool),
        np.ones(CONV2, bool) if kind is None else kind.conv2().keep,
        np.ones(LINEAR, bool) if kind is None else kind.linear().keep,
        np.ones((12, 1500), bool),
    )
    weights = [_filled(r, mask) for mask in keep]
    bias = [np.zeros(len(weight), np.float32) for weight in weights]
    layers: list[Layer] = [
        *(Conv2d(weights[0], bias[0]), MaxPool2d(2), _activation(kind, 6, "channels")),
        *(Conv2d(weights[1], bias[1]), MaxPool2d(2), _activation(kind, 8, "channels")),
        *(Flatten(), Linear(weights[2], bias[2]), _activation(kind, 150, "all")),
        Linear(weights[3], bias[3]),
    ]
    return Network.sequential((1, 32, 32), layers)


def _activation(kind: Kind | None, k: int, scope: str) -> Layer:
    return ReLU() if kind is None else KWinners(k, scope)


def _filled(r: np.random.Generator, mask: BoolArray) -> FloatArray:
    """Put random numbers where the mask is True, so large that every layer's outputs are of order one."""
    fan_in = max(1.0, mask[0].size * mask.mean() / 8)
    return np.where(mask, r.standard_normal(mask.shape) / np.sqrt(fan_in), 0).astype(np.float32)


CONV2, LINEAR = (64, 64, 5, 5), (1500, 1600)
"""Shapes of the two sparse layers' weights."""

FOURS = partial(blocks, LINEAR, 0.0325, channels=64)
"""Blocks of 4 inputs by 16 outputs for the linear layer, beside masks of the convolution that only tiles can use."""

KINDS = (
    Kind(
        "int8, 4 of 64 at 20 of 25 taps for 16 outputs (5 %)",
        partial(partitioned, CONV2, 0.05),
        partial(partitioned, LINEAR, 0.05, channels=64),
        "int8",
    ),
    Kind("int8, 3 of 25 taps for 16 outputs (12 %)", partial(taps, CONV2, 3 / 25), FOURS, "int8"),
    Kind("int8, 6 of 25 taps for 16 outputs (24 %)", partial(taps, CONV2, 6 / 25), FOURS, "int8"),
    Kind("int8, 1 of 8 groups of 8 channels for 16 outputs (12.5 %)", partial(subsets, CONV2, 1 / 8), FOURS, "int8"),
    Kind("int8, 2 of 8 groups of 8 channels for 16 outputs (25 %)", partial(subsets, CONV2, 2 / 8), FOURS, "int8"),
    Kind("int8, second convolution dense", partial(taps, CONV2, 1.0), FOURS, "int8"),
    Kind("int8, unstructured 5 %", partial(uniform, CONV2, 0.05), partial(uniform, LINEAR, 0.05), "int8"),
    Kind(
        "float32, 16 outputs share inputs (5 %)",
        partial(blocks, CONV2, 0.05, inputs=1),
        partial(blocks, LINEAR, 0.05, inputs=1),
        "float32",
    ),
    Kind("float32, unstructured 5 %", partial(uniform, CONV2, 0.05), partial(uniform, LINEAR, 0.05), "float32"),
)
"""The kinds of masks: how the second convolution is masked; linear masks are of the same kind, at 3.25 to 5 %."""

PEER = "onnxruntime float32, dense, ReLU"


def as_markdown(timings: dict[int, dict[str, Timing]]) -> str:
    """Write times of one sample, and the peer's over each, as a Markdown table."""
    lines = ["| masks | " + " | ".join(f"batch {batch}, min µs | times the peer" for batch in timings) + " |"]
    lines.append("| --- |" + " ---: | ---: |" * len(timings))
    for name in next(iter(timings.values())):
        cells = [cell for batch, row in timings.items() for cell in _cells(row, name, batch)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(row: dict[str, Timing], name: str, batch: int) -> tuple[str, str]:
    peer = row.get(PEER)
    ratio = "" if peer is None else f"{peer.minimum_us / row[name].minimum_us:.1f}"
    return f"{row[name].minimum_us / batch:,.2f}", ratio


if __name__ == "__main__":
    main()
