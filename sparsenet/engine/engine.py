"""The engine: a compiled network that is called like a function."""

from collections import deque
from collections.abc import Callable, Mapping
from math import prod
from sys import maxsize
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from sparsenet.engine.again import compile_again, cpu_kind
from sparsenet.engine.by_name import addresses_of, ends_of, kept_inputs, new_outputs, samples_in, shaped
from sparsenet.engine.drivers import Scratch, parallel_for, serial_for
from sparsenet.engine.program import Program
from sparsenet.engine.recovery import settled
from sparsenet.engine.threads import parallel_turn
from sparsenet.errors import SparsenetError
from sparsenet.given import real_array
from sparsenet.graph.given import by_name
from sparsenet.graph.network import Network
from sparsenet.graph.parts import is_one_to_one
from sparsenet.lowering.choose import Choice
from sparsenet_kernels.driver import FINISHED, program_table
from sparsenet_kernels.step_abi import address_of

if TYPE_CHECKING:
    from rich.table import Table

    from sparsenet.explain.explanation import Explanation
    from sparsenet.explain.profile import Profile

__all__ = ["Engine", "FloatArray", "converted"]

FloatArray = npt.NDArray[np.float32]
Arrays = Mapping[str, npt.NDArray[Any]]
FLOAT32 = np.dtype(np.float32)

NO_SHAPE = (-1,)
"""That of no array: calls of networks with several inputs or outputs go by name."""


class Engine:
    """A network, planned, packed and compiled for this machine. Make one with :func:`sparsenet.compile`.

    Call it with an array (B, *input_shape) to get an array (B, *output_shape), float32; where the network has several
    inputs, with all of them by name, and where it has several outputs, to get a dict of them. Several threads may call
    one engine at once, and a forked child may go on using it.

    Attributes
    ----------
    network : Network
        The network as it was given.
    batch : int
        The batch that it was planned for; calls may have fewer samples, or more.
    threads : int
        Cores that one call may use.
    plan : tuple of Choice
        The kernel and format of each layer with weights, and why.
    program : Program
        The steps that one call runs.
    """

    __slots__ = (
        "__weakref__",
        "_alone",
        "_by_name",
        "_chunk",
        "_input_shape",
        "_output_shape",
        "_outputs",
        "_parallel",
        "_scratches",
        "_serial",
        "_settings",
        "_settle",
        "_table",
        "_table_address",
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
        settle: Callable[["Engine", int, Arrays, Arrays], None] = settled,
    ) -> None:
        self.network = network
        self.program = program
        self.plan = plan
        self.batch = batch
        self.threads = threads
        # what a call needs, one attribute away: finding it anew took half as long as a small network
        self._by_name = not is_one_to_one(network)
        self._input_shape = NO_SHAPE if self._by_name else network.input_shape
        self._output_shape = NO_SHAPE if self._by_name else network.output_shape
        self._outputs = prod(self._output_shape)
        self._chunk = chunk
        self._alone = maxsize if threads == 1 else chunk
        places = program.inputs[0], program.outputs[0]
        sizes = prod(self._input_shape), self._outputs, chunk, program.scratch_bytes, threads
        table = program_table(program.steps, *places, *sizes, watches=program.watches)
        self._table = ends_of(network, program, table) if self._by_name else table
        self._table_address = address_of(self._table)
        self._scratches: deque[Scratch] = deque()
        axes = None if self._by_name else 1 + len(self._input_shape)
        self._serial = serial_for(axes)
        self._parallel = parallel_for(axes) if threads > 1 else self._serial
        self._settings = settings
        self._settle = settle

    @overload
    def __call__(self, x: npt.ArrayLike, /) -> FloatArray: ...

    @overload
    def __call__(self, x: Mapping[str, npt.ArrayLike], /) -> Any: ...

    @overload
    def __call__(self, /, **inputs: npt.ArrayLike) -> Any: ...

    def __call__(self, x: Any = None, /, **inputs: Any) -> Any:
        """Run the network.

        Parameters
        ----------
        x : array (B, *input_shape), or mapping of str to array
            The only input, or all of them by name. Any real dtype and memory layout; float32 in C order is used as it
            is, anything else is converted. B may be larger than :attr:`batch`: the samples go through in parts, with
            the same bits as in calls of their own.
        **inputs : array (B, *shape)
            The inputs by name, instead. Those of int32 take whole numbers of any dtype, where they fit, and those of
            bool truth values alone.

        Returns
        -------
        array (B, *output_shape), float32
            Of several outputs a dict of such arrays, by name.

        Raises
        ------
        TypeError
            When an input holds other things than it should.
        SparsenetError
            When an input is missing, a shape does not fit, or a number is NaN or infinite.
        RangeError
            When a value inside the network leaves float32; the message names the layer and the sample.
        """
        if inputs or (
            type(x) is not np.ndarray
            or x.dtype is not FLOAT32
            or x.shape[1:] != self._input_shape
            or not x.flags.carray
        ):
            if self._by_name or inputs or isinstance(x, Mapping):
                return self._call_by_name(x, inputs)
            x = converted(x, self._input_shape)
        samples = len(x)
        y = np.empty((samples, self._outputs), FLOAT32)
        try:
            scratch = self._scratches.pop()
        except IndexError:  # all in use by other threads, or none made yet
            scratch = Scratch(self.program.scratch_bytes * self.threads)
        if samples <= self._alone:
            answer = self._serial(x, y, self._table_address, scratch.address)
        else:
            answer = self._share_out(x, y, scratch)
        self._scratches.append(scratch)
        if answer != FINISHED:
            self._settle(self, answer, {self.network.input: x}, {self.network.output: y})
        return y if len(self._output_shape) == 1 else y.reshape(samples, *self._output_shape)

    def _share_out(self, x: Any, y: Any, scratch: Scratch) -> int:
        with parallel_turn() as allowed:
            driver = self._parallel if allowed else self._serial
            return driver(x, y, self._table_address, scratch.address)

    def _call_by_name(self, x: Any, inputs: Mapping[str, Any]) -> Any:
        net, given = self.network, by_name(self.network, x, inputs)
        if not self._by_name:
            return self(given[net.input])
        arrays = kept_inputs(net, given)
        samples = samples_in(arrays)
        y, scratch = new_outputs(net, samples), self._take_scratch()
        addresses = addresses_of(arrays, y)
        run = self._run if samples <= self._alone else self._share_out
        answer = run(address_of(addresses), samples, scratch)
        self._scratches.append(scratch)
        if answer != FINISHED:
            self._settle(self, answer, arrays, y)
        return shaped(net, y)

    def _take_scratch(self) -> Scratch:
        try:
            return self._scratches.pop()
        except IndexError:  # all in use by other threads, or none made yet
            return Scratch(self.program.scratch_bytes * self.threads)

    def _run(self, x: Any, y: Any, scratch: Scratch) -> int:
        answer: int = self._serial(x, y, self._table_address, scratch.address)
        return answer

    def _run_again(self, x: Arrays, y: Arrays) -> int:
        """Run the network on what a call has checked, in the calling thread; return what the driver answers."""
        scratch = Scratch(self.program.scratch_bytes)
        if not self._by_name:
            return self._run(x[self.network.input], y[self.network.output], scratch)
        addresses = addresses_of(x, y)
        return self._run(address_of(addresses), samples_in(y), scratch)

    @property
    def kernels(self) -> dict[str, str]:
        """The kernel of each layer with weights: what :func:`sparsenet.compile` takes to make this plan again."""
        return {choice.layer: choice.kernel for choice in self.plan}

    def explain(self, x: Any = None, *, measure: bool = True, advice: bool = True) -> "Explanation":
        """Say why the network is as fast as it is, layer by layer, and what would help most.

        Parameters
        ----------
        x : array (B, *input_shape), or mapping of str to array, optional
            The only input, or all of them by name, to measure on; samples take turns. Random numbers when left out.
        measure : bool
            Whether every layer is timed, here and with dense kernels; else times are predicted.
        advice : bool
            Whether changes are tried on the cost model.

        Returns
        -------
        Explanation
            A row per layer: kernel, format and fill, times against the dense kernel's, what binds it; it prints as a
            table, and ``to_dict()`` is ready for JSON.
        """
        from sparsenet.explain.explain import explain

        return explain(self, x, measure=measure, advice=advice)

    def profile(self, x: Any = None, /, **inputs: npt.ArrayLike) -> "Profile":
        """Time each step on inputs like ``x`` and hold it against what this core can do.

        Parameters
        ----------
        x, **inputs
            As a call takes them; samples take turns, and there may be more of them than the engine's batch.

        Returns
        -------
        Profile
            Time, multiplications, bytes and share of the core's limits, step by step; it prints as a table.
        """
        from sparsenet.explain.profile import profile

        return profile(self, by_name(self.network, x, inputs))

    def __rich__(self) -> "Table":
        from sparsenet.tables import plan_table

        return plan_table(self)

    def _repr_html_(self) -> str:
        from sparsenet.tables import as_html

        return as_html(self)

    def __repr__(self) -> str:
        size = f"{len(self.program.steps)} steps, batch {self.batch}, {self.threads} threads"
        return f"<Engine for {self.network!r}: {size}>"

    def __reduce__(self) -> tuple[Callable[..., "Engine"], tuple[Any, ...]]:
        """Pickle the network, the settings and the plan; on another kind of CPU it is planned anew."""
        return compile_again, (self.network, dict(self._settings), self.kernels, cpu_kind())


def converted(x: Any, shape: tuple[int, ...]) -> FloatArray:
    """Convert an input to writable float32 in C order, or say what is wrong with it."""
    array = real_array(x)
    if array.ndim != len(shape) + 1 or array.shape[1:] != shape:
        hint = "; add the batch axis: x[None]" if array.shape == shape else ""
        raise SparsenetError(f"expected input of shape (B, {', '.join(map(str, shape))}), got {array.shape}{hint}")
    with np.errstate(over="ignore"):  # what overflows float32 is found with the other infinities
        return np.require(array, np.float32, ["C", "A", "W"])
