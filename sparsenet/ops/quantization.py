"""Between float32 values and bytes.

A byte stands for a real number by a scale and a zero point, ``real = (byte - zero) * scale``. Weights are int8 and
symmetric. Scales along a chain of convolutions differ by powers of two, so all that happens between the first and the
last quantised layer of a network is arithmetic of whole numbers, which every kernel must get exactly right.

    float32 ── Quantize ──▶ bytes ── QuantizedConv2d ──▶ bytes ── QuantizedLinear or Dequantize ──▶ float32

MaxPool2d, KWinners, Flatten, Reshape and Concat work on bytes as they do on float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparsenet.ops.checks import set_steps
from sparsenet.ops.dtypes import takes
from sparsenet.ops.geometry import Shape, same_shape
from sparsenet.ops.growth import BYTE, Growth, bytes_only
from sparsenet.ops.operation import Array, Operation, Stored
from sparsenet.ops.work import Active, Work, everything

__all__ = ["Dequantize", "Quantize"]


@dataclass(frozen=True, eq=False)
class Quantize:
    """Round float32 values to bytes: ``y = clip(rint(x * (1 / scale)) + zero, 0, 255)``.

    The reciprocal and the product are float32; a product halfway between two integers goes to the even one.

    Parameters
    ----------
    scale : float
        The real size of one step; positive, kept as float32.
    zero : int
        The byte that stands for 0.0, from 0 to 255.

    Raises
    ------
    GraphError
        When the scale is not a positive finite float32, or the zero point not a byte.

    Examples
    --------
    >>> Quantize(1 / 127, zero=128).zero
    128
    """

    scale: float
    zero: int = 0

    def __post_init__(self) -> None:
        set_steps(self)


@dataclass(frozen=True, eq=False)
class Dequantize:
    """Turn bytes back to float32: ``y = (x - zero) * scale``.

    Parameters
    ----------
    scale : float
        The real size of one step; positive, kept as float32.
    zero : int
        The byte that stands for 0.0, from 0 to 255.

    Raises
    ------
    GraphError
        When the scale is not a positive finite float32, or the zero point not a byte.

    Examples
    --------
    >>> Dequantize(0.5).scale
    0.5
    """

    scale: float
    zero: int = 0

    def __post_init__(self) -> None:
        set_steps(self)


def _quantize(layer: Quantize, x: Array) -> Array:
    reciprocal = np.float32(1) / np.float32(layer.scale)
    with np.errstate(over="ignore"):  # infinity is clipped like any other large number
        steps: Array = np.rint(x.astype(np.float32) * reciprocal).astype(np.float64)
    return np.clip(steps + layer.zero, 0, 255)


def _dequantize(layer: Dequantize, x: Array) -> Array:
    return (x - layer.zero) * layer.scale


def _dequantize_growth(layer: Dequantize, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=0.0, shift=BYTE * layer.scale).rounded(1)


def _active(layer: Quantize | Dequantize, given: Sequence[Active], shape: Shape) -> Active:
    return given[0] if layer.zero == 0 else everything(layer, given, shape)  # zeros stay zeros


_STEPS = Stored(("scale", "zero"))

OPERATIONS = (
    Operation(
        Quantize,
        same_shape,
        _quantize,
        dtype=takes("float32", "uint8"),
        growth=bytes_only,
        work=Work(_active),
        stored=_STEPS,
    ),
    Operation(
        Dequantize,
        same_shape,
        _dequantize,
        dtype=takes("uint8", "float32"),
        growth=_dequantize_growth,
        work=Work(_active),
        stored=_STEPS,
    ),
)
