"""How large the values of a network can become: a bound for every layer, and the layers whose values must be watched.

Inputs of at most ``limit`` are carried through the network as a bound: no value, and no sum on the way to it, is
larger. Where the bound would leave float32, the layer's values are watched while the network runs, and the bound
begins again:

    input           conv1       conv2       add         conv3          fc
    at most 2**80   2**87       2**93       2**94       2**128 ✗       2**88
                                                        watched:
                                                        at most 2**80

A watch sees everything that went wrong in its layer: what left float32 in a sum stays infinite, or becomes NaN, up to
the sum's end. So inputs within the limit and silent watches prove that every value is a number that float32 can hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log, prod
from typing import Any

import numpy as np

from sparsenet.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Dequantize,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Layer,
    Linear,
    LogSoftmax,
    MaxPool2d,
    Quantize,
    QuantizedConv2d,
    QuantizedLinear,
    ReLU,
    Reshape,
    Softmax,
    as_pair,
)
from sparsenet.network import INPUT, Network
from sparsenet.passes.fold_batchnorm import batch_norm_affine
from sparsenet.shapes import Shape

__all__ = ["Growth", "Ranges", "growth", "ranges_of"]

LARGEST = float(np.finfo(np.float32).max)

SAFE = 2.0**127
"""Bounds stay below this, half of what float32 can hold."""

LIMITS = (LARGEST, *(2.0**exponent for exponent in range(120, 39, -10)))
"""What inputs and watched values may be at most, the best first. Values beyond 2**40 = 1e12 are not met in networks that
work; where they are met, the reference answers, slowly."""

BYTE = 255.0


@dataclass(frozen=True)
class Growth:
    """What a layer makes of inputs of at most b.

    Attributes
    ----------
    gain, shift : float
        No value that it gives is larger than ``gain * b + shift``.
    peak : float
        No sum on the way is larger than ``peak * b + shift``; where it is not said, ``gain`` says it.
    """

    gain: float = 1.0
    shift: float = 0.0
    peak: float = 0.0

    def rounded(self, terms: float) -> "Growth":
        """Allow for the rounding of so many float32 operations, and of two more."""
        more = 1 + (terms + 2) * 2.0**-23
        return Growth(self.gain * more, self.shift * more, self.peak * more)


@dataclass(frozen=True)
class Ranges:
    """Where a network's values are looked at.

    Attributes
    ----------
    limit : float
        The largest input, and the largest value that a watch lets pass.
    watched : tuple of str
        The layers whose values are watched, in the order in which they are computed.
    """

    limit: float
    watched: tuple[str, ...]


def ranges_of(net: Network) -> Ranges:
    """Find the fewest layers to watch, and the largest limit with which these suffice.

    Parameters
    ----------
    net : Network

    Examples
    --------
    >>> ranges_of(Network.sequential((2,), [Linear([[3e38, 3e38]])])).watched
    ('linear1',)
    >>> ranges_of(Network.sequential((2,), [Linear([[3.0, 4.0]])]))
    Ranges(limit=1.329227995784916e+36, watched=())
    """
    growths = {
        node.name: growth(node.layer, tuple(net.shapes[source] for source in node.inputs)) for node in net.nodes
    }
    best: Ranges | None = None
    for limit in LIMITS:
        found = Ranges(limit, _watched(net, growths, limit))
        if best is None or len(found.watched) < len(best.watched):
            best = found
        if not best.watched:
            break
    assert best is not None
    return best


def _watched(net: Network, growths: dict[str, Growth], limit: float) -> tuple[str, ...]:
    """List the layers where a bound that begins at ``limit`` would leave float32; behind them it begins again."""
    bounds, watched = {INPUT: limit}, []
    for node in net.nodes:
        given = [bounds[source] for source in node.inputs]
        most = sum(given) if isinstance(node.layer, Add) else max(given)
        grown = growths[node.name]
        bound = grown.gain * most + grown.shift
        # what cannot grow is within float32 as its inputs are; what can is kept away from the end
        if max(bound, grown.peak * most + grown.shift) > (SAFE if grown != UNCHANGED else LARGEST):
            watched.append(node.name)
            bound = min(bound, limit)
        bounds[node.name] = bound
    return tuple(watched)


def growth(layer: Layer, shapes: tuple[Shape, ...]) -> Growth:
    """Bound what a layer makes of its inputs; of several inputs, Add takes the sum of bounds, others the largest.

    Parameters
    ----------
    layer : Layer
    shapes : tuple of tuple of int
        Of its inputs, without the batch axis.

    Examples
    --------
    >>> growth(LogSoftmax(), ((1,),)).gain > 2
    True
    """
    return _GROWTH[type(layer)](layer, shapes)


UNCHANGED = Growth()


def _unchanged(layer: Layer, shapes: tuple[Shape, ...]) -> Growth:
    return UNCHANGED


def _bytes(layer: Layer, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=0.0, shift=BYTE)


def _weighted(layer: Conv2d | Linear, shapes: tuple[Shape, ...]) -> Growth:
    bias = 0.0 if layer.bias is None else float(np.abs(layer.bias).max())
    return Growth(float(_row_sums(layer.weight).max()), bias).rounded(layer.weight[0].size)


def _row_sums(weight: Any) -> Any:
    """Add up the sizes of each output's weights."""
    rows = weight.reshape(len(weight), -1)
    return sum(
        np.abs(rows[:, start : start + 4096].astype(np.float64)).sum(1) for start in range(0, rows.shape[1], 4096)
    )


def _quantized_linear(layer: QuantizedLinear, shapes: tuple[Shape, ...]) -> Growth:
    most = BYTE * _row_sums(layer.weight) * layer.scale + np.abs(layer.bias.astype(np.float64))
    return Growth(gain=0.0, shift=float(most.max())).rounded(1)


def _dequantize(layer: Dequantize, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=0.0, shift=BYTE * layer.scale).rounded(1)


def _batch_norm(layer: BatchNorm, shapes: tuple[Shape, ...]) -> Growth:
    scale, shift = batch_norm_affine(layer)
    return Growth(float(np.abs(scale).max()), float(np.abs(shift).max())).rounded(2)


def _avg_pool(layer: AvgPool2d, shapes: tuple[Shape, ...]) -> Growth:
    window = prod(as_pair(layer.kernel))
    return Growth(peak=float(window)).rounded(window)


def _global_avg_pool(layer: GlobalAvgPool2d, shapes: tuple[Shape, ...]) -> Growth:
    window = prod(shapes[0][1:])
    return Growth(peak=float(window)).rounded(window)


def _add(layer: Add, shapes: tuple[Shape, ...]) -> Growth:
    return Growth().rounded(len(shapes))


def _softmax(layer: Softmax, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(gain=0.0, shift=1.0)  # differences and exponentials are float64


def _log_softmax(layer: LogSoftmax, shapes: tuple[Shape, ...]) -> Growth:
    return Growth(2.0, log(shapes[0][0])).rounded(1)


_GROWTH: dict[type, Callable[[Any, tuple[Shape, ...]], Growth]] = {
    Add: _add,
    AvgPool2d: _avg_pool,
    BatchNorm: _batch_norm,
    Concat: _unchanged,
    Conv2d: _weighted,
    Dequantize: _dequantize,
    Flatten: _unchanged,
    GlobalAvgPool2d: _global_avg_pool,
    KWinners: _unchanged,
    Linear: _weighted,
    LogSoftmax: _log_softmax,
    MaxPool2d: _unchanged,
    Quantize: _bytes,
    QuantizedConv2d: _bytes,
    QuantizedLinear: _quantized_linear,
    ReLU: _unchanged,
    Reshape: _unchanged,
    Softmax: _softmax,
}
