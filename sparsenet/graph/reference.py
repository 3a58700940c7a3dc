"""What a network means: every layer evaluated by the reference operations, in float64.

Bytes and the sums of them are whole numbers below 2**53, which float64 holds and adds exactly: what is said here of
quantised layers is exact.
"""

from math import prod

import numpy as np
import numpy.typing as npt

from sparsenet.errors import RangeError, SparsenetError
from sparsenet.given import real_array
from sparsenet.graph.network import INPUT, Network
from sparsenet.ops import Layer, operation_of

__all__ = ["LEAVES_FLOAT32", "evaluate", "evaluate_layer", "evaluate_within", "leaving"]

Array = npt.NDArray[np.float64]

LEAVES_FLOAT32 = 2.0**128 - 2.0**103
"""The least number that rounding to float32 makes infinite."""


def evaluate(net: Network, x: npt.ArrayLike) -> dict[str, Array]:
    """Compute the value of every node.

    Parameters
    ----------
    net : Network
    x : array (B, *input_shape)

    Returns
    -------
    dict of str to array (B, *shape), float64
        By node name, the input included.

    Raises
    ------
    SparsenetError
        When ``x`` has another shape, or holds NaN or infinity.
    TypeError
        When ``x`` does not hold real numbers.
    RangeError
        When a value leaves float64.
    """
    values = {INPUT: _checked_input(net, x)}
    with np.errstate(over="ignore", invalid="ignore"):  # found below, with the layer's name
        for node in net.nodes:
            value = evaluate_layer(node.layer, *(values[source] for source in node.inputs))
            if not np.isfinite(value).all():
                sample = int(np.argwhere(~np.isfinite(value))[0][0])
                raise RangeError(f"layer {node.name!r}: a value leaves float64 in sample {sample}; {SCALE_DOWN}")
            values[node.name] = value
    return values


SCALE_DOWN = "scale the weights or the inputs down"


def evaluate_within(net: Network, x: npt.NDArray[np.float32], number: int) -> Array:
    """Compute what a network gives for one sample, as long as float32 can hold the value of every layer.

    Parameters
    ----------
    net : Network
    x : array (*input_shape)
    number : int
        What the error calls the sample.

    Raises
    ------
    RangeError
        When it cannot; the message names the first such layer.
    """
    values = {INPUT: x[None].astype(np.float64)}
    for node in net.nodes:
        value = evaluate_layer(node.layer, *(values[source] for source in node.inputs))
        if error := leaving(node.name, value, number):
            raise error
        values[node.name] = value
    return values[net.output]


def leaving(layer: str, value: Array, first: int = 0) -> RangeError | None:
    """Return the error that names a layer whose value (B, ...) leaves float32; samples count from ``first``."""
    largest = np.abs(value).reshape(len(value), prod(value.shape[1:])).max(axis=1, initial=0.0)
    if largest.max(initial=0.0) < LEAVES_FLOAT32:
        return None
    sample = int(np.argmax(largest >= LEAVES_FLOAT32))
    size, where = f"about {largest[sample]:.0e}", f"in sample {first + sample}"
    return RangeError(f"layer {layer!r}: a value leaves float32 ({size}) {where}; {SCALE_DOWN}")


def _checked_input(net: Network, x: npt.ArrayLike) -> Array:
    array = np.asarray(real_array(x), np.float64)
    if array.shape[1:] != net.input_shape or array.ndim != len(net.input_shape) + 1:
        raise SparsenetError(f"expected input of shape (B, {', '.join(map(str, net.input_shape))}), got {array.shape}")
    if not np.isfinite(array).all():
        raise SparsenetError("expected finite input, got NaN or infinity")
    return array


def evaluate_layer(layer: Layer, *inputs: Array) -> Array:
    """Compute one layer, in float64, for inputs (B, *shape)."""
    return operation_of(layer).reference(layer, *inputs)
