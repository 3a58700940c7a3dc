"""How the elements of a sample lie in memory: rows, padding behind them, and the order of axes."""

from dataclasses import dataclass
from math import prod

from sparsenet.ops.geometry import Shape

__all__ = ["CHANNELS_LAST", "LOGICAL", "SAME", "Layout", "layout_of"]

CHANNELS_LAST, LOGICAL = "channels last", "logical"
"""Orders of elements in memory: the first axis innermost, or the last one, as in the sample that a user gives."""

SAME = "same"
"""What a layer asks for that takes either order and keeps it."""


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
