"""The ways to compute one layer: every kernel of the registry that can, and the libraries beside them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from sparsenet.bench.compare import LeftOut
from sparsenet.bench.interleave import Prepared
from sparsenet.bench.layer_masks import MASKS
from sparsenet.bench.layer_shapes import LayerShape
from sparsenet.bench.peers.in_onnxruntime import has_onnxruntime, in_onnxruntime
from sparsenet.bench.peers.in_scipy import load_scipy, windows_as_columns
from sparsenet.errors import SparsenetError
from sparsenet.explain.steps import StepRunner
from sparsenet.graph.network import Network
from sparsenet.layers import Conv2d, KWinners, Linear
from sparsenet.lowering.own_kernels import is_own
from sparsenet.timing import Call
from sparsenet_kernels.registry import find_kernel, kernels_for

__all__ = ["CASES", "LIBRARIES", "NUMPY", "ONNX", "SCIPY", "LayerCase", "Way", "ways_to_compute"]

FloatArray = npt.NDArray[np.float32]
Tell = Callable[[str], object]

CASES = ("dense", "weights only", "activations only", "both")
LAYER = "layer"
INPUTS = 16
"""Different inputs that take turns."""

NUMPY, ONNX, SCIPY = LIBRARIES = "numpy, dense", "onnxruntime, dense", "scipy, CSR"


@dataclass(frozen=True)
class LayerCase:
    """One case: a shape, a mask, a density of weights, a share of active inputs, a batch size."""

    shape: LayerShape
    mask: str
    density: float
    active: float
    batch: int


@dataclass(frozen=True)
class Way:
    """One way to compute a cell: how it is called, what it gives for the first inputs, and what it should give."""

    case: str
    kernel: str
    call: Call | Prepared
    samples: int
    given: FloatArray
    wanted: npt.NDArray[np.float64]


def ways_to_compute(
    cell: LayerCase, too_late: Callable[[], bool], left_out: dict[str, LeftOut], tell: Tell
) -> Iterator[Way]:
    """Prepare every kernel that can run a cell, and the libraries.

    However late it is, the first kernel of each case is prepared, and those that were registered elsewhere.

    Parameters
    ----------
    cell : LayerCase
    too_late : callable
        Tells whether the time to prepare more is over.
    left_out : dict
        Gets who does not take part, and why.
    tell : callable
        Is told in a few words what is done next.
    """
    random = np.random.default_rng(0)
    dense = random.standard_normal(cell.shape.weight_shape, np.float32)
    sparse = np.where(MASKS[cell.mask](cell.shape, cell.density), dense, np.float32(0))
    x = random.standard_normal((INPUTS, cell.batch, *cell.shape.sample_shape), np.float32)
    for case in CASES:
        weight = dense if case in ("dense", "activations only") else sparse
        net = _network(cell, weight, case in ("activations only", "both"))
        wanted = net.reference(x[0, :1]).reshape(1, -1)
        if case == "dense":
            yield _library(case, NUMPY, _in_numpy(net), x, wanted)
            if has_onnxruntime():
                yield _library(case, ONNX, in_onnxruntime(net), x, wanted)
        if case == "weights only":
            yield _library(case, SCIPY, load_scipy(net, cell.batch, 1), x, wanted)
        for place, kernel in enumerate(_kernels_for(cell, case)):
            if place and too_late() and not is_own(kernel):
                who = f"{kernel} on {cell.shape}"
                left_out.setdefault(who, LeftOut(who, "there was no time left to prepare it; give more --seconds"))
                continue
            tell(f"preparing {kernel} for {cell.shape}")
            way = _kernel_way(case, kernel, net, x, wanted)
            if isinstance(way, LeftOut):
                left_out.setdefault(way.who, way)
            else:
                yield way


def _network(cell: LayerCase, weight: FloatArray, winners: bool) -> Network:
    from sparsenet.graph.network import INPUT, Node

    shape = cell.shape
    layer = Linear(weight) if shape.operation == "linear" else Conv2d(weight, None, shape.stride, shape.padding)
    if not winners:
        return Network(shape.sample_shape, [Node(LAYER, layer, (INPUT,))], LAYER)
    chosen = KWinners(max(1, round(cell.active * shape.inputs)), "all" if shape.operation == "linear" else "channels")
    nodes = [Node("winners", chosen, (INPUT,)), Node(LAYER, layer, ("winners",))]
    return Network(shape.sample_shape, nodes, LAYER)


def _kernels_for(cell: LayerCase, case: str) -> list[str]:
    """List the float32 kernels that skip the zeros of a case, those last that may be late.

    Without their variants, save for those registered elsewhere.
    """
    weights, inputs = case in ("weights only", "both"), case in ("activations only", "both")
    found = {
        kernel.base if kernel.bundled else kernel.name: kernel.weights
        for kernel in kernels_for(cell.shape.operation)
        if (kernel.weights != "dense") == weights and (kernel.inputs == "active") == inputs
    }

    last = {"complementary": 2, "blocks": int(cell.mask == "scattered")}  # packing sets takes longest
    return sorted(found, key=lambda name: (last.get(found[name], 0), name))


def _kernel_way(case: str, kernel: str, net: Network, x: FloatArray, wanted: npt.NDArray[np.float64]) -> Way | LeftOut:
    import sparsenet

    try:
        chosen = {LAYER: kernel}
        engine = sparsenet.compile(net, batch=x.shape[1], threads=1, planner="predict", kernels=chosen, progress=False)
    except SparsenetError as error:
        return LeftOut(kernel, str(error))
    given = engine(x[0, :1]).reshape(1, -1)
    steps = StepRunner(engine)
    samples = min(steps.chunk, x.shape[1])
    operation = find_kernel(kernel).operation
    names = [step.layer for step in steps.steps]
    first, last = (
        names.index(LAYER),
        max(i for i, step in enumerate(steps.steps) if step.kernel.operation == operation and step.layer == LAYER),
    )

    def prepare(index: int) -> None:
        steps.load({net.input: x[index % len(x), :samples]})
        for i in range(first):
            steps.call(i, samples)

    def call(index: int) -> None:
        for i in range(first, last + 1):
            steps.call(i, samples)

    return Way(case, kernel, Prepared(prepare, call), samples, given, wanted)


def _library(
    case: str,
    name: str,
    run: Callable[[FloatArray], FloatArray],
    x: FloatArray,
    wanted: npt.NDArray[np.float64],
) -> Way:
    return Way(case, name, partial(_run_next, run, x), x.shape[1], run(x[0, :1]).reshape(1, -1), wanted)


def _run_next(run: Callable[[FloatArray], FloatArray], x: FloatArray, index: int) -> FloatArray:
    return run(x[index % len(x)])


def _in_numpy(net: Network) -> Callable[[FloatArray], FloatArray]:
    layer = net[LAYER]
    if isinstance(layer, Conv2d):
        matrix = layer.weight.reshape(len(layer.weight), -1)
        return partial(_convolve_in_numpy, layer, matrix)
    assert isinstance(layer, Linear)
    turned = layer.weight.T
    return lambda x: x @ turned


def _convolve_in_numpy(layer: Conv2d, matrix: FloatArray, x: FloatArray) -> FloatArray:
    sums = matrix @ windows_as_columns(x, layer)
    return sums.reshape(len(matrix), len(x), -1).swapaxes(0, 1)
