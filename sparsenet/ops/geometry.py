"""Shapes of samples, without the batch axis, and the windows that slide over images."""

from math import prod

from sparsenet.errors import GraphError

__all__ = ["LARGEST_ELEMENTS", "Shape", "image", "same_shape", "window_places"]

Shape = tuple[int, ...]

LARGEST_ELEMENTS = 2**28
"""A sample's activations stay below this, so that kernels may index them with 32 bits: 1 GiB of float32."""


def same_shape(layer: object, shapes: tuple[Shape, ...]) -> Shape:
    """Give the shape of the first input: the rule of layers that work element by element."""
    return shapes[0]


def image(shape: Shape) -> tuple[int, int, int]:
    """Return a shape that must be that of an image (C, H, W)."""
    if len(shape) != 3:
        raise GraphError(f"expected an image of shape (C, H, W), got shape {shape}")
    return shape[0], shape[1], shape[2]


def window_places(
    shape: Shape, reach: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> tuple[int, int]:
    """Count, along each axis, the places of a window that reaches over so many elements."""
    channels, *sizes = image(shape)
    padded = [size + 2 * more for size, more in zip(sizes, padding, strict=True)]
    if channels * prod(padded) > LARGEST_ELEMENTS:
        raise GraphError(f"expected at most {LARGEST_ELEMENTS} elements with the padding {padding}, got shape {shape}")
    if padded[0] < reach[0] or padded[1] < reach[1]:
        raise GraphError(f"expected a padded image of at least {reach}, got shape {shape} with padding {padding}")
    return (padded[0] - reach[0]) // stride[0] + 1, (padded[1] - reach[1]) // stride[1] + 1
