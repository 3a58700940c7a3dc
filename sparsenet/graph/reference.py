"""Evaluate a network by the reference operations, in float64: this is what a network means.

Bytes and their sums are whole numbers below 2**53, which float64 holds and adds exactly, so the results of quantised
layers are exact.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import RangeError, SparsenetError
from sparsenet.graph.given import by_name, read_inputs
from sparsenet.graph.network import INPUT, Network
from sparsenet.ops import Layer, operation_of

__all__ = ["LEAVES_FLOAT32", "evaluate", "evaluate_layer", "evaluate_within", "leaving"]

Array = npt.NDArray[np.float64]

LEAVES_FLOAT32 = 2.0**128 - 2.0**103
"""The least number that rounding to float32 makes infinite."""


def evaluate(net: Network, x: npt.ArrayLike | Mapping[str, npt.ArrayLike]) -> dict[str, Array]:
    """Compute the value of every node.

    Parameters
    ----------
    net : Network
    x : array (B, *input_shape), or mapping of str to array
        The only input, or all of them by name.

    Returns
    -------
    dict of str to array (B, *shape), float64
        By node name, the inputs included; whole numbers and truth values are exact.

    Raises
    ------
    SparsenetError
        When an input is missing, has another shape, or holds NaN or infinity.
    TypeError
        When an input holds other things than its dtype says.
    RangeError
        When a value leaves float64.
    """
    values = _checked_inputs(net, x)
    with np.errstate(over="ignore", invalid="ignore"):  # found below, with the layer's name
        for node in net.nodes:
            value = evaluate_layer(node.layer, *(values[source] for source in node.inputs))
            if not np.isfinite(value).all():
                sample = int(np.argwhere(~np.isfinite(value))[0][0])
                raise RangeError(f"layer {node.name!r}: a value leaves float64 in sample {sample}; {SCALE_DOWN}")
            values[node.name] = value
    return values


SCALE_DOWN = "scale the weights or the inputs down"


def evaluate_within(net: Network, sample: Mapping[str, npt.NDArray[Any]], number: int) -> dict[str, Array]:
    """Compute what a network gives for one sample, as long as float32 can hold the value of every layer.

    Parameters
    ----------
    net : Network
    sample : mapping of str to array (*shape)
        The inputs, by name.
    number : int
        What the error calls the sample.

    Returns
    -------
    dict of str to array (1, *shape), float64
        The outputs, by name.

    Raises
    ------
    RangeError
        When it cannot; the message names the first such layer.
    """
    values = {name: given[None].astype(np.float64) for name, given in sample.items()}
    for node in net.nodes:
        value = evaluate_layer(node.layer, *(values[source] for source in node.inputs))
        if error := leaving(node.name, value, number):
            raise error
        values[node.name] = value
    return {name: values[name] for name in net.outputs}


def leaving(layer: str, value: Array, first: int = 0) -> RangeError | None:
    """Return the error that names a layer whose value (B, ...) leaves float32; samples count from ``first``."""
    largest = np.abs(value).reshape(len(value), prod(value.shape[1:])).max(axis=1, initial=0.0)
    if largest.max(initial=0.0) < LEAVES_FLOAT32:
        return None
    sample = int(np.argmax(largest >= LEAVES_FLOAT32))
    size, where = f"about {largest[sample]:.0e}", f"in sample {first + sample}"
    return RangeError(f"layer {layer!r}: a value leaves float32 ({size}) {where}; {SCALE_DOWN}")


def _checked_inputs(net: Network, x: Any) -> dict[str, Array]:
    arrays = read_inputs(net, by_name(net, x, {}))
    values = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    for name, value in values.items():
        if not np.isfinite(value).all():
            which = "input" if name == INPUT else f"input {name!r}"
            raise SparsenetError(f"expected finite {which}, got NaN or infinity")
    return values


def evaluate_layer(layer: Layer, *inputs: Array) -> Array:
    """Compute one layer, in float64, for inputs (B, *shape)."""
    return operation_of(layer).reference(layer, *inputs)
