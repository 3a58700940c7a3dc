"""Read the arguments of a call: match arrays with a network's inputs by name, and convert them to their dtypes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import SparsenetError, did_you_mean
from sparsenet.given import given_array, real_array
from sparsenet.graph.network import Network
from sparsenet.graph.node import INPUT, Input

__all__ = ["by_name", "read_input", "read_inputs"]

INT32 = np.iinfo(np.int32)


def by_name(net: Network, x: Any, named: Mapping[str, Any]) -> Mapping[str, Any]:
    """Match what a call was given, one array, a mapping or keywords, with the inputs of a network.

    Raises
    ------
    TypeError
        When there are several inputs and none is named, or inputs come in two ways at once.
    SparsenetError
        When one is missing or unknown.
    """
    if x is None and list(named) == ["x"] and len(net.inputs) == 1 and "x" not in net.inputs:
        x, named = named["x"], {}  # the only input of a network in which nothing else is called so
    if x is not None and named:
        raise TypeError("expected inputs in one way, got an argument and keywords; give all of them by name")
    if not isinstance(x, Mapping) and not named:
        if len(net.inputs) > 1:
            got = "none" if x is None else f"one {type(x).__name__}"
            raise TypeError(f"expected the inputs {_listed(net.inputs)} by name, got {got}")
        return {net.input: x}
    given = x if isinstance(x, Mapping) else named
    for name in given:
        if name not in net.inputs:
            hint = did_you_mean(name, net.inputs)
            raise SparsenetError(f"expected the inputs {_listed(net.inputs)}, got {name!r}{hint}")
    if missing := [name for name in net.inputs if name not in given]:
        raise SparsenetError(f"expected the inputs {_listed(net.inputs)}, got no {missing[0]!r}")
    return given


def read_inputs(net: Network, given: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Read every input, in the network's order: as many samples in each, of whatever dtype they came in.

    Raises
    ------
    SparsenetError
        When a shape does not fit, a whole number does not fit int32, or one input has more samples than another.
    TypeError
        When an input does not hold what it should.
    """
    arrays = {name: read_input(name, one, given[name]) for name, one in net.inputs.items()}
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count} in {name!r}" for name, count in counts.items())
        raise SparsenetError(f"expected as many samples in each input, got {told}")
    return arrays


def read_input(name: str, declared: Input, given: Any) -> npt.NDArray[Any]:
    """Read one input (B, *shape): real numbers for float32, whole ones that fit for int32, truth values for bool."""
    what = "input" if name == INPUT else f"input {name!r}"
    array = real_array(given) if declared.dtype == "float32" else _exact_array(given, declared.dtype, what)
    if array.ndim != len(declared.shape) + 1 or array.shape[1:] != declared.shape:
        hint = "; add the batch axis: x[None]" if array.shape == declared.shape else ""
        shape = f"(B, {', '.join(map(str, declared.shape))})"
        raise SparsenetError(f"expected {what} of shape {shape}, got {array.shape}{hint}")
    return array


def _exact_array(given: Any, dtype: str, what: str) -> npt.NDArray[Any]:
    """Read whole numbers or truth values; neither may come as floats, nor one as the other."""
    array = given_array(given, f"{what} of {dtype}")
    if array.dtype.kind not in ("iu" if dtype == "int32" else "b"):
        raise TypeError(f"expected {what} of {dtype}, got {array.dtype}; convert it: x.astype({dtype!r})")
    if dtype == "int32" and array.size and not INT32.min <= array.min() <= array.max() <= INT32.max:
        raise SparsenetError(
            f"expected {what} of whole numbers that fit int32, got some from {array.min()} to {array.max()}"
        )
    return array


def _listed(names: Mapping[str, Input]) -> str:
    return ", ".join(names)
