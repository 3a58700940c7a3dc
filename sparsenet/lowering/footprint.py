"""How much memory a layer's weights take in the form that a kernel reads, before they are packed.

Formats pad: a layer of one output takes 16 times its weights where outputs lie 16 side by side. That is nothing for
small layers, and all of the memory for large ones, so what is out of proportion is no candidate.
"""

from math import ceil

from sparsenet.errors import CompileError
from sparsenet.lowering.cost import WeightedWork

__all__ = ["ALLOWED_BYTES", "ALLOWED_TIMES", "allowed_bytes", "refuse_padding", "stored_bytes"]

ALLOWED_TIMES = 2
"""A form may take so many times the memory of the layer's weights as an array,"""

ALLOWED_BYTES = 2**26
"""or its part of this, which all layers with weights share equally."""

ALLOWED_PADDED_BYTES = 2**24
"""Weights of bytes may take this, padded, whatever they take as an array."""


def allowed_bytes(weight_bytes: int, layers: int) -> int:
    """Return what the weights of one of so many layers may take in the form that a kernel reads.

    Examples
    --------
    >>> allowed_bytes(10**8, 1), allowed_bytes(1000, 64)
    (200000000, 1048576)
    """
    return max(ALLOWED_TIMES * weight_bytes, ALLOWED_BYTES // max(1, layers))


def stored_bytes(kernel: str, work: WeightedWork) -> int:
    """Return what a layer's weights take for a kernel, with the scratch memory that grows with them.

    Parameters
    ----------
    kernel : str
        Name without its variant.
    work : WeightedWork
    """
    weights, inputs = kernel.split("_")[-2:]
    columns = work.taps * work.channels
    if weights == "dense":
        return 64 * work.dense_taps * work.dense_vectors
    if weights == "csr":
        turned = 64 * work.channels if columns == work.channels and work.positions == 1 else 0
        return 8 * work.nnz + 4 * work.outputs + turned
    if weights == "csc":
        return 8 * work.nnz + 4 * columns
    if weights == "blocks":
        return 68 * work.blocks + 4 * (columns if inputs == "active" else ceil(work.outputs / 16))
    return 8 * columns * work.sets


def refuse_padding(layer: str, padded_bytes: int, weight_bytes: int) -> None:
    """Refuse a layer of bytes whose weights would be mostly padding.

    Raises
    ------
    CompileError
        When they would take more than :data:`ALLOWED_TIMES` their memory, and :data:`ALLOWED_PADDED_BYTES`.
    """
    most = max(ALLOWED_TIMES * weight_bytes, ALLOWED_PADDED_BYTES)
    if padded_bytes > most:
        raise CompileError(
            f"layer {layer!r}: expected weights of at most {most:,} bytes when padded to 16 outputs and 64 channels, "
            f"got {padded_bytes:,} bytes for {weight_bytes:,} weights; keep this layer in float32"
        )
