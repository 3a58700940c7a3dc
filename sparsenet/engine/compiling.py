"""Compiling a network: planning, packing, laying out memory, and compiling its kernels."""

from collections.abc import Callable, Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt
from numba import config

from sparsenet.engine.engine import Engine
from sparsenet.engine.examples import calls_to_time
from sparsenet.engine.program import assemble, compile_kernels, constant_bytes
from sparsenet.engine.recovery import as_it_came
from sparsenet.errors import CompileError, did_you_mean
from sparsenet.graph.network import Network
from sparsenet.graph.parts import expect_network, expect_one_to_one
from sparsenet.layers import Weighted
from sparsenet.lowering.arena import LARGEST_SCRATCH_BYTES, lay_out
from sparsenet.lowering.lower import Lowered, lower
from sparsenet.lowering.measure import choose_by_measuring, kernels_to_try
from sparsenet.machine.available import available_bytes
from sparsenet.machine.cores import usable_cores
from sparsenet.machine.facts import machine
from sparsenet.passes import fold_batchnorm
from sparsenet_kernels.forks import TornError, refuse_torn

if TYPE_CHECKING:
    from sparsenet.engine.cuda_engine import CudaEngine

__all__ = ["compile"]

LARGEST_CHUNK = 16
"""Samples that go through the network together: enough to use each weight of a dense layer several times."""

LARGEST_FAR_CHUNK = 64
"""The same where the weights do not fit into the second-level cache, as far as activations do: a dense network of bytes
took 15.3 µs a sample instead of 18.8."""

MOST_THREADS = 1024
LARGEST_BATCH = 2**20


@overload
def compile(
    network: Network,
    batch: int = 1,
    threads: int | None = None,
    *,
    planner: str = "measure",
    kernels: Mapping[str, str] | None = None,
    examples: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
    progress: bool | None = None,
    device: Literal["cpu"] = "cpu",
) -> Engine: ...


@overload
def compile(
    network: Network, batch: int = 1, *, kernels: Mapping[str, str] | None = None, device: Literal["cuda"]
) -> "CudaEngine": ...


def compile(
    network: Network,
    batch: int = 1,
    threads: int | None = None,
    *,
    planner: str = "measure",
    kernels: Mapping[str, str] | None = None,
    examples: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
    progress: bool | None = None,
    device: str = "cpu",
) -> "Engine | CudaEngine":
    """Plan, pack and compile a network for this machine.

    Parameters
    ----------
    network : Network
    batch : int
        Samples of most calls: kernels are timed for so many, and memory and cores are shared out for them. A call may
        have more samples, which then go through in parts.
    threads : int, optional
        Cores that one call may use, for batches that are large enough to share out. All usable ones when left out:
        those that affinity and cgroup quota leave to this process.
    planner : {"measure", "predict"}
        "measure" times the few kernels that might be best for each layer, in the whole network on this machine;
        "predict" trusts the cost model, which takes no time and always chooses the same.
    kernels : mapping of str to str, optional
        Kernels to use instead of the planner's choice, by layer: ``{"conv2": "conv2d_f32_csc_active"}``. An
        earlier engine's ``kernels`` make its plan again.
    examples : array (B, *input_shape) or mapping of str to array, optional
        Inputs like those to come, for timing kernels; when left out random numbers from -1 to 1, whole numbers that are
        0 or 1, and random truth values. How many units a ReLU leaves active depends on them.
    progress : bool, optional
        Show what is compiled and timed; when left out, in terminals and notebooks, where it takes longer than a moment.
    device : {"cpu", "cuda"}
        "cuda" is the current NVIDIA GPU; nothing is timed there, so ``threads``, ``planner`` and ``examples`` have no
        say. It needs the extra ``gpu``.

    Returns
    -------
    Engine or CudaEngine

    Raises
    ------
    CompileError
        When a setting cannot be right, there is no GPU, Numba's compiler is turned off, this process was forked while
        another thread compiled, or there is too little memory.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsenet as sn
    >>> net = sn.Network.sequential((4,), [sn.Linear(np.eye(4)), sn.KWinners(2)])
    >>> sn.compile(net)(np.float32([[1, 4, 3, 2]]))
    array([[0., 4., 3., 0.]], dtype=float32)
    """
    expect_network(network)
    _check_one_of("planner", planner, ("measure", "predict"))
    _check_one_of("device", device, ("cpu", "cuda"))
    if device == "cuda":
        expect_one_to_one(network, "compile for the GPU")
        from sparsenet.engine.cuda_engine import compile_for_cuda

        forced = _checked_kernels(_names(kernels), fold_batchnorm(network))
        return compile_for_cuda(network, _checked_count("batch", batch, LARGEST_BATCH), forced)
    if config.DISABLE_JIT:  # type: ignore[attr-defined, unused-ignore]
        raise CompileError("expected Numba to compile, but NUMBA_DISABLE_JIT is set; unset it, or call reference(x)")
    _refuse_torn()
    settings = {"batch": batch, "threads": threads, "planner": planner, "kernels": _names(kernels)}
    batch = _checked_count("batch", batch, LARGEST_BATCH)
    cores = usable_cores() if threads is None else _checked_count("threads", threads, MOST_THREADS)
    folded = fold_batchnorm(network)
    forced = _checked_kernels(_names(kernels), folded)
    try:
        packs: dict[tuple[Any, ...], Any] = {}
        first = lower(folded, min(batch, LARGEST_CHUNK), machine(), forced, packs)
        chunk = _chunk_for(first, batch, cores)
        lowered = lower(folded, chunk, machine(), forced, packs)
        if planner == "measure":
            lowered = _measured(folded, lowered, forced, examples, progress)
        program = assemble(lowered, chunk, progress)
    except MemoryError as error:
        raise CompileError(f"expected memory enough to compile this network, got too little: {error}") from None
    threads = max(1, min(cores, -(-batch // chunk)))
    return Engine(network, program, tuple(lowered.plan.choices), batch, chunk, threads, settings)


def _refuse_torn() -> None:
    try:
        refuse_torn()
    except TornError as error:
        raise CompileError(str(error)) from None


def _chunk_for(lowered: Lowered, batch: int, cores: int) -> int:
    """Choose how many samples go through the steps together.

    Weights beyond the second-level cache are better fetched once for many samples, though not for more than leave each
    core a share. Where the weights fit, the activations should fit beside them.
    """
    near_bytes = machine().assumed_l2_bytes
    sample_bytes = max(1, lay_out(lowered.draft.buffers, 1))
    _refuse_too_little_memory(sample_bytes)
    largest = max(1, min(batch, LARGEST_CHUNK, LARGEST_SCRATCH_BYTES // sample_bytes))
    if constant_bytes(lowered.draft) > near_bytes:
        sixteens = min(LARGEST_FAR_CHUNK, near_bytes // sample_bytes) // LARGEST_CHUNK
        return max(largest, min(-(-batch // cores), sixteens * LARGEST_CHUNK))
    return max(1, min(largest, near_bytes // 2 // sample_bytes))


def _refuse_too_little_memory(sample_bytes: int) -> None:
    """Refuse a network that no call could run; a system may promise more memory than there is, and end the process."""
    left_bytes = available_bytes() if sample_bytes > LARGEST_SCRATCH_BYTES else None
    if left_bytes is not None and sample_bytes > left_bytes:
        raise CompileError(
            f"expected activations that fit into the {left_bytes:,} bytes of memory that are left, "
            f"got {sample_bytes:,} bytes for one sample"
        )


def _measured(net: Network, first: Lowered, forced: Mapping[str, str], examples: Any, progress: bool | None) -> Lowered:
    samples = first.draft.batch
    timed = calls_to_time(net, examples, samples)

    def lower_with(kernels: dict[str, str]) -> Lowered:
        return lower(net, samples, machine(), kernels, first.draft.packs)

    def runner(lowered: Lowered) -> Callable[[], object]:
        program = assemble(lowered, samples, progress)
        engine = Engine(net, program, (), samples, samples, 1, {}, as_it_came)
        inputs = cycle(timed)
        return lambda: engine(next(inputs))

    compile_kernels(kernels_to_try(first, forced, lower_with), progress)
    return choose_by_measuring(first, forced, lower_with, runner, progress)


def _check_one_of(name: str, value: str, known: tuple[str, str]) -> None:
    if value not in known:
        raise CompileError(f'expected {name} "{known[0]}" or "{known[1]}", got {value!r}')


def _checked_count(name: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"expected {name} to be an integer, got {type(value).__name__}")
    if not 1 <= value <= most:
        raise CompileError(f"expected {name} from 1 to {most}, got {value}")
    return int(value)


def _names(kernels: Any) -> dict[str, str]:
    """Copy the mapping from layers to kernels, or say what it should be."""
    given = {} if kernels is None else kernels
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for pair in given.items() for name in pair):
        raise TypeError(f'expected kernels by layer, such as {{"conv2": "conv2d_f32_csc_active"}}, got {kernels!r}')
    return dict(given)


def _checked_kernels(forced: dict[str, str], net: Network) -> dict[str, str]:
    weighted = [node.name for node in net.nodes if isinstance(node.layer, Weighted)]
    if unknown := [name for name in forced if name not in weighted]:
        raise CompileError(
            f"expected kernels for layers with weights ({', '.join(weighted)}), got {unknown[0]!r}"
            f"{did_you_mean(unknown[0], weighted)}"
        )
    return forced
