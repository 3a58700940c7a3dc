"""Pooling: the largest value or the mean of each window of an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

from sparsenet.ops.checks import Pair, as_pair, set_window
from sparsenet.ops.dtypes import floats_or_bytes
from sparsenet.ops.geometry import Shape, image, window_places
from sparsenet.ops.growth import Growth
from sparsenet.ops.operation import Array, Operation, Stored
from sparsenet.ops.work import Active, Work, anywhere
from sparsenet_kernels import reference

__all__ = ["AvgPool2d", "GlobalAvgPool2d", "MaxPool2d"]


@dataclass(frozen=True, eq=False)
class MaxPool2d:
    """Take the largest value of each window; padding never wins.

    Parameters
    ----------
    kernel : int or (int, int)
    stride : int or (int, int), optional
        The kernel's size when left out.
    padding : int or (int, int)
        At most half the kernel.
    """

    kernel: Pair
    stride: Pair | None = None
    padding: Pair = 0

    def __post_init__(self) -> None:
        set_window(self)


@dataclass(frozen=True, eq=False)
class AvgPool2d:
    """Take the mean of each window; padding counts as zeros, as torch's default has it.

    Parameters
    ----------
    kernel : int or (int, int)
    stride : int or (int, int), optional
        The kernel's size when left out.
    padding : int or (int, int)
        At most half the kernel.
    """

    kernel: Pair
    stride: Pair | None = None
    padding: Pair = 0

    def __post_init__(self) -> None:
        set_window(self)


@dataclass(frozen=True, eq=False)
class GlobalAvgPool2d:
    """Take the mean of each channel: (C, H, W) to (C, 1, 1)."""


def _shape(layer: MaxPool2d | AvgPool2d, shapes: tuple[Shape, ...]) -> Shape:
    kernel, stride, padding = as_pair(layer.kernel), as_pair(layer.stride), as_pair(layer.padding)
    return (image(shapes[0])[0], *window_places(shapes[0], kernel, stride, padding))


def _global_shape(layer: GlobalAvgPool2d, shapes: tuple[Shape, ...]) -> Shape:
    return (image(shapes[0])[0], 1, 1)


def _largest(layer: MaxPool2d, x: Array) -> Array:
    return reference.max_pool2d(x, as_pair(layer.kernel), as_pair(layer.stride), as_pair(layer.padding))


def _mean(layer: AvgPool2d, x: Array) -> Array:
    return reference.avg_pool2d(x, as_pair(layer.kernel), as_pair(layer.stride), as_pair(layer.padding))


def _global_mean(layer: GlobalAvgPool2d, x: Array) -> Array:
    return reference.global_avg_pool2d(x)


def _mean_growth(layer: AvgPool2d, shapes: tuple[Shape, ...]) -> Growth:
    window = prod(as_pair(layer.kernel))
    return Growth(peak=float(window)).rounded(window)


def _global_mean_growth(layer: GlobalAvgPool2d, shapes: tuple[Shape, ...]) -> Growth:
    window = prod(shapes[0][1:])
    return Growth(peak=float(window)).rounded(window)


def _active(layer: MaxPool2d | AvgPool2d, given: Sequence[Active], shape: Shape) -> Active:
    """Spread winners over windows: one lies in each that covers it; a window holds those of all its positions."""
    kernel, stride = as_pair(layer.kernel), as_pair(layer.stride)
    windows = ceil(kernel[0] / stride[0]) * ceil(kernel[1] / stride[1])
    return Active(given[0].elements * windows, given[0].channels * kernel[0] * kernel[1])


_WINDOW = Stored(("kernel", "stride", "padding"))

OPERATIONS = (
    Operation(MaxPool2d, _shape, _largest, dtype=floats_or_bytes, work=Work(_active), stored=_WINDOW),
    Operation(AvgPool2d, _shape, _mean, growth=_mean_growth, work=Work(_active), stored=_WINDOW),
    Operation(GlobalAvgPool2d, _global_shape, _global_mean, growth=_global_mean_growth, work=Work(anywhere)),
)
