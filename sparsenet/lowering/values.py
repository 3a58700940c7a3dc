"""Values on their way through a network, in whichever forms kernels have written or need them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sparsenet.lowering.arena import Buffer, aligned_copy
from sparsenet_kernels.registry import Kernel, kernels

__all__ = [
    "Argument",
    "Arguments",
    "Draft",
    "Lists",
    "Step",
    "Value",
    "View",
    "active_lists",
    "dense_buffer",
    "emit",
    "logical_buffer",
    "scratch",
]


@dataclass(frozen=True, eq=False)
class View:
    """A buffer seen in a shape; the samples' axis is left out."""

    buffer: Buffer
    shape: tuple[int, ...]


T = TypeVar("T")
Argument = View | npt.NDArray[np.generic] | int
Arguments = tuple[Argument, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """One kernel with its arguments, and the layer it is run for."""

    kernel: Kernel
    arguments: tuple[Argument, ...]
    layer: str


@dataclass(eq=False)
class Draft:
    """A program while it is written: its steps, its buffers, the layer that is being lowered."""

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
        """Pack this layer's weights, or recall how they were packed when another program for it was written.

        Settings, unlike arguments, make a difference to what is recalled.
        """
        key = self.layer, f"{pack.__name__}{settings}"
        if key not in self.packs:
            self.packs[key] = pack(*arguments, **settings)
        packed: T = self.packs[key]
        return packed


@dataclass(frozen=True, eq=False)
class Lists:
    """Active lists: for each row of a sample, at most ``width`` columns and values."""

    columns: Buffer
    values: Buffer
    width: int


@dataclass(eq=False)
class Value:
    """What a layer gave: ``rows`` positions of ``channels`` each, lying channels last.

    Attributes
    ----------
    rows, channels : int
        H * W and C for an image; 1 and the number of elements for anything else.
    dense, lists : Buffer, Lists or None
        The forms that have been written so far; one of them, or ``origin``, is there.
    origin : Value or None
        The image that this vector is the flattened form of. The vector's elements then lie in (H, W, C) order, unlike
        the (C, H, W) order that they have by meaning: readers that mind ask for :func:`logical_buffer`.
    expected : float
        Non-zeros to be expected in a row.
    """

    rows: int
    channels: int
    dense: Buffer | None = None
    lists: Lists | None = None
    origin: "Value | None" = None
    expected: float = -1.0

    def __post_init__(self) -> None:
        if self.expected < 0:
            self.expected = float(self.channels)

    @property
    def turned(self) -> bool:
        """Whether the elements of this vector lie in another order than they have by meaning."""
        return self.origin is not None and self.origin.rows > 1 and self.origin.channels > 1


def scratch(draft: Draft, *shape: int) -> View:
    """Ask for scratch memory of 32-bit numbers, once for all samples."""
    return View(draft.buffer(*shape, per_sample=False), shape)


def emit(draft: Draft, kernel: str, *arguments: Argument) -> None:
    """Append a step; the buffers it names are needed until then, and arrays are kept, each aligned to a cache line.

    What a step sees of a buffer must be all of it: a view of another size would find the second sample elsewhere.
    """
    kept = tuple(aligned_copy(entry) if isinstance(entry, np.ndarray) else entry for entry in arguments)
    step = Step(kernels()[kernel], kept, draft.layer)
    assert len(arguments) == len(step.kernel.arguments), f"{kernel}: {len(arguments)} arguments"
    for argument, declared in zip(arguments, step.kernel.arguments, strict=True):
        if isinstance(argument, View):
            seen = prod(argument.shape) * np.dtype(declared.numpy_dtype).itemsize
            owned = argument.buffer.sample_bytes
            assert seen == owned, f"{kernel}: {declared} sees {seen} bytes a sample of {owned}"
            argument.buffer.last = len(draft.steps)
    draft.steps.append(step)


def dense_buffer(draft: Draft, value: Value) -> Buffer:
    """Return the value in dense form, (rows, channels) a sample; written from its lists where there is none."""
    if value.dense is None and value.origin is not None:
        value.dense = dense_buffer(draft, value.origin)
    if value.dense is None:
        lists = _existing_lists(value)
        value.dense = draft.buffer(value.rows, value.channels)
        emit(
            draft,
            "expand_f32",
            View(lists.columns, (value.rows, lists.width)),
            View(lists.values, (value.rows, lists.width)),
            View(value.dense, (value.rows, value.channels)),
        )
    return value.dense


def active_lists(draft: Draft, value: Value) -> Lists:
    """Return the value as active lists; written where there are none."""
    if value.lists is None:
        origin = value.origin
        if origin is not None and origin.lists is not None:
            value.lists = _flattened(draft, origin, origin.lists)
        else:
            value.lists = _compacted(draft, value)
    return value.lists


def logical_buffer(draft: Draft, value: Value) -> Buffer:
    """Return the value in dense form with its elements in (C, H, W) order."""
    image = value.origin if value.origin is not None else value
    dense = dense_buffer(draft, image)
    if image.rows == 1 or image.channels == 1:
        return dense
    turned = draft.buffer(image.channels, image.rows)
    shape, turned_shape = (image.rows, image.channels), (image.channels, image.rows)
    emit(draft, "swap_axes_f32", View(dense, shape), View(turned, turned_shape))
    return turned


def _existing_lists(value: Value) -> Lists:
    if value.lists is None:
        raise AssertionError("a value without any form")
    return value.lists


def _flattened(draft: Draft, origin: Value, lists: Lists) -> Lists:
    if origin.rows == 1:
        return lists
    width = origin.rows * lists.width
    joined = Lists(draft.buffer(width), draft.buffer(width), width)
    emit(
        draft,
        "flatten_active_f32",
        View(lists.columns, (origin.rows, lists.width)),
        View(lists.values, (origin.rows, lists.width)),
        origin.channels,
        View(joined.columns, (1, width)),
        View(joined.values, (1, width)),
    )
    return joined


def _compacted(draft: Draft, value: Value) -> Lists:
    dense = dense_buffer(draft, value)
    shape = (value.rows, value.channels)
    lists = Lists(draft.buffer(*shape), draft.buffer(*shape), value.channels)
    emit(draft, "compact_f32", View(dense, shape), View(lists.columns, shape), View(lists.values, shape))
    return lists
