"""Predict the memory that a layer's weights take in a kernel's format, before they are packed.

Formats pad: where 16 outputs lie side by side, a layer with one output takes 16 times the memory of its weights. This
does not matter for small layers, but large ones could fill the memory. Such formats are not candidates then.
"""

from sparsenet.errors import CompileError

__all__ = ["ALLOWED_BYTES", "ALLOWED_TIMES", "allowed_bytes", "refuse_padding"]

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
