"""A program with addresses: the tables that the native driver walks."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsenet.errors import CompileError
from sparsenet.lowering.arena import lay_out
from sparsenet.lowering.draft import Argument, Draft, Step, View
from sparsenet.lowering.lower import Lowered
from sparsenet.machine.available import available_bytes
from sparsenet.machine.cores import usable_cores
from sparsenet.progress import tracked
from sparsenet_kernels.driver import Watches
from sparsenet_kernels.parallel_compile import HELPER_BYTES, compile_together
from sparsenet_kernels.registry import Kernel, KernelCompileError
from sparsenet_kernels.step_abi import address_of, array_words

__all__ = ["Program", "assemble", "compile_kernels", "constant_bytes"]

Words = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Program:
    """The tables that the driver reads, and the arrays that must stay alive while it runs.

    Attributes
    ----------
    steps : array (steps, 2), int64
        The address of each compiled step, and of its arguments in ``words``.
    words : array of int64
        The argument tables of all steps.
    scratch_bytes : int
        Scratch memory that one chunk of samples needs.
    inputs, outputs : tuple of int
        Where in the scratch each input begins, and each output, in bytes, in the network's order.
    watches : Watches
        What its input may be at most, and where its watches write.
    layers : tuple of str
        The layer each step belongs to.
    kernels : tuple of Kernel
        The kernel of each step.
    constants : tuple of array
        Weights and biases, as the kernels read them.
    """

    steps: Words
    words: Words
    scratch_bytes: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    watches: Watches
    layers: tuple[str, ...]
    kernels: tuple[Kernel, ...]
    constants: tuple[npt.NDArray[np.generic], ...]

    @property
    def input_bytes(self) -> int:
        """Where the only input begins."""
        (place,) = self.inputs
        return place

    @property
    def output_bytes(self) -> int:
        """Where the only output begins."""
        (place,) = self.outputs
        return place


def constant_bytes(draft: Draft) -> int:
    """Return the bytes of all weights and biases in the forms that the kernels read."""
    return sum(entry.nbytes for step in draft.steps for entry in step.arguments if isinstance(entry, np.ndarray))


def assemble(lowered: Lowered, chunk: int, progress: bool | None = False) -> Program:
    """Lay out the memory, compile the kernels (or read them from the cache), and write the tables.

    Parameters
    ----------
    lowered : Lowered
    chunk : int
        Samples that go through the steps together.
    progress : bool or None
        Whether to show which kernel is being compiled; None for terminals and notebooks only.
    """
    draft = lowered.draft
    scratch_bytes = lay_out(draft.buffers, chunk)
    compile_kernels((step.kernel for step in draft.steps), progress)
    tables = [_table(step) for step in draft.steps]
    words = np.array([word for table in tables for word in table], np.int64)
    starts = np.cumsum([0, *(len(table) for table in tables)])[:-1]
    addresses = [step.kernel.step.address for step in draft.steps]
    steps = np.array([addresses, address_of(words) + 8 * starts], np.int64).reshape(2, -1).T.copy()
    constants = tuple(entry for step in draft.steps for entry in step.arguments if isinstance(entry, np.ndarray))
    return Program(
        steps,
        words,
        scratch_bytes,
        tuple(source.offset_bytes for source in lowered.sources.values()),
        tuple(result.offset_bytes for result in lowered.results.values()),
        _watches(lowered),
        tuple(step.layer for step in draft.steps),
        tuple(step.kernel for step in draft.steps),
        constants,
    )


def _watches(lowered: Lowered) -> Watches:
    limit, trips = lowered.ranges.limit, lowered.trips
    return Watches(limit) if trips is None else Watches(limit, trips.offset_bytes, len(lowered.ranges.watched))


def compile_kernels(kernels: Iterable[Kernel], progress: bool | None = False) -> None:
    """Compile kernels, or read them from the cache; several at once where many are missing and several cores are there.

    Parameters
    ----------
    kernels : iterable of Kernel
    progress : bool or None
        Whether to show which kernel is being compiled; None for terminals and notebooks only.

    Raises
    ------
    CompileError
        When Numba cannot compile one of them.
    """
    distinct = {kernel.name: kernel for kernel in kernels}.values()
    try:
        for _ in tracked(
            compile_together(distinct, _cores()),
            lambda kernel: f"compiling {kernel.name}",
            progress,
            len(distinct),
        ):
            pass
    except KernelCompileError as error:
        raise CompileError(str(error)) from None


def _cores() -> int:
    """Count the cores that may compile: no more than half of the memory that is left has room for."""
    left_bytes = available_bytes()
    return usable_cores() if left_bytes is None else min(usable_cores(), 1 + left_bytes // (2 * HELPER_BYTES))


def _table(step: Step) -> list[int]:
    return [word for argument in step.arguments for word in _words(argument)]


def _words(argument: Argument) -> list[int]:
    if isinstance(argument, View):
        samples = [-1] if argument.buffer.per_sample else []
        return array_words([*samples, *argument.shape], offset=argument.buffer.offset_bytes)
    if isinstance(argument, np.ndarray):
        return array_words(argument.shape, address=address_of(argument))
    return [argument]
