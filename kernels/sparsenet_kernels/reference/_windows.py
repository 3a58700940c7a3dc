"""Windows that slide over the last two axes of an image: how many fit, and what they see at each of their taps.

A window of kh x kw taps stands at H' x W' places. Instead of cutting out every window, `taps` yields for each of the
kh * kw taps the image of what that tap sees from all places at once; a convolution sums over these images, a pooling
takes their largest.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Pair = tuple[int, int]


def window_places(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """Count the places of a window along height and width.

        places = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1

    All arguments are (vertical, horizontal). The last place is dropped when the window does not fit whole (floor).

    Raises
    ------
    ValueError
        If a kernel, stride or dilation is below 1, a padding negative, or the window larger than the padded image.
    """
    _check_pairs(1, kernel=kernel, stride=stride, dilation=dilation)
    _check_pairs(0, padding=padding)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    padded = [s + 2 * p for s, p in zip(size, padding, strict=True)]
    if reach[0] > padded[0] or reach[1] > padded[1]:
        raise ValueError(
            f"a window of {reach[0]}x{reach[1]} does not fit an image of {padded[0]}x{padded[1]} (padding included); "
            "use a smaller kernel or dilation, or more padding"
        )
    return (padded[0] - reach[0]) // stride[0] + 1, (padded[1] - reach[1]) // stride[1] + 1


def taps(
    x: NDArray[np.float64], kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, fill: float
) -> Iterator[tuple[Pair, NDArray[np.float64]]]:
    """Yield, for each tap (ky, kx) of the window, what it sees: an array (B, C, H', W').

        seen[b, c, i, j] = x[b, c, i * stride - padding + ky * dilation, likewise j]    or `fill` outside the image

    x  (B, C, H, W)  float64
    """
    (ph, pw), (sh, sw), (dh, dw) = padding, stride, dilation
    places_h, places_w = window_places((x.shape[2], x.shape[3]), kernel, stride, padding, dilation)
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    for ky, kx in np.ndindex(kernel):
        top, left = ky * dh, kx * dw
        seen = padded[:, :, top : top + places_h * sh : sh, left : left + places_w * sw : sw]
        yield (ky, kx), seen


def _check_pairs(least: int, **pairs: Pair) -> None:
    for name, pair in pairs.items():
        if len(pair) != 2 or min(pair) < least:
            raise ValueError(f"expected {name} to be two integers, {least} or more, got {pair}")
