"""The engine: a compiled network that is called like a function."""

from collections import deque
from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.engine.arena import aligned_scratch, lay_out
from sparsenet.engine.lower import Lowered, lower
from sparsenet.engine.program import Program, assemble, constant_bytes
from sparsenet.engine.progress import tracker
from sparsenet.engine.threads import claim_threads, parallel_turn
from sparsenet.errors import CompileError, SparsenetError
from sparsenet.layers import Conv2d, Linear
from sparsenet.network import Network
from sparsenet.passes import fold_batchnorm
from sparsenet.planner.choose import Choice
from sparsenet.planner.cores import usable_cores
from sparsenet.planner.cost import L2_BYTES
from sparsenet.planner.machine import machine
from sparsenet_kernels.driver import FAILED, FINISHED, parallel_driver, serial_driver
from sparsenet_kernels.native import address_of

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Engine", "compile"]

FloatArray = npt.NDArray[np.float32]

LARGEST_CHUNK = 16
"""Samples that go through the network together: enough to use each weight of a dense layer several times."""

LARGEST_SCRATCH_BYTES = 2**28
"""Scratch memory of a chunk stays below this, or is that of a single sample."""

MOST_THREADS = 1024
LARGEST_BATCH = 2**20


class Engine:
    """A network, planned, packed and compiled for this machine. Make one with :func:`sparsenet.compile`.

    Call it with an array (B, *input_shape) to get an array (B, *output_shape), float32. Several threads may call one
    engine at once, and a forked child may go on using it.

    Attributes
    ----------
    network : Network
        The network as it was given.
    batch : int
        The largest batch of one call.
    threads : int
        Cores that one call may use.
    plan : tuple of Choice
        The kernel and format of each layer with weights, and why.
    program : Program
        The steps that one call runs.
    """

    __slots__ = (
        "_chunk",
        "_drivers",
        "_outputs",
        "_scratches",
        "_settings",
        "batch",
        "network",
        "plan",
        "program",
        "threads",
    )

    def __init__(
        self,
        network: Network,
        program: Program,
        plan: tuple[Choice, ...],
        batch: int,
        chunk: int,
        threads: int,
        settings: Mapping[str, Any],
    ) -> None:
        self.network = network
        self.program = program
        self.plan = plan
        self.batch = batch
        self.threads = threads
        self._chunk = chunk
        self._outputs = prod(network.output_shape)
        self._scratches: deque[npt.NDArray[np.uint8]] = deque()
        self._drivers = serial_driver(), _parallel_driver() if threads > 1 else serial_driver()
        self._settings = settings

    def __call__(self, x: npt.ArrayLike) -> FloatArray:
        """Run the network.

        Parameters
        ----------
        x : array (B, *input_shape)
            Any real dtype and memory layout; float32 in C order is used as it is, anything else is converted.

        Returns
        -------
        array (B, *output_shape), float32

        Raises
        ------
        TypeError
            When ``x`` does not hold real numbers.
        SparsenetError
            When the shape does not fit, the batch is larger than the engine's, or a number is NaN or infinite.
        """
        shape = self.network.input_shape
        if type(x) is not np.ndarray or x.dtype != np.float32 or not x.flags.carray or x.shape[1:] != shape:
            x = _converted(x, shape)
        samples = len(x)
        if samples > self.batch:
            raise SparsenetError(
                f"expected at most {self.batch} samples a call, got {samples}; compile with batch={samples}"
            )
        y = np.empty((samples, self._outputs), np.float32)
        if samples:
            self._run(x.reshape(samples, -1), y)
        return y.reshape(samples, *self.network.output_shape)

    def _run(self, x: FloatArray, y: FloatArray) -> None:
        try:
            scratch = self._scratches.pop()
        except IndexError:  # all in use by other threads, or none made yet
            scratch = aligned_scratch(self.program.scratch_bytes * self.threads)
        if self.threads == 1 or len(x) <= self._chunk:
            answer = self._drive(self._drivers[0], x, y, scratch)
        else:
            with parallel_turn() as allowed:
                answer = self._drive(self._drivers[1 if allowed else 0], x, y, scratch)
        self._scratches.append(scratch)
        if answer != FINISHED:
            _raise_for(int(answer), x)

    def _drive(self, driver: Callable[..., int], x: FloatArray, y: FloatArray, scratch: npt.NDArray[np.uint8]) -> int:
        program = self.program
        return driver(
            x,
            y,
            program.steps,
            address_of(scratch),
            program.scratch_bytes,
            program.input_bytes,
            program.output_bytes,
            self._chunk,
            self.threads,
        )

    def explain(self) -> "Table":
        """Return a table of what runs for each layer, and why."""
        from sparsenet.tables import plan_table

        return plan_table(self)

    def __rich__(self) -> "Table":
        return self.explain()

    def _repr_html_(self) -> str:
        from sparsenet.tables import as_html

        return as_html(self.explain())

    def __repr__(self) -> str:
        size = f"{len(self.program.steps)} steps, batch {self.batch}, {self.threads} threads"
        return f"<Engine for {self.network!r}: {size}>"

    def __reduce__(self) -> tuple[Callable[..., "Engine"], tuple[Any, ...]]:
        """Pickle the network and the settings; whoever unpickles plans and compiles for their own machine."""
        return _compile_again, (self.network, dict(self._settings))


def compile(
    network: Network,
    batch: int = 1,
    threads: int | None = None,
    *,
    kernels: Mapping[str, str] | None = None,
    progress: bool | None = None,
) -> Engine:
    """Plan, pack and compile a network for this machine.

    Parameters
    ----------
    network : Network
    batch : int
        The largest batch of one call.
    threads : int, optional
        Cores that one call may use, for batches that are large enough to share out. All usable ones when left out:
        those that affinity and cgroup quota leave to this process.
    kernels : mapping of str to str, optional
        Kernels to use instead of the planner's choice, by layer: ``{"conv2": "conv2d_f32_csc_active"}``.
    progress : bool, optional
        Show what is compiled; when left out, in terminals and notebooks, where it takes longer than a moment.

    Returns
    -------
    Engine

    Raises
    ------
    CompileError
        When a setting cannot be right.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsenet as sn
    >>> net = sn.Network.sequential((4,), [sn.Linear(np.eye(4)), sn.KWinners(2)])
    >>> sn.compile(net)(np.float32([[1, 4, 3, 2]]))
    array([[0., 4., 3., 0.]], dtype=float32)
    """
    if not isinstance(network, Network):
        raise TypeError(f"expected a Network, got {type(network).__name__}")
    settings = {"batch": batch, "threads": threads, "kernels": dict(kernels or {})}
    batch = _checked_count("batch", batch, LARGEST_BATCH)
    cores = usable_cores() if threads is None else _checked_count("threads", threads, MOST_THREADS)
    folded = fold_batchnorm(network)
    forced = _checked_kernels(kernels or {}, folded)
    lowered = lower(folded, min(batch, LARGEST_CHUNK), machine(), forced)
    chunk = _chunk_for(lowered, batch)
    if chunk != lowered.draft.batch:  # kernels were chosen for more samples at once than there will be
        lowered = lower(folded, chunk, machine(), forced)
    program = assemble(lowered, chunk, tracker(progress))
    threads = max(1, min(cores, -(-batch // chunk)))
    return Engine(network, program, tuple(lowered.plan.choices), batch, chunk, threads, settings)


def _parallel_driver() -> Callable[..., int]:
    claim_threads()
    try:
        driver: Callable[..., int] = parallel_driver()
    except ValueError as error:
        raise CompileError(
            f"Numba can load no threading layer ({str(error).splitlines()[0]}); compile with threads=1, or leave "
            "NUMBA_THREADING_LAYER to its default"
        ) from None
    return driver


def _compile_again(network: Network, settings: Mapping[str, Any]) -> Engine:
    return compile(network, **settings, progress=False)


def _chunk_for(lowered: Lowered, batch: int) -> int:
    """Choose how many samples go through the steps together.

    Weights beyond the second-level cache are better fetched once for many samples. Where the weights fit, the
    activations should fit beside them.
    """
    near_bytes = machine().l2_bytes or L2_BYTES
    sample_bytes = max(1, lay_out(lowered.draft.buffers, 1))
    largest = max(1, min(batch, LARGEST_CHUNK, LARGEST_SCRATCH_BYTES // sample_bytes))
    if constant_bytes(lowered.draft) > near_bytes:
        return largest
    return max(1, min(largest, near_bytes // 2 // sample_bytes))


def _checked_count(name: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"expected {name} to be an integer, got {type(value).__name__}")
    if not 1 <= value <= most:
        raise CompileError(f"expected {name} from 1 to {most}, got {value}")
    return int(value)


def _checked_kernels(forced: Mapping[str, str], net: Network) -> dict[str, str]:
    weighted = [node.name for node in net.nodes if isinstance(node.layer, Conv2d | Linear)]
    if unknown := [name for name in forced if name not in weighted]:
        raise CompileError(f"expected kernels for layers with weights ({', '.join(weighted)}), got {unknown[0]!r}")
    return {layer: kernel.partition("__")[0] for layer, kernel in forced.items()}


def _converted(x: Any, shape: tuple[int, ...]) -> FloatArray:
    """Turn what was given into float32 in C order that may be written, or say what is wrong with it."""
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"expected an array of real numbers, got {array.dtype}")
    if array.ndim != len(shape) + 1 or array.shape[1:] != shape:
        hint = "; add the batch axis: x[None]" if array.shape == shape else ""
        raise SparsenetError(f"expected input of shape (B, {', '.join(map(str, shape))}), got {array.shape}{hint}")
    with np.errstate(over="ignore"):  # what overflows float32 is found with the other infinities
        return np.require(array, np.float32, ["C", "A", "W"])


def _raise_for(answer: int, x: FloatArray) -> None:
    if answer == FAILED:
        raise RuntimeError("a kernel reached outside of its arrays; please report this network")
    bad = np.argwhere(~np.isfinite(x))
    raise SparsenetError(f"expected finite input, got NaN or infinity first in sample {bad[0][0]} of {len(x)}")
