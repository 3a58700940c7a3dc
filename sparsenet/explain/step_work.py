"""Count the multiplications and the bytes of one step in one call, from its weights and its active inputs."""

from math import prod

from sparsenet.explain.steps import OneStep
from sparsenet.explain.work import LayerWork
from sparsenet_kernels.registry import Kernel

__all__ = ["activation_bytes", "arithmetic_unit", "multiplications", "weight_bytes"]

READ_WHOLE = ("bias", "groups", "indptr", "factor", "members", "scale")
"""Constants that are read whole even where inactive inputs are skipped."""


def arithmetic_unit(kernel: Kernel) -> str:
    """Say what multiplies in a kernel: "float32", vectors of "bytes", or "tiles" of them."""
    if kernel.dtype == "f32":
        return "float32"
    return "tiles" if "amx-int8" in kernel.features else "bytes"


def multiplications(step: OneStep, layer: LayerWork | None, active: float | None, samples: int) -> int:
    """Count the multiplications of one call.

    Formats of bytes hold vectors and tiles, which multiply zeros along with the weights that were kept; those count.
    ``layer`` is the work of the step's layer for one sample; ``active`` the share of inputs that were active, where the
    kernel skips the others.
    """
    if layer is None or not step.kernel.weights:
        return 0
    if step.kernel.dtype == "f32":
        each = layer.dense if step.kernel.weights == "dense" else layer.weight_sparse
    else:
        places = layer.dense // layer.dense_bytes  # where a filter is put: a weight of such a layer is one byte
        each = places * prod(step.places["weights"].shape)
    return round(samples * each * (1.0 if active is None else active))


def weight_bytes(step: OneStep, active: float | None, samples: int) -> int:
    """Count the bytes of constants that one call touches, each once.

    Where inactive inputs are skipped, so are their weights, unless another position or sample needs them.
    """
    constants = {name: place for name, place in step.places.items() if not place.in_scratch}
    return sum(
        round(place.size_bytes(samples) * (1.0 if name in READ_WHOLE else _touched(step, active, samples)))
        for name, place in constants.items()
    )


def activation_bytes(step: OneStep, samples: int) -> int:
    """Count the bytes of inputs and outputs of one call."""
    return sum(place.size_bytes(samples) for place in step.places.values() if place.of_samples)


def _touched(step: OneStep, active: float | None, samples: int) -> float:
    """Estimate the share of weights that some active input needs."""
    if active is None:
        return 1.0
    columns = step.places.get("columns")
    rows = columns.shape[1:-1] if columns else ()
    return min(1.0, active * samples * (rows[0] if rows else 1))
