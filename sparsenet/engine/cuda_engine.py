"""The engine for a GPU: weights and buffers on the device, one launch after the other, nothing in between."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.engine.cuda_plan import DeviceStep, device_plan, device_steps, lower_for_device
from sparsenet.engine.engine import FLOAT32, FloatArray, converted
from sparsenet.engine.recovery import answer_by_reference, beyond_limit, refuse_infinite
from sparsenet.errors import CompileError, SparsenetError
from sparsenet.graph.network import Network
from sparsenet.lowering.arena import Buffer, lay_out
from sparsenet.lowering.choose import Choice
from sparsenet.lowering.draft import Argument, View
from sparsenet.passes import fold_batchnorm
from sparsenet_kernels.indices import IndexRangeError
from sparsenet_kernels.registry import Argument as Declared

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["CudaEngine", "compile_for_cuda"]


@dataclass(frozen=True, eq=False)
class Calls:
    """What runs for one number of samples: where the input goes, what is launched, where the output comes."""

    source: Any
    launches: tuple[Callable[[], None], ...]
    result: Any


class CudaEngine:
    """A network on a GPU. Make one with ``sparsenet.compile(net, device="cuda")``.

    Call it with an array (B, *input_shape) to get an array (B, *output_shape), float32. Called with an array on the
    device (anything with ``__cuda_array_interface__``: torch, cupy, Numba) it answers with one, and does not wait for
    the device, unless layers must be watched for values that leave float32. Threads take turns. Kernels are launched
    one by one: Numba offers no CUDA graphs.

    Attributes
    ----------
    network : Network
        The network as it was given.
    batch : int
        Samples that go through together; calls with more are cut into parts.
    plan : tuple of Choice
        The kernel of each layer with weights, and why.
    steps : tuple of DeviceStep
        All kernels that one call launches.
    """

    threads = 1

    def __init__(self, network: Network, batch: int, forced: Mapping[str, str]) -> None:
        from sparsenet_kernels.cuda.api import cuda, upload

        lowered, chosen = lower_for_device(fold_batchnorm(network), batch, forced)
        self.network, self.batch = network, batch
        self.plan: tuple[Choice, ...] = device_plan(lowered, chosen)
        self.steps = tuple(device_steps(lowered, chosen))
        self._ends = lowered.source, lowered.result
        self._ranges, self._trips = lowered.ranges, lowered.trips
        _check_launches(self.steps, batch)
        self._memory = cuda.device_array(lay_out(lowered.draft.buffers, batch), np.uint8)
        constants = {
            id(value): value for step in self.steps for value in step.arguments if isinstance(value, np.ndarray)
        }
        self._constants = {key: upload(value) for key, value in constants.items()}
        self._calls: dict[int, Calls] = {}
        self._turn = Lock()

    def __call__(self, x: Any, out: Any = None) -> Any:
        """Run the network.

        Parameters
        ----------
        x : array (B, *input_shape)
            On the host: any real dtype, finite. On the device: float32 in C order; it is not looked through for NaN,
            infinity, or numbers beyond ``input_limit``, for that would make the host wait.
        out : array (B, *output_shape), optional
            Where the answer goes, float32 in C order on the side where ``x`` lies: asking a device for memory takes
            longer than a small network.

        Returns
        -------
        array (B, *output_shape), float32
            On the side where ``x`` lies.

        Raises
        ------
        TypeError
            When ``x`` does not hold real numbers, or is on the device and not float32.
        SparsenetError
            When the shape does not fit, or a number is NaN or infinite.
        RangeError
            When a value inside the network leaves float32; the message names the layer and the sample.
        """
        from sparsenet_kernels.cuda.api import is_device_array

        return self._on_device(x, out) if is_device_array(x) else self._on_host(x, out)

    def _on_host(self, x: npt.ArrayLike, out: FloatArray | None) -> FloatArray:
        given = converted(x, self.network.input_shape)
        refuse_infinite(given)
        shape = len(given), *self.network.output_shape
        y = np.empty(shape, FLOAT32) if out is None else out
        _check_out(y, shape, y.flags.c_contiguous)
        tripped = beyond_limit(given, self.input_limit)
        with self._turn:
            for part in self._parts(len(given)):
                self._run(given[part]).result.copy_to_host(y[part])
                tripped[part] |= self._tripped(len(given[part]))
        if tripped.any():
            self._answer_by_reference(given, y.reshape(len(given), prod(shape[1:])), tripped)
        return y

    @property
    def input_limit(self) -> float:
        """The largest input, signs aside, for which kernels alone find the answer; beyond it, the reference does."""
        return self._ranges.limit

    def _tripped(self, samples: int) -> npt.NDArray[np.bool_]:
        """Mark the samples of the last run in which a watch found a value that is too large."""
        if self._trips is None:
            return np.zeros(samples, bool)
        trips = self._seen(self._trips, (samples, len(self._ranges.watched)), np.int32).copy_to_host()
        marked: npt.NDArray[np.bool_] = trips.any(axis=1)
        return marked

    def _on_device(self, x: Any, out: Any) -> Any:
        from sparsenet_kernels.cuda.api import cuda, on_device

        given = on_device(x)
        if given.dtype != FLOAT32:
            raise TypeError(f"expected float32 on the device, got {given.dtype}; convert it there")
        if tuple(given.shape[1:]) != self.network.input_shape or not given.is_c_contiguous():
            shape = ", ".join(map(str, self.network.input_shape))
            raise SparsenetError(f"expected input of shape (B, {shape}) in C order, got {tuple(given.shape)}")
        wanted = len(given), *self.network.output_shape
        y = cuda.device_array(wanted, FLOAT32) if out is None else on_device(out)
        _check_out(y, wanted, y.is_c_contiguous())
        tripped = np.zeros(len(given), bool)
        with self._turn:
            for part in self._parts(len(given)):
                y[part].copy_to_device(self._run(given[part]).result)
                tripped[part] = self._tripped(len(given[part]))
        if tripped.any():
            answers = y.copy_to_host()
            rows = answers.reshape(len(given), prod(wanted[1:]))
            self._answer_by_reference(given.copy_to_host(), rows, tripped)
            y.copy_to_device(answers)
        return y if out is None else out

    def _answer_by_reference(self, x: FloatArray, rows: FloatArray, tripped: npt.NDArray[np.bool_]) -> None:
        net = self.network
        answer_by_reference(net, {net.input: x}, {net.output: rows}, np.flatnonzero(tripped))

    def _parts(self, samples: int) -> Iterator[slice]:
        """Cut so many samples into parts that the memory on the device has room for."""
        return (slice(start, min(start + self.batch, samples)) for start in range(0, samples, self.batch))

    def _run(self, x: Any) -> Calls:
        samples = len(x)
        if samples not in self._calls:
            self._calls[samples] = self._bound(samples)
        calls = self._calls[samples]
        calls.source.copy_to_device(x)
        for start in calls.launches:
            start()
        return calls

    def _bound(self, samples: int) -> Calls:
        """Bind every step to the places of its arguments for so many samples."""
        from sparsenet_kernels.cuda.launch import prepared

        launches = tuple(prepared(step.kernel, self._arguments(step, samples)) for step in self.steps)
        source, result = self._ends
        return Calls(
            self._seen(source, (samples, *self.network.input_shape)),
            launches,
            self._seen(result, (samples, *self.network.output_shape)),
        )

    def _arguments(self, step: DeviceStep, samples: int) -> list[Any]:
        pairs = zip(step.kernel.arguments, step.arguments, strict=True)
        return [self._argument(declared, value, samples) for declared, value in pairs]

    def _argument(self, declared: Declared, value: Argument, samples: int) -> Any:
        if isinstance(value, View):
            return self._seen(value.buffer, _whole_shape(value, samples), declared.numpy_dtype)
        return self._constants[id(value)] if isinstance(value, np.ndarray) else value

    def _seen(self, buffer: Buffer, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
        from sparsenet_kernels.cuda.api import carve

        return carve(self._memory, buffer.offset_bytes, shape, dtype)

    @property
    def kernels(self) -> dict[str, str]:
        """The kernel of each layer with weights: what :func:`sparsenet.compile` takes to make this plan again."""
        return {choice.layer: choice.kernel for choice in self.plan}

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights and biases on the device."""
        return sum(constant.nbytes for constant in self._constants.values())

    def explain(self) -> "Table":
        """Return a table of what runs for each layer, and why."""
        from sparsenet.tables import plan_table

        return plan_table(self)

    def __rich__(self) -> "Table":
        return self.explain()

    def _repr_html_(self) -> str:
        from sparsenet.tables import as_html

        return as_html(self)

    def __repr__(self) -> str:
        scratch = prod(self._memory.shape)
        return f"<CudaEngine for {self.network!r}: {len(self.steps)} launches, batch {self.batch}, {scratch:,} bytes>"

    def __reduce__(self) -> tuple[Callable[..., "CudaEngine"], tuple[Any, ...]]:
        """Pickle the network and the settings; whoever unpickles compiles for their own device."""
        return compile_for_cuda, (self.network, self.batch, self.kernels)


def _check_launches(steps: tuple[DeviceStep, ...], batch: int) -> None:
    """Raise CompileError where a whole batch takes more blocks than a launch can have."""
    from sparsenet_kernels.cuda.launch import sizes_of

    for step in steps:
        shapes = [_whole_shape(value, batch) for value in step.arguments]
        try:
            sizes_of(step.kernel, shapes)
        except IndexRangeError as error:
            raise CompileError(f"layer {step.layer!r}: {error}") from None


def _whole_shape(value: Argument, batch: int) -> tuple[int, ...]:
    if isinstance(value, View):
        return (batch, *value.shape) if value.buffer.per_sample else value.shape
    return value.shape if isinstance(value, np.ndarray) else ()


def _check_out(out: Any, shape: tuple[int, ...], in_c_order: bool) -> None:
    if out.dtype != FLOAT32 or tuple(out.shape) != shape or not in_c_order:
        raise SparsenetError(
            f"expected out of shape {shape}, float32 in C order, got {out.dtype} of {tuple(out.shape)}"
        )


def compile_for_cuda(network: Network, batch: int, forced: Mapping[str, str]) -> CudaEngine:
    """Put a network on the current GPU.

    Parameters
    ----------
    network : Network
    batch : int
        Samples that go through together.
    forced : mapping of str to str
        Kernels to use instead of those that have the fewest multiplications, by layer.

    Raises
    ------
    CompileError
        When there is no GPU, or no way to it, or the network cannot run there.
    """
    from sparsenet_kernels.cuda.api import missing

    if why := missing():
        raise CompileError(
            f"expected a CUDA GPU for device='cuda', got none ({why}); it takes an NVIDIA GPU, its driver, and "
            "numba-cuda: pip install sparsenet[gpu]. NUMBA_ENABLE_CUDASIM=1 simulates a GPU, slowly"
        )
    return CudaEngine(network, batch, forced)
