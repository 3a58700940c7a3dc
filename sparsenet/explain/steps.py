"""A program's steps one at a time, from Python: what runs, on which arrays, with how many active inputs.

The engine's driver runs all steps in one native call. Here each is called as the driver calls it, on the same tables
and on scratch memory of its own, so that it can be timed and its arrays can be looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.lowering.arena import aligned_scratch
from sparsenet_kernels.forks import kept_property
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.step_abi import SAMPLES, address_of

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["OneStep", "Place", "StepRunner"]

FloatArray = npt.NDArray[np.float32]
RAN = 1
"""What a step answers when all is well."""


@dataclass(frozen=True)
class Place:
    """Where an argument of a step lies: ``start`` is an offset into the scratch, or an address of a constant."""

    in_scratch: bool
    start: int
    shape: tuple[int, ...]
    item_bytes: int

    def size_bytes(self, samples: int) -> int:
        """Bytes for a call with so many samples."""
        return self.item_bytes * prod(self.shape_for(samples))

    def shape_for(self, samples: int) -> tuple[int, ...]:
        """Shape in a call with so many samples."""
        return tuple(samples if size == SAMPLES else size for size in self.shape)

    @property
    def of_samples(self) -> bool:
        """Whether every sample has its own: an input or an output, rather than a weight or a working space."""
        return self.shape[:1] == (SAMPLES,)


@dataclass(frozen=True, eq=False)
class OneStep:
    """One step of a program.

    Attributes
    ----------
    layer : str
        The layer it is run for.
    kernel : Kernel
    places : mapping of str to Place
        The arrays it takes, by the names that the kernel gives them.
    numbers : mapping of str to int
        The integers that it takes.
    run : callable
        Takes the addresses of its table and of the scratch, and the samples.
    table : int
        The address of its argument table.
    """

    layer: str
    kernel: Kernel
    places: Mapping[str, Place]
    numbers: Mapping[str, int]
    run: Callable[[int, int, int], int]
    table: int

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Each array's shape for one sample, and each number as a shape of one, as the cost model takes them."""
        arrays = {name: place.shape[place.of_samples :] for name, place in self.places.items()}
        return arrays | {name: (number,) for name, number in self.numbers.items()}


class StepRunner:
    """An engine's steps with scratch memory for one chunk of samples.

    Parameters
    ----------
    engine : Engine

    Attributes
    ----------
    chunk : int
        Samples that go through the steps together, at most.
    steps : tuple of OneStep
    """

    def __init__(self, engine: "Engine") -> None:
        program = engine.program
        self.chunk = engine._chunk
        self._program = program
        self._scratch = aligned_scratch(program.scratch_bytes)
        self._address = address_of(self._scratch)
        starts = (program.steps[:, 1] - address_of(program.words)) // 8
        self.steps = tuple(
            OneStep(layer, kernel, *_arguments(kernel, program.words[start:]), kernel.step.ctypes, int(address))
            for layer, kernel, start, address in zip(
                program.layers, program.kernels, starts.tolist(), program.steps[:, 1], strict=True
            )
        )

    @kept_property
    def resident_bytes(self) -> int:
        """Bytes that one call touches: all constants, and the scratch."""
        return int(self._program.scratch_bytes + sum(array.nbytes for array in self._program.constants))

    def load(self, x: Mapping[str, npt.NDArray[Any]]) -> None:
        """Put at most ``chunk`` samples of all inputs, in the network's order and dtypes, where steps expect them."""
        for place, array in zip(self._program.inputs, x.values(), strict=True):
            self._scratch[place : place + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)

    def call(self, index: int, samples: int) -> None:
        """Run one step; the steps before it must have been run, in order."""
        step = self.steps[index]
        if step.run(step.table, self._address, samples) != RAN:
            raise RuntimeError(f"{step.kernel.name}: a bounds check failed")

    def result(self, samples: int, size: int) -> FloatArray:
        """Copy the output (samples, size), once all steps have been run."""
        start = self._program.output_bytes
        return self._scratch[start : start + 4 * samples * size].view(np.float32).reshape(samples, size).copy()

    def active_inputs(self, index: int, samples: int) -> tuple[int, int] | None:
        """Count the inputs that a step visits and its lists, both over all samples; None where it skips none.

        A kernel of bytes visits four neighbours as soon as one of them is active. The steps before must have been run.
        """
        step = self.steps[index]
        if "groups" in step.places and "x" in step.places:  # convolutions call something else groups
            x = self._array(step.places["x"], samples)
            return 4 * int(x.reshape(-1, 4).any(axis=1).sum()), len(x)
        place = step.places.get("columns")
        if step.kernel.inputs != "active" or place is None or not place.of_samples:
            return None
        columns = self._array(place, samples)
        ends = np.insert(columns, columns.shape[-1], -1, axis=-1)  # as lists do that are not full; some have no room
        return int((ends >= 0).argmin(axis=-1).sum()), int(np.prod(columns.shape[:-1]))

    def _array(self, place: Place, samples: int) -> npt.NDArray[Any]:
        dtype = {4: np.int32, 2: np.int16, 1: np.uint8}[place.item_bytes]
        raw = self._scratch[place.start : place.start + place.size_bytes(samples)]
        return raw.view(dtype).reshape(place.shape_for(samples))


def _arguments(kernel: Kernel, words: npt.NDArray[np.int64]) -> tuple[dict[str, Place], dict[str, int]]:
    """Read where arrays lie, and integers, from a step's argument table; see :mod:`sparsenet_kernels.step_abi`."""
    places, numbers, position = {}, {}, 0
    for argument in kernel.arguments:
        if not argument.is_array:
            numbers[argument.name] = int(words[position])
            position += 1
            continue
        in_scratch, start, *shape = words[position : position + 2 + len(argument.axes)].tolist()
        item_bytes = np.dtype(argument.numpy_dtype).itemsize
        places[argument.name] = Place(bool(in_scratch), start, tuple(shape), item_bytes)
        position += 2 + len(argument.axes)
    return places, numbers
