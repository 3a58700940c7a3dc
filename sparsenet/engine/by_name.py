"""Calls by name: of networks with several inputs or outputs, or with inputs that are not float32."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.engine.program import Program
from sparsenet.graph.given import read_inputs
from sparsenet.graph.network import Network
from sparsenet_kernels.ends_driver import End, ends_table
from sparsenet_kernels.step_abi import address_of

__all__ = ["addresses_of", "ends_of", "kept_inputs", "new_outputs", "samples_in", "shaped"]

Arrays = dict[str, npt.NDArray[Any]]


def ends_of(net: Network, program: Program, table: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Complete the table of a program with the places and sizes of the network's inputs and outputs."""
    inputs = [
        End(place, prod(one.shape) * np.dtype(one.dtype).itemsize, one.dtype == "float32")
        for place, one in zip(program.inputs, net.inputs.values(), strict=True)
    ]
    outputs = [End(place, 4 * prod(net.shapes[name])) for place, name in zip(program.outputs, net.outputs, strict=True)]
    return ends_table(table, inputs, outputs)


def kept_inputs(net: Network, given: Mapping[str, Any]) -> Arrays:
    """Turn what was given into arrays of the network's dtypes, in C order, or say what is wrong with it."""
    with np.errstate(over="ignore"):  # what overflows float32 is found with the other infinities
        return {
            name: np.require(array, net.inputs[name].dtype, ["C", "A"])
            for name, array in read_inputs(net, given).items()
        }


def new_outputs(net: Network, samples: int) -> Arrays:
    """Make room for the answers: (samples, numbers) for each output."""
    return {name: np.empty((samples, prod(net.shapes[name])), np.float32) for name in net.outputs}


def samples_in(arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    """Count the samples of a call: as many in each of its arrays."""
    return len(next(iter(arrays.values())))


def addresses_of(x: Mapping[str, npt.NDArray[Any]], y: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """Return the addresses of all inputs and outputs, in the network's order, as the driver takes them."""
    return np.array([address_of(array) for array in (*x.values(), *y.values())], np.int64)


def shaped(net: Network, y: Arrays) -> Any:
    """Return the only answer (B, *output_shape), or several by name."""
    answers = {name: rows.reshape(len(rows), *net.shapes[name]) for name, rows in y.items()}
    return answers if len(answers) > 1 else answers[net.output]
