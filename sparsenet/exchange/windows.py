"""Read the settings of sliding windows as frameworks describe them: padding by sides or by name."""

from collections.abc import Sequence
from typing import Any

from sparsenet.exchange.call import Call, Pair
from sparsenet.exchange.problems import unsupported

__all__ = ["onnx_padding", "same_padding", "two_sizes"]


def same_padding(kernel: Sequence[int], dilation: Pair) -> Pair:
    """Return the padding "same" of a stride of one, half of what the filter reaches over on each side.

    Examples
    --------
    >>> same_padding((5, 3), (1, 1))
    (2, 1)
    """
    reach = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
    if any(size % 2 for size in reach):
        raise unsupported(
            'padding "same" that is alike on both sides',
            f"a kernel of {tuple(kernel)} with dilation {dilation}; pad by hand",
        )
    return reach[0] // 2, reach[1] // 2


def two_sizes(name: str, value: Any, default: int = 1) -> Pair:
    """Read ONNX's list of a size for each of two directions.

    Examples
    --------
    >>> two_sizes("strides", [2, 1]), two_sizes("strides", None)
    ((2, 1), (1, 1))
    """
    if value is None:
        return default, default
    if len(value) != 2:
        raise unsupported("windows in two dimensions", f"{name}={tuple(value)}")
    return int(value[0]), int(value[1])


def onnx_padding(call: Call, auto_pad: str, pads: Sequence[int] | None, reach: Pair, stride: Pair) -> Pair:
    """Turn ONNX's padding, by sides or by name, into one number for each direction.

    Parameters
    ----------
    call : Call
        Its samples are images.
    auto_pad : {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"}
    pads : sequence of four int, optional
        Top, left, bottom, right.
    reach : (int, int)
        Of the window, with its dilation.
    stride : (int, int)
    """
    if auto_pad == "VALID":
        return 0, 0
    if auto_pad == "NOTSET":
        top, left, bottom, right = (0, 0, 0, 0) if pads is None else pads
    elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        needed = [_needed(*sizes) for sizes in zip(call.shape[1:], reach, stride, strict=True)]
        (top, left), (bottom, right) = ([size // 2 for size in needed], [size - size // 2 for size in needed])
        call.note(f"auto_pad {auto_pad} is {(top, left)} here")
    else:
        raise unsupported("auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER", repr(auto_pad))
    if (top, left) != (bottom, right):
        raise unsupported("padding that is alike on both sides", f"pads {(top, left, bottom, right)}; pad by hand")
    return int(top), int(left)


def _needed(size: int, reach: int, stride: int) -> int:
    places = -(-size // stride)
    return max(0, (places - 1) * stride + reach - size)
