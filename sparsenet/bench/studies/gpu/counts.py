"""What each form must do at a point of the sweep, by count: multiplications, bytes, additions that are routed."""

from dataclasses import asdict, dataclass
from typing import Any

from sparsenet.bench.studies.gpu.layer import GpuLayer

__all__ = ["Counts", "counts_of"]

TOGETHER = 8
"""Samples to which the batched form takes a weight; as in ``sparsenet_kernels.cuda.linear``."""

SLOT_BYTES = 8
"""A weight and the output it belongs to."""


@dataclass(frozen=True)
class Counts:
    """Of one call, that is of a whole batch.

    Attributes
    ----------
    multiplications : int
    bytes : int
        Weights, inputs and outputs, each as often as the form asks for it; caches may answer.
    routed : int
        Additions whose place the weights say: read, add, write somewhere else each time.
    """

    multiplications: int
    bytes: int
    routed: int

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return asdict(self)


def counts_of(form: str, layer: GpuLayer) -> Counts:
    """Count what a form does.

    Parameters
    ----------
    form : {"active", "batched", "dense", "csr", "2:4"}
        "active": complementary sets, one contiguous row for each active input of each sample. "batched": complementary
        sets, each row taken to eight samples. The others: a dense matrix, one in compressed rows, one of which two of
        four weights are kept.
    layer : GpuLayer

    Examples
    --------
    >>> counts_of("active", GpuLayer(size=1000, density=0.05, active=0.1, batch=1)).multiplications
    5000
    >>> counts_of("dense", GpuLayer(size=1000, density=0.05, active=0.1, batch=1)).multiplications
    1000000
    """
    B, D, K, S = layer.batch, layer.size, layer.active_inputs, layer.sets
    results = 4 * B * D
    if form == "active":
        return Counts(B * K * S, B * K * (SLOT_BYTES * S + 8) + results, B * K * S)
    if form == "batched":
        return Counts(B * K * S, -(-B // TOGETHER) * D * S * SLOT_BYTES + 4 * B * D + results, B * K * S)
    if form == "dense":
        return Counts(B * D * D, 4 * (D * D + B * D) + results, 0)
    if form == "csr":
        kept = D * (D // layer.per_set)
        return Counts(B * kept, SLOT_BYTES * kept + 4 * B * D + results, 0)
    return Counts(B * D * D // 2, 4 * (D * D // 2 + B * D) + results, 0)
