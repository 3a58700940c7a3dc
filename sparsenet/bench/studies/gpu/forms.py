"""The forms of this package's kernels at one point of the sweep, with inputs and weights that take turns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.studies.gpu.layer import GpuLayer, LayerInputs, Packed

__all__ = ["FORMS", "Form", "ReadyForm", "deviation", "prepare"]

MOST_TURNS = 32
"""Inputs, and copies of the weights, that take turns, at most."""


@dataclass(frozen=True)
class Form:
    """A kernel of the sweep, and how its work is counted."""

    kernel: str
    counted_as: str


FORMS = {
    "sets": Form("linear_f32_complementary_active", "active"),
    "sets, atomic": Form("linear_f32_complementary_active__atomic", "active"),
    "sets, batched": Form("linear_f32_complementary_dense__batched", "batched"),
}
"""What takes part for this package, by the names that tables have."""


@dataclass(frozen=True, eq=False)
class ReadyForm:
    """A form that is ready to be called: ``call(index)`` queues one call, ``first`` gives the output of call 0."""

    call: Callable[[int], object]
    first: Callable[[], npt.NDArray[np.float32]]
    turning_bytes: int


def turns_for(call_bytes: int, cache_bytes: int) -> int:
    """Return how many copies must take turns so that none is found in the cache again."""
    return int(min(MOST_TURNS, max(2, -(-2 * cache_bytes // max(1, call_bytes)))))


def prepare(form: Form, layer: GpuLayer, packed: Packed, inputs: list[LayerInputs], cache_bytes: int) -> ReadyForm:
    """Put weights, inputs and outputs on the device and bind the kernel to them.

    Weights are copied until all copies together are twice the second-level cache, or there are 32.
    """
    from sparsenet_kernels.cuda.api import cuda, upload
    from sparsenet_kernels.cuda.launch import prepared
    from sparsenet_kernels.registry import kernels

    kernel = kernels("cuda")[form.kernel]
    out = cuda.device_array((layer.batch, layer.size), np.float32)
    weight_bytes = packed.outputs.nbytes + packed.weights.nbytes
    copies = [
        {"outputs": upload(packed.outputs), "weights": upload(packed.weights), "bias": upload(packed.bias)}
        for _ in range(turns_for(weight_bytes, cache_bytes))
    ]
    turns = list(_turns(inputs, copies))
    calls = [prepared(kernel, [{**mine, "out": out}[argument.name] for argument in kernel.arguments]) for mine in turns]

    def first() -> npt.NDArray[np.float32]:
        calls[0]()
        y: npt.NDArray[np.float32] = out.copy_to_host()
        return y

    return ReadyForm(lambda index: calls[index % len(calls)](), first, weight_bytes * len(copies))


def _turns(inputs: list[LayerInputs], copies: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Pair inputs and copies of the weights until each has had its turn."""
    from sparsenet_kernels.cuda.api import upload

    given = [{"x": upload(one.x), "columns": upload(one.columns), "values": upload(one.values)} for one in inputs]
    for index in range(max(len(given), len(copies))):
        yield given[index % len(given)] | copies[index % len(copies)]


def deviation(layer: GpuLayer, packed: Packed, inputs: LayerInputs, y: npt.NDArray[np.float32]) -> float:
    """Return by how much the first sample's outputs are wrong, in units of the error that float32 sums may have.

    A sum of n products in float32, in any order, lies within gamma(n + 2) of the sum of their magnitudes, with
    gamma(n) = n u / (1 - n u) and u = 2**-24 (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1): up
    to 1 is right.
    """
    rows, slots = packed.outputs[inputs.columns[0]], packed.weights[inputs.columns[0]].astype(np.float64)
    products, used = slots * inputs.values[0][:, None], rows >= 0
    bias = packed.bias.astype(np.float64)
    total = bias + np.bincount(rows[used], products[used], layer.size)
    magnitude = np.abs(bias) + np.bincount(rows[used], np.abs(products[used]), layer.size)
    n = (layer.active_inputs + 2) * 2.0**-24
    return float((np.abs(y[0] - total) / (n / (1 - n) * magnitude)).max())
