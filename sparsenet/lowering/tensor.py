"""Tensors on their way through a network, in whichever forms kernels have written or need them.

An image lies in rows of channels, one row for each position, so that its first axis is innermost. Samples of tokens may
lie in the order of their axes instead. An operation asks for the order that it wants, by :func:`channels_last` or
:func:`logical`; that emits a step only where the elements lie otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from sparsenet.lowering.arena import Buffer
from sparsenet.lowering.draft import Draft, View, emit
from sparsenet.ops.geometry import Shape

__all__ = [
    "CHANNELS_LAST",
    "ITEM_BYTES",
    "LOGICAL",
    "Layout",
    "Lists",
    "Tensor",
    "active_lists",
    "channels_last",
    "dense_buffer",
    "from_logical",
    "in_one_order",
    "in_order",
    "layout_of",
    "listed",
    "logical",
]

CHANNELS_LAST, LOGICAL = "channels last", "logical"
"""Orders of elements in memory: the first axis innermost, or the last one, as in the sample that a user gives."""

ITEM_BYTES = {"float32": 4, "int32": 4, "uint8": 1, "bool": 1}


@dataclass(frozen=True)
class Layout:
    """How the elements of one sample lie: ``rows`` of ``channels`` elements each, ``stride`` elements apart.

    Behind the channels of each row there may be padding; nothing else. Who reads, writes or turns elements takes shapes
    from here, so that there is one idea of where the next row begins, and the next sample.

    Attributes
    ----------
    rows, channels, stride : int
    order : str
        :data:`CHANNELS_LAST` or :data:`LOGICAL`; vectors are both, and are called the first.
    image : (int, int) or None
        Of a vector that is a flattened image: the image's rows and channels. Its elements come in the image's order of
        memory, (H, W, C), and not in the order that they have by meaning, (C, H, W).
    """

    rows: int
    channels: int
    stride: int
    order: str = CHANNELS_LAST
    image: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """The shape in memory, padding included."""
        return self.rows, self.stride

    @property
    def elements(self) -> tuple[int, int]:
        """The shape of what is not padding."""
        return self.rows, self.channels

    @property
    def size(self) -> int:
        """How many elements one sample takes, padding included."""
        return self.rows * self.stride


def layout_of(shape: Shape, order: str = CHANNELS_LAST) -> Layout:
    """Return how a sample of this shape lies without padding.

    Examples
    --------
    >>> layout_of((3, 4, 5)).elements, layout_of((3, 4, 5), LOGICAL).elements, layout_of((6,)).elements
    ((20, 3), (12, 5), (1, 6))
    """
    if len(shape) == 1 or order == CHANNELS_LAST:
        return Layout(prod(shape[1:]), shape[0], shape[0])
    return Layout(prod(shape[:-1]), shape[-1], shape[-1], LOGICAL)


@dataclass(frozen=True, eq=False)
class Lists:
    """Active lists: for each row of a sample, at most ``width`` columns and values."""

    columns: Buffer
    values: Buffer
    width: int


@dataclass(eq=False)
class Tensor:
    """What a layer gave.

    Attributes
    ----------
    dtype : str
        "float32", "uint8", "int32" or "bool".
    shape : tuple of int
        Of one sample, by its meaning.
    layout : Layout
        How its dense form lies.
    dense, lists : Buffer, Lists or None
        The forms that have been written so far; one of them, or ``origin``, is there.
    origin : Tensor or None
        The image that this vector is the flattened form of, where forms of it may still be written.
    expected : float
        Non-zeros to be expected in a row of channels; all of them where nothing is said.
    """

    dtype: str
    shape: Shape
    layout: Layout
    dense: Buffer | None = None
    lists: Lists | None = None
    origin: "Tensor | None" = None
    expected: float = -1.0

    def __post_init__(self) -> None:
        if self.expected < 0:
            self.expected = float(self.channels)

    @property
    def rows(self) -> int:
        """How many rows there are by its meaning: one of a vector, however it lies."""
        return prod(self.shape[:-1] if self.layout.order == LOGICAL else self.shape[1:])

    @property
    def channels(self) -> int:
        """How many elements a row has, by its meaning."""
        return self.shape[-1] if self.layout.order == LOGICAL else self.shape[0]

    @property
    def size(self) -> int:
        """How many elements a sample has."""
        return prod(self.shape)

    @property
    def turned(self) -> bool:
        """Whether the elements of this vector lie in another order than they have by meaning."""
        return self.layout.image is not None and 1 not in self.layout.image

    @property
    def view(self) -> View:
        """The dense form as it lies, padding included."""
        assert self.dense is not None, "a tensor whose dense form nobody has written"
        return View(self.dense, self.layout.shape)

    def like(self, dense: Buffer, expected: float = -1.0) -> "Tensor":
        """Return a tensor of the same dtype, shape and layout, in dense form."""
        return Tensor(self.dtype, self.shape, self.layout, dense, expected=expected)


def from_logical(draft: Draft, given: Buffer, shape: Shape, dtype: str = "float32", order: str = LOGICAL) -> Tensor:
    """Return the tensor whose elements lie in the order of their axes, or the same in the order that is asked for."""
    return in_order(draft, Tensor(dtype, shape, layout_of(shape, LOGICAL), given), order)


def in_order(draft: Draft, tensor: Tensor, order: str) -> Tensor:
    """Return the tensor in an order of elements."""
    return logical(draft, tensor) if order == LOGICAL else channels_last(draft, tensor)


def channels_last(draft: Draft, tensor: Tensor) -> Tensor:
    """Return the tensor in rows of its first axis; a flattened image in the order that its elements have by meaning."""
    if tensor.layout.order == LOGICAL:
        channels, rows = tensor.shape[0], prod(tensor.shape[1:])
        dense = _swapped(draft, tensor, channels, rows)
        expected = tensor.expected * tensor.rows / rows
        return Tensor(tensor.dtype, tensor.shape, layout_of(tensor.shape), dense, expected=expected)
    return logical(draft, tensor) if tensor.turned else tensor


def logical(draft: Draft, tensor: Tensor) -> Tensor:
    """Return the tensor with its elements in the order of their axes, the last one innermost."""
    if tensor.layout.order == LOGICAL or (len(tensor.shape) == 1 and not tensor.turned):
        return tensor
    dense = _swapped(draft, tensor, *(tensor.layout.image or (tensor.rows, tensor.channels)))
    layout = layout_of(tensor.shape, LOGICAL)
    return Tensor(
        tensor.dtype, tensor.shape, layout, dense, expected=tensor.expected * tensor.rows / prod(tensor.shape[:-1])
    )


def in_one_order(draft: Draft, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors whose elements lie alike: as they are where all lie in the order of their axes."""
    if all(tensor.layout.order == LOGICAL for tensor in tensors):
        return list(tensors)
    return [channels_last(draft, tensor) for tensor in tensors]


def _swapped(draft: Draft, tensor: Tensor, rows: int, columns: int) -> Buffer:
    """Return a matrix with its axes swapped, which moves nothing where one of them is 1."""
    dense = dense_buffer(draft, tensor)
    if rows == 1 or columns == 1:
        return dense
    assert ITEM_BYTES[tensor.dtype] == 4, f"expected 32-bit numbers to swap axes of, got {tensor.dtype}"
    swapped = draft.buffer(columns, rows)
    emit(draft, "swap_axes_f32", {"x": View(dense, (rows, columns)), "out": View(swapped, (columns, rows))})
    return swapped


def dense_buffer(draft: Draft, tensor: Tensor) -> Buffer:
    """Return the tensor in dense form; written from its lists where there is none."""
    if tensor.dense is None and tensor.origin is not None:
        tensor.dense = dense_buffer(draft, tensor.origin)
    if tensor.dense is None:
        assert tensor.lists is not None, "a tensor without any form"
        lists, rows = tensor.lists, tensor.rows
        tensor.dense = draft.buffer(rows, tensor.channels)
        emit(draft, "expand_f32", listed(lists, rows) | {"out": View(tensor.dense, (rows, tensor.channels))})
    return tensor.dense


def listed(lists: Lists, *rows: int) -> dict[str, View]:
    """Return lists as kernels take them."""
    shape = (*rows, lists.width)
    return {"columns": View(lists.columns, shape), "values": View(lists.values, shape)}


def active_lists(draft: Draft, tensor: Tensor) -> Lists:
    """Return the tensor as active lists; written where there are none."""
    if tensor.lists is None:
        origin = tensor.origin
        if origin is not None and origin.lists is not None:
            tensor.lists = _flattened(draft, origin, origin.lists)
        else:
            tensor.lists = _compacted(draft, tensor)
    return tensor.lists


def _flattened(draft: Draft, origin: Tensor, lists: Lists) -> Lists:
    if origin.rows == 1:
        return lists
    width = origin.rows * lists.width
    joined = Lists(draft.buffer(width), draft.buffer(width), width)
    outputs = {"columns_out": View(joined.columns, (1, width)), "values_out": View(joined.values, (1, width))}
    emit(draft, "flatten_active_f32", {**listed(lists, origin.rows), "channels": origin.channels, **outputs})
    return joined


def _compacted(draft: Draft, tensor: Tensor) -> Lists:
    dense = dense_buffer(draft, tensor)
    shape = (tensor.rows, tensor.channels)
    lists = Lists(draft.buffer(*shape), draft.buffer(*shape), tensor.channels)
    emit(draft, "compact_f32", {"x": View(dense, shape), **listed(lists, tensor.rows)})
    return lists
