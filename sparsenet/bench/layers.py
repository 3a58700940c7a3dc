"""Single layers, four ways: dense, without zero weights, without inactive inputs, without either.

Every kernel of the registry that can run a case is timed in turn with NumPy (dense, one thread of its BLAS) and SciPy
(CSR). Which weights are kept is random, but every output keeps as many, and sets of outputs share out the inputs, so
that every format can pack them.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.contenders import LeftOut
from sparsenet.bench.interleave import Call, Prepared, Timing, interleave
from sparsenet.bench.layer_shapes import LayerShape
from sparsenet.bench.peers.in_scipy import load_scipy, windows_as_columns
from sparsenet.bench.surroundings import Surroundings, surroundings
from sparsenet.errors import SparsenetError
from sparsenet.insight.steps import Steps
from sparsenet.layers import Conv2d, KWinners, Linear
from sparsenet.network import Network
from sparsenet_kernels.registry import kernels

__all__ = ["CASES", "LayerRow", "Sweep", "sweep_layers"]

FloatArray = npt.NDArray[np.float32]
Tell = Callable[[str], object]

CASES = ("dense", "weights only", "activations only", "both")
LAYER = "layer"
INPUTS = 16
"""Different inputs that take turns."""

NUMPY, SCIPY = "numpy, dense", "scipy, CSR"


@dataclass(frozen=True)
class LayerRow:
    """What was measured of one kernel, or of a library, on one layer.

    Attributes
    ----------
    shape : str
    density, active : float
        Of the weights, and of the inputs, where the case uses their zeros; both of the cell that was measured together.
    case : str
        One of :data:`CASES`: which zeros are skipped.
    kernel : str
        A kernel's name, or the library.
    timing : Timing
        Of one sample.
    largest_error : float
        The largest difference from the float64 reference, over the reference's largest size; of one sample.
    """

    shape: str
    density: float
    active: float
    case: str
    kernel: str
    timing: Timing
    largest_error: float


@dataclass(frozen=True)
class Sweep:
    """All rows, and what a fair reader must know about them."""

    rows: tuple[LayerRow, ...]
    batch: int
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    surroundings: Surroundings

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        plain = {name: list(value) for name, value in asdict(self).items() if isinstance(value, tuple)}
        return asdict(self) | plain | {"surroundings": self.surroundings.to_dict()}


@dataclass(frozen=True)
class _Cell:
    """What is measured together: one shape at one density of weights and one share of active inputs."""

    shape: LayerShape
    density: float
    active: float
    batch: int


@dataclass(frozen=True)
class _Way:
    """One way to compute a cell: how it is called, what it gives for the first inputs, and what it should give."""

    case: str
    kernel: str
    call: Call | Prepared
    samples: int
    given: FloatArray
    wanted: npt.NDArray[np.float64]


def sweep_layers(
    shapes: Sequence[LayerShape],
    densities: Sequence[float] = (0.05,),
    actives: Sequence[float] = (0.1,),
    batch: int = 1,
    seconds: float = 10.0,
    tell: Tell = lambda step: None,
    done: Callable[[int, int], object] = lambda done, total: None,
    clock: Callable[[], float] = time.monotonic,
) -> Sweep:
    """Time every kernel on every shape, at every combination of densities and shares of active inputs.

    Parameters
    ----------
    shapes : sequence of LayerShape
    densities, actives : sequence of float
        Fractions in (0, 1].
    batch : int
        Samples of one call.
    seconds : float
        For each combination; no further kernel is prepared once half of them are gone. The first of every case always
        is.
    tell : callable
        Is told in a few words what is done next.
    done : callable
        Is told how many combinations are done, and how many there are.
    clock : callable
        Gives seconds; decides when there is no time left to prepare a kernel.

    Returns
    -------
    Sweep

    Raises
    ------
    SparsenetError
        When a fraction is none, or the batch is empty.
    """
    for name, values in (("density", densities), ("active", actives)):
        if not values or not all(0 < value <= 1 for value in values):
            raise SparsenetError(f"expected {name} in (0, 1], got {list(values)}; did you pass a percentage?")
    if batch < 1:
        raise SparsenetError(f"expected a batch of at least 1, got {batch}")
    cells = [_Cell(shape, density, active, batch) for shape in shapes for density in densities for active in actives]
    rows: list[LayerRow] = []
    left_out: dict[str, LeftOut] = {}
    for number, cell in enumerate(cells):
        with _one_blas_thread():
            rows += _measured(cell, seconds, left_out, tell, clock)
        done(number + 1, len(cells))
    return Sweep(tuple(rows), batch, _notes(), tuple(left_out.values()), surroundings())


def _notes() -> tuple[str, ...]:
    blas = (
        "NumPy's BLAS was held to one thread"
        if find_spec("threadpoolctl")
        else "NumPy's BLAS may have used all cores: pip install threadpoolctl to hold it to one"
    )
    return (
        f"{blas}; SciPy's CSR product and all kernels use one",
        "a kernel's times hold about a microsecond in which Python calls it, a library's its own overhead",
        "finding the winners is not part of the times; sparsenet profile shows what that takes",
        "a convolution in NumPy and SciPy copies its windows out first, which is part of the time",
        "zero weights are random, but every output keeps as many weights as every other, and sets of outputs share out "
        "the inputs, so that all formats can pack them well",
    )


def _one_blas_thread() -> AbstractContextManager[object]:
    if find_spec("threadpoolctl") is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limited


def _measured(
    cell: _Cell, seconds: float, left_out: dict[str, LeftOut], tell: Tell, clock: Callable[[], float]
) -> list[LayerRow]:
    tell(f"preparing {cell.shape}")
    until_s = clock() + seconds / 2
    ways = list(_ways(cell, lambda: clock() > until_s, left_out, tell))
    tell(f"timing {cell.shape}, {len(ways)} ways in turn")
    timings = interleave({str(i): way.call for i, way in enumerate(ways)}, 1_000, 1_000.0, longest_s=seconds / 2)
    return [_row(cell, way, timing) for way, timing in zip(ways, timings.values(), strict=True)]


def _row(cell: _Cell, way: _Way, timing: Timing) -> LayerRow:
    largest = max(float(np.abs(way.wanted).max()), 1e-30)
    return LayerRow(
        shape=str(cell.shape),
        density=cell.density,
        active=cell.active,
        case=way.case,
        kernel=way.kernel,
        timing=Timing(
            median_us=timing.median_us / way.samples,
            minimum_us=timing.minimum_us / way.samples,
            p90_us=timing.p90_us / way.samples,
            p99_us=timing.p99_us / way.samples,
            samples=timing.samples,
        ),
        largest_error=float(np.abs(way.given - way.wanted).max() / largest),
    )


def _ways(cell: _Cell, too_late: Callable[[], bool], left_out: dict[str, LeftOut], tell: Tell) -> Iterator[_Way]:
    random = np.random.default_rng(0)
    dense = random.standard_normal(cell.shape.weight_shape, np.float32)
    sparse = np.where(balanced_mask(cell.shape, cell.density, random), dense, np.float32(0))
    x = random.standard_normal((INPUTS, cell.batch, *cell.shape.sample_shape), np.float32)
    for case in CASES:
        weight = dense if case in ("dense", "activations only") else sparse
        net = _network(cell, weight, case in ("activations only", "both"))
        wanted = net.reference(x[0, :1]).reshape(1, -1)
        if case == "dense":
            yield _library(case, NUMPY, _in_numpy(net), x, wanted)
        if case == "weights only":
            yield _library(case, SCIPY, load_scipy(net, cell.batch, 1), x, wanted)
        for place, kernel in enumerate(_kernels_for(cell.shape.operation, case)):
            if place and too_late():
                who = f"{kernel} on {cell.shape}"
                left_out.setdefault(who, LeftOut(who, "there was no time left to prepare it; give more --seconds"))
                continue
            tell(f"preparing {kernel} for {cell.shape}")
            way = _kernel_way(case, kernel, net, x, wanted)
            if isinstance(way, LeftOut):
                left_out.setdefault(way.who, way)
            else:
                yield way


def balanced_mask(shape: LayerShape, density: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Keep as many inputs for every output: random parts of the inputs, each given to one of a few outputs in turn.

    Outputs that share the inputs out among them keep none in common, so they pack into one complementary set.
    """
    kept = max(1, round(density * shape.fan_in))
    sharing = max(1, shape.fan_in // kept)
    mask = np.zeros((shape.outputs, shape.fan_in), bool)
    for first in range(0, shape.outputs, sharing):
        order = random.permutation(shape.fan_in)
        for place, output in enumerate(range(first, min(first + sharing, shape.outputs))):
            mask[output, order[place * kept : (place + 1) * kept]] = True
    return mask.reshape(shape.weight_shape)


def _network(cell: _Cell, weight: FloatArray, winners: bool) -> Network:
    from sparsenet.network import INPUT, Node

    shape = cell.shape
    layer = Linear(weight) if shape.operation == "linear" else Conv2d(weight, None, shape.stride, shape.padding)
    if not winners:
        return Network(shape.sample_shape, [Node(LAYER, layer, (INPUT,))], LAYER)
    chosen = KWinners(max(1, round(cell.active * shape.inputs)), "all" if shape.operation == "linear" else "channels")
    nodes = [Node("winners", chosen, (INPUT,)), Node(LAYER, layer, ("winners",))]
    return Network(shape.sample_shape, nodes, LAYER)


def _kernels_for(operation: str, case: str) -> list[str]:
    """List the float32 kernels that skip the zeros of a case: without variants, save for those registered elsewhere."""
    weights, inputs = case in ("weights only", "both"), case in ("activations only", "both")
    return sorted(
        {
            kernel.name.partition("__")[0] if kernel.bundled else kernel.name
            for kernel in kernels().values()
            if kernel.operation == operation
            and kernel.dtype == "f32"
            and (kernel.weights != "dense") == weights
            and (kernel.inputs == "active") == inputs
        },
        key=lambda name: ("complementary" in name, name),  # packing sets takes longest
    )


def _kernel_way(case: str, kernel: str, net: Network, x: FloatArray, wanted: npt.NDArray[np.float64]) -> _Way | LeftOut:
    import sparsenet

    try:
        chosen = {LAYER: kernel}
        engine = sparsenet.compile(net, batch=x.shape[1], threads=1, planner="predict", kernels=chosen, progress=False)
    except SparsenetError as error:
        return LeftOut(kernel, str(error))
    given = engine(x[0, :1]).reshape(1, -1)
    steps = Steps(engine)
    samples = min(steps.chunk, x.shape[1])
    operation, _, _ = kernel.partition("_")
    names = [step.layer for step in steps.steps]
    first, last = (
        names.index(LAYER),
        max(i for i, step in enumerate(steps.steps) if step.kernel.operation == operation and step.layer == LAYER),
    )

    def prepare(index: int) -> None:
        steps.load(x[index % len(x), :samples])
        for i in range(first):
            steps.call(i, samples)

    def call(index: int) -> None:
        for i in range(first, last + 1):
            steps.call(i, samples)

    return _Way(case, kernel, Prepared(prepare, call), samples, given, wanted)


def _library(
    case: str,
    name: str,
    run: Callable[[FloatArray], FloatArray],
    x: FloatArray,
    wanted: npt.NDArray[np.float64],
) -> _Way:
    return _Way(case, name, partial(_run_next, run, x), x.shape[1], run(x[0, :1]).reshape(1, -1), wanted)


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
