"""The draft of a program: its steps, its buffers, and the layer that is being lowered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sparsenet.lowering.arena import Buffer, aligned_copy
from sparsenet_kernels.arguments import DTYPES
from sparsenet_kernels.registry import Kernel, kernels

__all__ = ["Argument", "Arguments", "Draft", "Step", "View", "emit", "scratch"]

ITEM_BYTES = {name: np.dtype(dtype).itemsize for name, (_, dtype) in DTYPES.items()}


@dataclass(frozen=True, eq=False)
class View:
    """A buffer seen in a shape; the samples' axis is left out."""

    buffer: Buffer
    shape: tuple[int, ...]


T = TypeVar("T")
Argument = View | npt.NDArray[np.generic] | int
Arguments = dict[str, Argument]
"""What a kernel is given, by the names of its arguments."""


@dataclass(frozen=True, eq=False)
class Step:
    """One kernel with its arguments, in its order, and the layer it is run for."""

    kernel: Kernel
    arguments: tuple[Argument, ...]
    layer: str


@dataclass(eq=False)
class Draft:
    """The draft of a program: its steps, its buffers, the layer that is being lowered."""

    batch: int
    packs: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    layer: str = ""

    def buffer(self, *shape: int, per_sample: bool = True, item_bytes: int = 4) -> Buffer:
        """Ask for scratch memory."""
        buffer = Buffer(prod(shape) * item_bytes, per_sample, len(self.steps), len(self.steps))
        self.buffers.append(buffer)
        return buffer

    def once(self, pack: Callable[..., T], *arguments: Any, **settings: Any) -> T:
        """Pack this layer's weights, or reuse them from an earlier draft of a program for this layer.

        Settings, unlike arguments, make a difference to what is recalled.
        """
        key = self.layer, f"{pack.__name__}{settings}"
        if key not in self.packs:
            self.packs[key] = pack(*arguments, **settings)
        packed: T = self.packs[key]
        return packed


def scratch(draft: Draft, *shape: int, item_bytes: int = 4) -> View:
    """Ask for scratch memory, once for all samples; of 32-bit numbers where nothing else is said."""
    return View(draft.buffer(*shape, per_sample=False, item_bytes=item_bytes), shape)


def emit(draft: Draft, kernel: str, given: Mapping[str, Argument]) -> None:
    """Append a step. Its buffers stay in use until this step; its arrays are kept, aligned to cache lines.

    Parameters
    ----------
    draft : Draft
    kernel : str
    given : mapping of str to View, array or int
        By the names of the kernel's arguments: all of them, and no others. What a step sees of a buffer must be all of
        it: a view of another size would find the second sample elsewhere.
    """
    record, number, kept = kernels()[kernel], len(draft.steps), []
    for declared in record.arguments:
        argument = given.get(declared.name)
        if isinstance(argument, View):
            seen = prod(argument.shape) * ITEM_BYTES.get(declared.dtype, 0)
            owned = argument.buffer.sample_bytes
            assert seen == owned, f"{kernel}: {declared} sees {seen} bytes a sample of {owned}"
            argument.buffer.last = number
        elif isinstance(argument, np.ndarray):
            argument = aligned_copy(argument)
        assert argument is not None, _misnamed(record, given)
        kept.append(argument)
    assert len(given) == len(kept), _misnamed(record, given)
    draft.steps.append(Step(record, tuple(kept), draft.layer))


def _misnamed(kernel: Kernel, given: Mapping[str, Argument]) -> str:
    """Name the arguments that are missing, and those that the kernel does not have."""
    names = [declared.name for declared in kernel.arguments]
    missing = ", ".join(name for name in names if name not in given) or "none"
    unknown = ", ".join(name for name in given if name not in names) or "none"
    return f"{kernel.name}: expected the arguments {', '.join(names)}; missing: {missing}; unknown: {unknown}"
